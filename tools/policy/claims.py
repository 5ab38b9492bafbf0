"""What copy claims: every amount, comparison and superlative stands on what the client said, or is no copy."""

from collections.abc import Iterator
from functools import lru_cache

from tools.claims import Claim, ClaimKind, trace
from tools.policy.rule import Draft, Hit, Passage, ProductFacts, rule


@rule("claim-number", "block")
def claim_number(draft: Draft) -> Iterator[Hit]:
    """A number stands in the product's own words."""
    return _groundless(draft, "number", "The facts do not hold {quote}: take a number of theirs, or none.")


@rule("claim-unit", "block")
def claim_unit(draft: Draft) -> Iterator[Hit]:
    """A number with a unit stands in the product's own words, in that unit or one that comes to the same."""
    return _groundless(draft, "unit", "The facts do not say {quote}: write the figure and unit that they give.")


@rule("claim-price", "block")
def claim_price(draft: Draft) -> Iterator[Hit]:
    """A price stands in the product's own words, with its currency."""
    return _groundless(draft, "price", "The facts name no price of {quote}: write theirs, or leave the price out.")


@rule("claim-percentage", "block", source="https://support.google.com/adspolicy/answer/6020955")
def claim_percentage(draft: Draft) -> Iterator[Hit]:
    """A percentage stands in the product's own words."""
    return _groundless(draft, "percentage", "No fact says {quote}: leave it out, or add evidence for it.")


@rule("claim-date", "block")
def claim_date(draft: Draft) -> Iterator[Hit]:
    """A date stands in the product's own words."""
    return _groundless(draft, "date", "The facts do not name {quote}: write a date of theirs, or none.")


@rule("claim-comparison", "block", source="https://support.google.com/adspolicy/answer/6020955")
def claim_comparison(draft: Draft) -> Iterator[Hit]:
    """A comparison needs a fact that makes it too."""
    return _groundless(draft, "comparison", "No fact compares like {quote!r}: praise the product by itself.")


@rule("claim-superlative", "block", source="https://support.google.com/adspolicy/answer/6020955")
def claim_superlative(draft: Draft) -> Iterator[Hit]:
    """A superlative needs a feature or evidence that says it."""
    return _groundless(
        draft, "superlative", "No evidence says {quote!r}: say what is true without the superlative."
    )


RULES = (
    claim_number,
    claim_unit,
    claim_price,
    claim_percentage,
    claim_date,
    claim_comparison,
    claim_superlative,
)


def _groundless(draft: Draft, kind: ClaimKind, message: str) -> Iterator[Hit]:
    """Claims of `kind` that no fact bears out; nothing when there are no facts."""
    for passage in draft.passages:
        for claim in _claims(draft, passage):
            if claim.kind == kind and claim.ground is None:
                yield passage.hit(message.format(quote=_shortened(claim.quote)), claim.span)


def _shortened(quote: str) -> str:
    return quote if len(quote) <= _LONGEST_QUOTE else f"{quote[:_LONGEST_QUOTE]}…"


def _claims(draft: Draft, passage: Passage) -> tuple[Claim, ...]:
    facts = draft.product
    if facts is None:
        return ()
    kept = ProductFacts(facts.name, tuple(facts.features), facts.description, tuple(facts.evidence))
    return _traced(passage.text, kept, draft.language, draft.facts_language)


@lru_cache(maxsize=512)
def _traced(text: str, facts: ProductFacts, language: str, facts_language: str | None) -> tuple[Claim, ...]:
    """Trace a text once for all the rules; `facts` must be hashable."""
    return tuple(trace(text, facts, language=language, facts_language=facts_language))


_LONGEST_QUOTE = 80
