"""What copy promises: nothing about health, money, results, haste or price that the client cannot back."""

from collections.abc import Iterator

import regex  # type: ignore[import-untyped]  # it ships no stubs

from tools.policy.lexicon import find, find_in_any
from tools.policy.rule import Draft, Hit, ProductFacts, rule

MISREPRESENTATION = "https://support.google.com/adspolicy/answer/6020955"


@rule("medical-claim", "block", source=MISREPRESENTATION, spares_name=True)
def medical_claim(draft: Draft) -> Iterator[Hit]:
    """Copy heals nothing, and proves nothing of health without evidence that says so."""
    proven = _groups("medical-claim", _evidence(draft))
    for passage in draft.lines:
        for wording in find("medical-claim", draft.spoken, passage.text):
            if wording.group != "proof" or "proof" not in proven:
                yield passage.hit("Say what the product is or does, without an effect on health.", wording.span)


@rule("financial-promise", "block", source=MISREPRESENTATION, spares_name=True)
def financial_promise(draft: Draft) -> Iterator[Hit]:
    """Copy promises nobody money, profit or credit."""
    for passage in draft.lines:
        for wording in find("financial-promise", draft.spoken, passage.text):
            yield passage.hit("Say what is offered, without what a reader will earn or be granted.", wording.span)


@rule("guaranteed-result", "warn", source=MISREPRESENTATION, spares_name=True)
def guaranteed_result(draft: Draft) -> Iterator[Hit]:
    """A guarantee stands in the features or the evidence, or it is not given."""
    facts = draft.product or ProductFacts("")
    granted = _groups("guaranteed-result", "\n".join((*facts.features, *facts.evidence)))
    for passage in draft.lines:
        for wording in find("guaranteed-result", draft.spoken, passage.text):
            if wording.group not in granted and not draft.says(passage.text[slice(*wording.span)]):
                yield passage.hit("Promise only what a feature or the evidence says.", wording.span)


@rule("false-urgency", "warn", source=MISREPRESENTATION, spares_name=True)
def false_urgency(draft: Draft) -> Iterator[Hit]:
    """Haste has a date or a number in the facts behind it."""
    facts = "\n".join(draft.product.texts) if draft.product else ""
    dated = bool(_DATE.search(facts)) or bool(find_in_any("date", facts))
    for passage in draft.lines:
        for wording in find("false-urgency", draft.spoken, passage.text):
            quote = passage.text[slice(*wording.span)]
            if not (dated and wording.group == "deadline") and not draft.says(quote):
                yield passage.hit("Name the day on which it ends, or leave out the haste.", wording.span)


@rule("free-claim", "warn", source=MISREPRESENTATION, spares_name=True)
def free_claim(draft: Draft) -> Iterator[Hit]:
    """What is free of charge is so in the facts."""
    granted = bool(find_in_any("free-claim", "\n".join(draft.product.texts))) if draft.product else False
    for passage in draft.lines:
        for wording in () if granted else find("free-claim", draft.spoken, passage.text):
            yield passage.hit("Say what costs nothing only when the product's facts say it.", wording.span)


@rule("hidden-terms", "warn", source=MISREPRESENTATION, spares_name=True)
def hidden_terms(draft: Draft) -> Iterator[Hit]:
    """Nobody has won, been chosen or been approved by reading an ad."""
    for passage in draft.lines:
        for wording in find("hidden-terms", draft.spoken, passage.text):
            yield passage.hit("Say how to take part or apply instead of announcing the outcome.", wording.span)


RULES = (medical_claim, financial_promise, guaranteed_result, false_urgency, free_claim, hidden_terms)


def _groups(name: str, facts: str) -> frozenset[str]:
    """The groups of a rule's words that the facts use themselves, in any language."""
    return frozenset(wording.group for wording in find_in_any(name, facts)) if facts.strip() else frozenset()


def _evidence(draft: Draft) -> str:
    return "\n".join(draft.product.evidence) if draft.product else ""


_DATE = regex.compile(
    r"\p{N}{1,2}([./])\p{N}{1,2}(?:\.(?=\s|\Z)|\1\p{N}{2,4})|\p{N}{4}-\p{N}\p{N}-\p{N}\p{N}|\p{N}{1,2}\s?\u6708(?:\s?\p{N}{1,2}\s?\u65e5)?"
)
