"""What copy claims: every number and superlative stands on what the client said, or is no copy."""

from collections.abc import Iterator
from decimal import Decimal

import regex  # type: ignore[import-untyped]  # it ships no stubs

from tools.languages import decimal_mark, numerals
from tools.policy.rule import Draft, Hit, ProductFacts, rule


@rule("claim-number", "block")
def claim_number(draft: Draft) -> Iterator[Hit]:
    """Every number of the copy stands in the product's own words; number words are not looked for."""
    if draft.product is None:
        return
    known = _known_numbers(draft.product)
    for passage in draft.passages:
        text = _blanked(_ADDRESS, passage.text)
        text = _blanked(_FIRST, text) if draft.spoken == "en" else text
        for numeral in numerals(text, decimal=decimal_mark(draft.language)):
            if not any(values <= known for values in numeral.readings):
                message = f"{text[numeral.start : numeral.end]} is not in what is known of the product."
                yield passage.hit(message, (numeral.start, numeral.end))


@rule(
    "claim-superlative",
    "warn",
    source="https://support.google.com/adspolicy/answer/6020955",
    languages=("en",),
)
def claim_superlative(draft: Draft) -> Iterator[Hit]:
    """A promise beyond proof needs evidence or a feature that says it; English only."""
    facts = draft.product or ProductFacts("")
    ground = "\n".join((*facts.features, *facts.evidence))
    claims = [claim for claim in _SUPERLATIVES if not claim.search(ground)]
    name = regex.compile(regex.escape(facts.name or "\n"), regex.IGNORECASE)
    for passage in draft.passages:
        text = _blanked(name, passage.text)
        for found in (found for claim in claims for found in claim.finditer(text)):
            yield passage.hit(f"No evidence says {found[0]!r} of the product.", found.span())


RULES = (claim_number, claim_superlative)


def _blanked(pattern: "regex.Pattern[str]", text: str) -> str:
    """Overwrite what matches, so that spans stay where they are."""
    blanked: str = pattern.sub(lambda found: "_" * len(found[0]), text)
    return blanked


def _known_numbers(product: ProductFacts) -> frozenset[Decimal]:
    """Every value that the client's digits may stand for in any language, and English number words."""
    facts = "\n".join(product.texts)
    written = [value for found in numerals(facts) for values in found.readings for value in values]
    words = {word.casefold() for word in _WORD.findall(facts)}
    return frozenset(written) | {Decimal(value) for word, value in _NUMBER_WORDS.items() if word in words}


_WORD = regex.compile(r"[\p{L}\p{M}]+")
_ADDRESS = regex.compile(r"(?:https?://|www\.)\S+", regex.IGNORECASE)
_FIRST = regex.compile(r"(?:#|no\.?)\s?1(?![\p{L}\p{Nd}])", regex.IGNORECASE)
_SUPERLATIVES = tuple(
    regex.compile(rf"(?<![\p{{L}}\p{{N}}])(?:{claim})(?![\p{{L}}\p{{Nd}}])", regex.IGNORECASE)
    for claim in (
        r"guarantee[ds]?",
        r"miracles?|miraculous(?:ly)?",
        r"risk[-\s]free",
        r"(?:#|no\.?)\s?1|number[-\s]one",
        r"best",
    )
)
_UNITS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen twenty"
)
_TENS = {"thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "hundred": 100, "thousand": 1000}
_NUMBER_WORDS = {word: value for value, word in enumerate(_UNITS.split())} | _TENS
