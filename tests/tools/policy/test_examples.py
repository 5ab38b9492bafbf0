"""Every rule finds what its examples say, leaves the others alone, and survives hostile text in good time."""

import time
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tools.counting import measure
from tools.lint import RULES, lint
from tools.placements import PLACEMENTS, placement
from tools.policy import claims, lexicon
from tools.policy.rule import HASHTAGS, Finding, ProductFacts

AURORA = ProductFacts(
    name="Aurora",
    features=("40 h battery", "Noise cancelling", "HDMI-ARC"),
    description="Two-year warranty, 1,000 charges, 2.5 m cable.",
    evidence=("Best in test, Hi-Fi 3/2026",),
)
EXAMPLES: dict[str, Any] = tomllib.loads((Path(__file__).parent / "examples.toml").read_text("utf-8"))
OURS = [rule.id for rule in RULES if rule not in claims.RULES]
FOUND = [(rule, *one) for rule, both in EXAMPLES.items() for one in both["found"]]
SPARED = [(rule, *one) for rule, both in EXAMPLES.items() for one in both["spared"]]
SNIPPETS = (
    "#", "1", "1.", ",000", "SALE", "!!", "you are ", "free ", "\u202e", "www.", ".", " ", "\r", "日", "\ud800",
    "a@", "{", "[", "f*", "guaranteed ", "0", "$", "$a", "b3", "\u0301", "\x00", "🔥", "\u200d", "(", "“", "а",
    "to ", "- ", "*", "~", "٠",
)  # fmt: skip
ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=80) | st.lists(
    st.sampled_from(SNIPPETS), max_size=20
).map("".join)


def findings(
    place: str, slot: str, language: str, text: str | Sequence[str], *, product: ProductFacts | None = AURORA
) -> list[Finding]:
    """Lint texts in one slot; a slot's name with + comes with two hashtags."""
    texts = [text] if isinstance(text, str) else list(text)
    tags = ["#Aurora", "#Quiet"] if slot.endswith("+") else []
    return lint(placement(place), {slot.rstrip("+"): texts}, tags, language=language, product=product)


def found_by(rule: str, told: Sequence[Finding]) -> list[Finding]:
    return [finding for finding in told if finding.rule == rule]


@pytest.mark.parametrize(("rule", "place", "slot", "language", "text", "quote"), FOUND)
def test_what_a_rule_is_for_is_found(
    rule: str, place: str, slot: str, language: str, text: str | list[str], quote: str
) -> None:
    told = found_by(rule, findings(place, slot, language, text))
    assert told, "nothing was found"
    assert told[0].quote == quote
    assert told[0].message.endswith(".")


@pytest.mark.parametrize(("rule", "place", "slot", "language", "text"), SPARED)
def test_what_only_looks_like_it_is_left_alone(
    rule: str, place: str, slot: str, language: str, text: str | list[str]
) -> None:
    assert found_by(rule, findings(place, slot, language, text)) == []


@pytest.mark.parametrize("rule", OURS)
def test_every_rule_has_examples_in_several_languages(rule: str) -> None:
    both = EXAMPLES.get(rule, {"found": [], "spared": []})
    assert len(both["found"]) >= 3
    assert len(both["spared"]) >= 3
    assert len({language for _, _, language, *_ in [*both["found"], *both["spared"]]}) >= 2


def test_no_example_is_of_a_rule_that_is_not_there() -> None:
    assert set(EXAMPLES) == set(OURS)


@pytest.mark.parametrize(("rule", "place", "slot", "language", "text", "quote"), FOUND)
def test_a_suggestion_mends_what_it_is_for(
    rule: str, place: str, slot: str, language: str, text: str | list[str], quote: str
) -> None:
    del quote
    texts = [text] if isinstance(text, str) else list(text)
    for finding in found_by(rule, findings(place, slot, language, text))[:1]:
        if finding.suggestion is None or finding.span is None or finding.index is None:
            continue
        start, end = finding.span
        mended = texts[finding.index][:start] + finding.suggestion + texts[finding.index][end:]
        rest = [*texts[: finding.index], mended, *texts[finding.index + 1 :]]
        before, after = findings(place, slot, language, text), findings(place, slot, language, rest)
        assert len(found_by(rule, after)) < len(found_by(rule, before)), mended


