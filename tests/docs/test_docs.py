"""The documentation against the code: links, commands, settings, numbers, the picture, decision records."""

import re
from itertools import chain
from pathlib import Path

import pytest
import typer.main

from agents import offline
from agents.translator import CAMPAIGN
from graph.checkpoints import CheckpointStoreError
from graph.checkpoints.layout import Keys
from graph.picture import redrawn
from service.cli import app
from service.settings import Settings
from service.terminal import Exit
from tests.running import ROOT
from tools.languages import LANGUAGES
from tools.lint import RULES
from tools.placements import PLACEMENTS, ImageSize, Slot
from tools.reference import PAGES as PAGES_OF_TABLES
from tools.reference import main as reference

README = ROOT / "README.md"
EXAMPLE = ROOT / ".env.example"
RECORDS = sorted((ROOT / "docs/decisions").glob("*.md"))
PAGES = sorted(
    chain(ROOT.glob("*.md"), (ROOT / "docs").rglob("*.md"), (ROOT / "tools/imaging/fonts").glob("*.md"))
)
SECTIONS = ["Context", "Decision", "Consequences", "Alternatives", "The check"]
ROOMS = ("agents", "docs", "evals", "examples", "graph", "requirements", "service", "tests", "tools")

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FENCED = re.compile(r"^```.*?\n(.*?)^```", re.DOTALL | re.MULTILINE)
SPAN = re.compile(r"`([^`\n]+)`")
SETTING = re.compile(r"\b(?:FANFARE|OPENAI|LANGSMITH)_[A-Z0-9_]+\b")
EXAMPLE_LINE = re.compile(r"^#([A-Z0-9_]+)=(.*)$", re.MULTILINE)

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
each_record = pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.stem)


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def code(text: str) -> list[str]:
    """Every fenced block and every span of code in a page."""
    return [*FENCED.findall(text), *SPAN.findall(FENCED.sub("", text))]


def called(name: str, text: str) -> set[str]:
    """The first words after `name` wherever the page's code calls it."""
    return set(re.findall(rf"\b{name} ([a-z][a-z0-9]*)\b", "\n".join(code(text))))


def variables() -> dict[str, str]:
    """The environment variables that `Settings` reads, each with its field's name."""
    return {
        str(field.validation_alias or f"FANFARE_{name}").upper(): name
        for name, field in Settings.model_fields.items()
    }


def commands() -> dict[str, set[str]]:
    """The commands of the command line, each with its options' environment variables."""
    group = typer.main.get_group(app)
    return {
        name: {str(option.envvar) for option in command.params if option.envvar}
        for name, command in group.commands.items()
    }


@each_page
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    links = [link for link in LINK.findall(read(page)) if not link.startswith(("http://", "https://", "#"))]
    assert not [link for link in links if not (page.parent / link.split("#")[0]).exists()]


def test_the_readme_has_pictures_of_a_bearable_size() -> None:
    pictures = [ROOT / link for link in LINK.findall(read(README)) if link.endswith(".png")]
    assert len(pictures) == 2
    assert all(picture.stat().st_size < 400_000 for picture in pictures)


@each_page
def test_every_path_in_code_is_there(page: Path) -> None:
    paths = [span for span in code(read(page)) if span.startswith(tuple(f"{room}/" for room in ROOMS))]
    assert not [path for path in paths if " " not in path and not (ROOT / path).exists()]


@each_page
def test_every_make_target_named_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", read(ROOT / "Makefile"), re.MULTILINE))
    assert called("make", read(page)) <= targets


def test_the_readme_names_both_commands_of_a_newcomer() -> None:
    assert called("make", read(README)) >= {"demo", "test"}


@each_page
def test_every_command_named_exists(page: Path) -> None:
    assert called("fanfare", read(page)) <= set(commands())


def test_the_readme_names_every_command_and_exit_code() -> None:
    text = read(README)
    assert called("fanfare", text) == set(commands())
    assert {int(digits) for digits in re.findall(r"^\| (\d+) \|", text, re.MULTILINE)} == {int(e) for e in Exit}


@pytest.mark.parametrize("page", [*PAGES, EXAMPLE], ids=lambda page: str(page.relative_to(ROOT)))
def test_every_setting_named_is_read(page: Path) -> None:
    known = {*variables(), *chain.from_iterable(commands().values())}
    assert set(SETTING.findall(read(page))) <= known


