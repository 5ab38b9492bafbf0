"""Lint, rules and placements as the command line shows them: marked, measured, and safe to print."""

import io
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from typer.testing import CliRunner, Result

from service.api.models import LintRequest
from service.cli import app
from service.lint import checked
from service.proof import proof
from tests.running import ROOT
from tools.lint import RULES
from tools.placements import PLACEMENTS

LINES = st.lists(
    st.sampled_from(
        ["a", "!!", "SALE", "\n", "\r", "\t", "\x1b[2J", "\u202e", "日本", "שלום", "👨\u200d👩", " ", "x" * 90]
    ),
    max_size=14,
).map("".join)


def fanfare(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def printed(text: str) -> str:
    asked = LintRequest(placement="threads", texts={"body": [text]})
    paper = io.StringIO()
    Console(file=paper, width=80, soft_wrap=True).print(proof(asked, checked(asked)))
    return paper.getvalue()


@pytest.mark.parametrize(
    ("text", "line", "marks"),
    [
        ("Wait!! Now.", "Wait!! Now.", "    ^^"),
        ("One.\nTwo!! Three.\nFour.", "Two!! Three.", "   ^^"),
        ("日本!! 語", "日本!! 語", "    ^^"),
        ("👨\u200d👩!! é!", "👨\u200d👩!! é!", "  ^^"),
        ("word " * 20 + "so!! " + "word " * 20, "…rd " + "word " * 7 + "so!! " + "word " * 7 + "word…", None),
    ],
)
def test_marks_stand_under_the_quote(text: str, line: str, marks: str | None) -> None:
    lines = printed(text).splitlines()
    at = next(number for number, told in enumerate(lines) if "repeated-punctuation" in told)
    assert lines[at + 1].strip() == line
    assert lines[at + 2] == "  " + (marks or " " * line.index("!!") + "^^")


@settings(max_examples=60)
@given(LINES)
def test_nothing_printed_steers_a_terminal(text: str) -> None:
    assert not set(printed(text)) & set("\x1b\r\t\u202e")


def test_lint_of_one_text_asks_for_no_other() -> None:
    one = ("lint", "--placement", "google_rsa", "--text", "Aurora folds flat", "--text", "40 h of quiet")
    product = ("--product", str(ROOT / "examples/aurora.json"))
    told = fanfare(*one, *product)
    assert (told.exit_code, "Nothing found." in told.stdout) == (0, True), told.stdout
    assert "headline 2   13 / 30 (display_width)" in told.stdout
    wrong = fanfare(*one, "--slot", "bodyy")
    assert wrong.exit_code == 1
    assert "google_rsa has no slot bodyy; it has headline, description, path." in wrong.stdout


def test_lint_prints_nothing_that_steers_a_terminal() -> None:
    told = fanfare("lint", "--placement", "x_post", "--text", "a\x1b[2J\u202e!!\nשלום!!")
    assert told.exit_code == 1
    assert not [char for char in told.stdout if char in "\x1b\u202e"]
    assert "  שלום!!\n  ^ !!\n" in told.stdout


def test_lint_says_what_is_wrong_with_its_input(tmp_path: Path) -> None:
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "list.json").write_text("[]")
    answers = {
        "none.json": fanfare("lint", str(tmp_path / "none.json")),
        "Invalid JSON": fanfare("lint", str(tmp_path / "broken.json")),
        "x_post": fanfare("lint", "--placement", "x_pots", "--text", "a"),
        "klingon": fanfare("lint", "--placement", "x_post", "--text", "a", "--language", "klingon"),
        "--text": fanfare("lint", "--placement", "x_post"),
        "Give a file": fanfare("lint", str(tmp_path / "copy.json"), "--text", "a"),
        "product": fanfare(
            "lint", "--placement", "x_post", "--text", "a", "--product", str(tmp_path / "list.json")
        ),
    }
    for says, told in answers.items():
        assert told.exit_code == 2, told
        assert says in told.stderr.replace("\n", " "), told.stderr
        assert "Traceback" not in told.stderr
        assert ".." not in told.stderr


def test_the_rules_and_the_placements_are_listed() -> None:
    listed = json.loads(fanfare("lint", "--rules", "--json").stdout)
    assert [rule["id"] for rule in listed] == [rule.id for rule in RULES]
    assert all(rule["about"] and rule["source"] for rule in listed)
    told = fanfare("lint", "--rules").stdout
    assert not [rule.id for rule in RULES if f"{rule.id}  {rule.severity}" not in told]

    table = json.loads(fanfare("placements", "--json").stdout)
    assert [one["id"] for one in table["items"]] == list(PLACEMENTS)
    assert "instagram_post" in fanfare("placements").stdout
    one = fanfare("placements", "x_post")
    assert "body  1 text, at most 280 (x_weighted_v3)" in one.stdout
    assert "https://" in one.stdout
    unknown = fanfare("placements", "x_pots")
    assert (unknown.exit_code, "x_post" in unknown.stderr) == (2, True)