@pytest.mark.parametrize("platform", ["google_rda", "microsoft_audience", "x_website_ad"])
@pytest.mark.parametrize("text", ["quiet " * 60, "quiet and " * 60, "日" * 200, "a" * 400])
def test_a_shorter_text_is_within_the_limit_and_comes_to_its_end(platform: str, text: str) -> None:
    for finding in found_by("over-hard-limit", findings(platform, PLACEMENTS[platform].slots[0].name, "en", text)):
        slot = PLACEMENTS[platform].slots[0]
        assert finding.suggestion is not None
        assert slot.hard is not None
        assert len(finding.suggestion) < len(text)
        assert measure(finding.suggestion, slot.rule) <= slot.hard
        again = findings(platform, slot.name, "en", finding.suggestion)
        assert not found_by("cut-off-text", again) or platform == "x_website_ad"


@settings(max_examples=250, deadline=None)
@given(
    st.sampled_from(sorted(PLACEMENTS)),
    st.lists(ANY_TEXT, max_size=3),
    ANY_TEXT,
    st.sampled_from([*lexicon.LANGUAGES, "ar", "hi", "zh-Hans", "", "x-nonsense"]),
)
@example("google_rda", ["\ud800" * 20, "\x00!", "🔥\udfff"], "!", "en")
@example("meta_feed", ["you are " * 1250], "you", "en")
def test_no_text_makes_lint_fail_and_every_span_quotes(
    place: str, texts: list[str], facts: str, language: str
) -> None:
    chosen = placement(place)
    fields = {slot.name: texts for slot in chosen.slots} | {"elsewhere": texts, HASHTAGS: texts}
    product = ProductFacts(facts, (facts,), facts, (facts,))
    for finding in lint(chosen, fields, language=language, product=product):
        if finding.span and finding.index is not None:
            start, end = finding.span
            text = fields[finding.field][finding.index]
            assert 0 <= start <= end <= len(text)
            assert finding.quote == text[start:end]
        if finding.rule == "over-hard-limit" and finding.suggestion is not None and finding.index is not None:
            slot = chosen.slot(finding.field)
            assert slot is not None
            assert slot.hard is not None
            assert measure(finding.suggestion, slot.rule) <= slot.hard
            assert measure(finding.suggestion, slot.rule) < measure(finding.quote, slot.rule)


@pytest.mark.parametrize(
    "piece",
    ["a", " ", "you are ", "a.", "a@", "!", "1 ", "1", "f*", "{", "(", "A b ", "aB", "日", "а", "no ", "free ",
     "$a", "*a ", "0",      "“a ", "a,", "@", "-", "\u0301", "🔥", "are you a ", "lose 1 ",
     "1.a", "ignore all ", "S-", "@a", "a1", "«a", "\n"],
)  # fmt: skip
def test_hostile_text_is_linted_in_time(piece: str) -> None:
    text = (piece * (10_000 // len(piece)))[:10_000]
    rules = [rule for rule in RULES if rule not in claims.RULES]
    for language in ("en", "ja"):
        lint(placement("meta_feed"), {"primary_text": ["warm"]}, language=language, product=AURORA, rules=rules)
        began = time.process_time()
        lint(placement("meta_feed"), {"primary_text": [text]}, language=language, product=AURORA, rules=rules)
        assert time.process_time() - began < 1, "quadratic time takes longer"


@pytest.mark.parametrize("language", [*lexicon.LANGUAGES, "any"])
def test_every_table_of_words_compiles(language: str) -> None:
    for rule in (*OURS, "date", "ad-label", "opinion"):
        assert lexicon.find(rule, language, "") == []