def test_the_example_has_every_setting_once_with_a_comment() -> None:
    text = read(EXAMPLE)
    assert sorted(name for name, _ in EXAMPLE_LINE.findall(text)) == sorted(variables())
    assert not [line for line in text.splitlines() if line and not line.startswith("#")]
    assert len(re.findall(r"^# .+\n#[A-Z]", text, re.MULTILINE)) == len(variables())


def test_the_example_s_values_are_taken(tmp_path: Path) -> None:
    lines = EXAMPLE_LINE.findall(read(EXAMPLE))
    (tmp_path / ".env").write_text("\n".join(f"{name}={value}" for name, value in lines), encoding="utf-8")
    settings = Settings()
    fields = variables()
    assert {fields[name] for name, value in lines if value} <= settings.model_fields_set


def test_the_picture_of_the_graph_is_true() -> None:
    text = read(ROOT / "docs/architecture.md")
    assert redrawn(text) == text


@pytest.mark.parametrize("name", PAGES_OF_TABLES)
def test_a_page_of_the_tables_is_true(name: str) -> None:
    assert read(ROOT / "docs" / name) == PAGES_OF_TABLES[name]()


def test_the_pages_of_the_tables_are_written_and_checked_by_one_command(tmp_path: Path) -> None:
    assert reference(["--check", str(tmp_path)]) == 1
    assert reference([str(tmp_path)]) == 0
    assert reference(["--check", str(tmp_path)]) == 0
    page = tmp_path / "policy.md"
    page.write_text(read(page).replace("block", "warn", 1), encoding="utf-8")
    assert reference(["--check", str(tmp_path)]) == 1


def test_the_pages_of_the_tables_leave_nothing_out() -> None:
    limits, policy = read(ROOT / "docs/placements.md"), read(ROOT / "docs/policy.md")
    assert not [rule.id for rule in RULES if f"| `{rule.id}` |" not in policy]
    for place in PLACEMENTS.values():
        lines: list[Slot | ImageSize] = [*place.slots, *place.images]
        assert not [line.name for line in lines if f"| `{place.id}` | `{line.name}`" not in limits]
        sources = {line.source.url.split()[0] for line in lines if line.source.url}
        assert not [url for url in sources if f"]({url})" not in limits]


def test_the_saver_s_page_and_picture_name_every_key_and_error() -> None:
    page, picture = read(ROOT / "docs/redis-saver.md"), read(ROOT / "docs/images/redis-saver.svg")
    for key in Keys._fields:
        assert f"fanfare:{{thread}}:{key} " in page
        assert f">{key}<" in picture
    for error in CheckpointStoreError.__subclasses__():
        assert f"`{error.__name__}`" in page


def test_the_numbers_of_the_readme_are_true() -> None:
    text = read(README)
    assert f"every text slot of {len(PLACEMENTS)} placements" in text
    assert f"of {len(LANGUAGES)} languages" in text
    assert f"the rehearsal model writes {len(offline.LANGUAGES)} of them" in text


def test_the_numbers_of_the_campaign_s_own_lines_are_true() -> None:
    text = read(ROOT / "docs/decisions/0006-lines-of-the-campaign.md")
    slots = {slot.name: slot for slot in CAMPAIGN.slots}
    headline, subline, action, alt_text = (
        slots[name] for name in ("headline", "subline", "call_to_action", "alt_text")
    )
    assert headline.wanted == 3
    assert f"three headlines of display width {headline.hard} at most and {headline.soft} at best" in text
    assert f"a subline of {subline.hard} and {subline.soft}" in text
    assert f"one call to action of {action.hard} and {action.soft}" in text
    assert f"an alt text of {alt_text.hard} and {alt_text.soft} characters" in text


def test_decision_records_are_numbered_without_gaps() -> None:
    assert [int(record.stem[:4]) for record in RECORDS] == list(range(1, len(RECORDS) + 1))
    assert len(RECORDS) >= 10


@each_record
def test_a_decision_record_is_a_page_with_five_sections(record: Path) -> None:
    text = read(record)
    assert text.startswith(f"# {int(record.stem[:4])}. ")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == SECTIONS
    assert all(section.strip() for section in re.split(r"^## .+$", text, flags=re.MULTILINE)[1:])
    assert len(text.split()) < 450


@each_record
def test_a_decision_record_has_one_sentence_to_quote_and_names_its_check(record: Path) -> None:
    _, decision, check = re.split(r"^## (?:Decision|The check)$", read(record), flags=re.MULTILINE)
    assert len(re.findall(r"^> .+$", decision, re.MULTILINE)) == 1
    named = [span for span in SPAN.findall(check) if span.startswith("tests/")]
    assert named
    assert all((ROOT / path).exists() for path in named)
