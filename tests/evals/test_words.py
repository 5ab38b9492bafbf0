"""The sets are as large and as sound as promised, the measuring counts right, and the rules meet the gates."""

import json
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from pydantic import ValidationError
from typer.testing import CliRunner

from evals.words import __main__ as command
from evals.words.measure import Outcome, blocks, measure, tallies, unknown
from evals.words.report import Report, disagreements, remarks, verdict
from evals.words.sets import Ad, Ads, Gates, Invention, Product, Sentence, Sentences, load_ads, load_sentences
from tools import counting
from tools.lint import RULES
from tools.policy.rule import Draft, Hit, Rule

AURORA = Product(name="Aurora", features=("40 h battery",))
LENGTHS = {"over-hard-limit", "over-soft-limit"}


@pytest.fixture(scope="module")
def report() -> Report:
    """The project's rules on the project's sets."""
    return command.evaluation()


def test_the_sets_have_the_promised_sizes() -> None:
    ads, sentences = load_ads().items, load_sentences().items
    assert len(ads) >= 240
    assert sum(not ad.expect for ad in ads) >= 60 + 40
    assert sum(ad.id.startswith("ad-") for ad in ads) >= 40
    assert {"en", "de", "fr", "es", "it", "pt", "nl", "ja"} <= {ad.language for ad in ads if not ad.expect}
    assert len(sentences) >= 80
    assert sum(not sentence.invented for sentence in sentences) >= 35


def test_every_rule_has_items_enough_to_be_measured() -> None:
    """A new rule without items fails here."""
    items = Counter(rule for ad in load_ads().items for rule in set(ad.expect))
    items.update(one.rule for sentence in load_sentences().items for one in sentence.invented)
    least = {rule.id: 4 if rule.severity == "block" or rule.blocks_on else 3 for rule in RULES}
    assert {rule: items[rule] for rule in least if items[rule] < least[rule]} == {}


def test_every_expected_id_is_that_of_a_rule(report: Report) -> None:
    allowed = {rule for ad in load_ads().items for rule in ad.may}
    assert report.unknown == []
    assert allowed <= {rule.id for rule in RULES}


def test_ids_are_unique_and_no_item_stands_twice() -> None:
    items = [*load_ads().items, *load_sentences().items]
    assert _twice([item.id for item in items]) == []
    assert _twice([item.model_dump_json(exclude={"id", "why"}) for item in items]) == []


def test_texts_fit_unless_their_length_is_the_point() -> None:
    long = [
        (ad.id, text)
        for ad in load_ads().items
        if not LENGTHS & set(ad.expect)
        for name, texts in ad.lines.items()
        if (slot := ad.where.slot(name))
        for text in texts
        if any(limit and counting.measure(text, slot.rule) > limit for limit in (slot.soft, slot.hard))
    ]
    assert long == []


def test_the_rules_meet_the_gates(report: Report) -> None:
    assert report.passed, "\n".join([*verdict(report), *remarks(report)])


WRONG: dict[str, Callable[[], object]] = {
    "an unknown key": lambda: Ad.model_validate({**_ad().model_dump(), "sloth": "body"}),
    "both text and texts": lambda: _ad(texts={"body": ("Quiet.",)}),
    "neither text nor texts": lambda: _ad(text=None, slot=None),
    "a text without a slot": lambda: _ad(slot=None, texts={"body": ("Quiet.",)}),
    "expected and allowed": lambda: _ad(expect=("loud",), may=("loud",)),
    "a quote that is not there": lambda: _sentence("40 h", Invention(quote="50 h", kind="unit")),
    "a quote that stands twice": lambda: _sentence("50 h, 50 h", Invention(quote="50 h", kind="unit")),
}


@pytest.mark.parametrize("mistake", WRONG)
def test_a_mistake_in_an_item_is_refused(mistake: str) -> None:
    with pytest.raises(ValidationError):
        WRONG[mistake]()


def test_an_ad_is_asked_for_other_slots_only_when_it_is_whole() -> None:
    lone = {"placement": "google_rsa", "slot": "headline"}
    ads = Ads(product=AURORA, items=(_ad(id="part", **lone), _ad(id="whole", whole=True, **lone)))
    too_few = [rule for rule in RULES if rule.id == "too-few-texts"]
    part, whole = measure(ads, Sentences(items=()), too_few)
    assert not part.alarms
    assert whole.alarmed_by("too-few-texts")


def test_known_misses_and_false_alarms_give_the_known_numbers() -> None:
    outcomes = _scripted()
    loud, soft, ghost = tallies(outcomes, [LOUD, SOFT])
    assert (loud.expected, loud.found, loud.alarms, loud.quiet) == (3, 2, 1, 3)
    assert loud.recall == pytest.approx(2 / 3)
    assert loud.alarm_rate == pytest.approx(1 / 3)
    assert (soft.expected, soft.found, soft.alarms, soft.quiet) == (1, 1, 1, 5)
    assert (ghost.rule, ghost.expected, ghost.found, ghost.recall) == ("ghost", 1, 0, 0)
    (moderation,) = blocks(outcomes)
    assert (moderation.due, moderation.blocked) == (4, 2)
    assert (moderation.harmless, moderation.false) == (2, 1)


def test_an_id_that_no_rule_has_is_a_blocking_miss_and_is_named() -> None:
    outcomes = _scripted()
    assert unknown(outcomes, [LOUD, SOFT]) == ["ghost"]
    assert any("ghost" in line for line in verdict(_report(outcomes)))
    assert [told["rule"] for told in disagreements(outcomes) if told["what"] == "miss"] == ["loud", "ghost"]


def test_what_a_strict_reader_could_add_counts_neither_way() -> None:
    ads = Ads(product=AURORA, items=(_ad(text="LOUD", may=("loud",)), _ad(id="soft", text="soft")))
    outcomes = measure(ads, Sentences(items=()), [LOUD])
    assert [outcome.alarms for outcome in outcomes] == [[], []]
    assert blocks(outcomes)[0].false == 0


def test_a_claim_is_found_by_kind_and_place() -> None:
    fifty = Invention(quote="50 h", kind="unit")
    sentences = (
        _sentence("Plays 50 h.", fifty),
        _sentence("Plays for 50 h, cheap.", fifty),
        _sentence("Plays 50 minutes, for 50 h.", fifty),
        _sentence("Plays."),
    )
    outcomes = measure(Ads(product=AURORA, items=()), Sentences(items=sentences), [FIRST_FIFTY, PRICE])
    assert [[one.found for one in outcome.expected] for outcome in outcomes] == [[True], [True], [False], []]
    assert [[alarm.rule for alarm in outcome.alarms] for outcome in outcomes] == [
        [],
        ["claim-price"],
        ["claim-unit"],
        [],
    ]
    unit, price = tallies(outcomes, [FIRST_FIFTY, PRICE])
    assert (unit.expected, unit.found, unit.alarms, unit.quiet) == (3, 2, 1, 2)
    assert (price.expected, price.alarms, price.quiet) == (0, 1, 4)


@pytest.mark.parametrize(
    ("recall", "false", "met"), [(0.5, 0.5, True), (0.51, 0.5, False), (0.5, 0.49, False), (0.0, 1.0, True)]
)
def test_a_report_passes_when_both_gates_are_met(recall: float, false: float, *, met: bool) -> None:
    assert _report(_scripted(), Gates(block_recall=recall, false_blocks=false)).passed is met


def test_the_command_prints_json_and_exits_by_its_gates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "evaluation", lambda: _report(_scripted()))
    result = CliRunner().invoke(command.app, ["--json"])
    told = json.loads(result.stdout)
    assert result.exit_code == 1
    assert told["passed"] is False
    assert told["sets"][0]["false_rate"] == 0.5
    assert {rule["rule"] for rule in told["rules"]} == {"loud", "soft", "ghost"}


def test_the_command_names_each_disagreement_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "evaluation", lambda: _report(_scripted(), Gates(block_recall=0, false_blocks=1)))
    brief, verbose = (CliRunner().invoke(command.app, asked) for asked in ([], ["--verbose"]))
    assert (brief.exit_code, verbose.exit_code) == (0, 0)
    assert "missed-item" not in brief.stdout
    assert "missed-item" in verbose.stdout
    assert "[odd]" in verbose.stdout


def _look_for(word: str) -> Callable[[Draft], Iterator[Hit]]:
    def look(draft: Draft) -> Iterator[Hit]:
        """Look for a word."""
        for passage in draft.lines:
            if (at := passage.text.find(word)) >= 0:
                yield passage.hit("Found.", (at, at + len(word)))

    return look


LOUD = Rule("loud", "block", _look_for("LOUD"))
SOFT = Rule("soft", "warn", _look_for("soft"))
FIRST_FIFTY = Rule("claim-unit", "block", _look_for("50"))
PRICE = Rule("claim-price", "block", _look_for("cheap"))


def _scripted() -> list[Outcome]:
    """Two rules on six ads: one miss, one false block, one false warning, and an id that no rule has."""
    items = (
        _ad(id="a", text="LOUD", expect=("loud",)),
        _ad(id="b", text="LOUD and soft", expect=("loud", "soft")),
        _ad(id="missed-item", text="loud [odd]", expect=("loud",), why="[odd] markup"),
        _ad(id="d", text="LOUD [odd]"),
        _ad(id="e", text="soft"),
        _ad(id="f", text="quiet", expect=("ghost",)),
    )
    return measure(Ads(product=AURORA, items=items), Sentences(items=()), [LOUD, SOFT])


def _report(outcomes: list[Outcome], gates: Gates | None = None) -> Report:
    return Report(outcomes, gates or Gates(block_recall=0.95, false_blocks=0.02), 0.1, [LOUD, SOFT])


def _ad(**changed: object) -> Ad:
    plain = {"id": "a", "placement": "x_post", "slot": "body", "text": "Quiet.", "expect": (), "why": "plain"}
    return Ad.model_validate({**plain, **changed})


def _sentence(text: str, *invented: Invention) -> Sentence:
    return Sentence(id=text, text=text, product=AURORA, invented=invented, why="scripted")


def _twice(values: list[str]) -> list[str]:
    return [value for value, times in Counter(values).items() if times > 1]
