"""What must not reach a reader, whoever wrote it."""

from collections.abc import Iterator

import regex  # type: ignore[import-untyped]  # it ships no stubs

from tools.policy.rule import Draft, Hit, rule


@rule("order-to-a-model", "block")
def order_to_a_model(draft: Draft) -> Iterator[Hit]:
    """Copy speaks to people: an order to a language model among the product's facts is not printed."""
    for passage in draft.lines:
        for found in _ORDER.finditer(passage.text):
            message = "This is an order to a language model, not advertising; take it out of the product's facts."
            yield passage.hit(message, found.span())


RULES = (order_to_a_model,)

_ORDER = regex.compile(
    r"(?i)\b(?:ignore|disregard|forget|override)\b.{0,24}\b(?:previous|prior|above|earlier|system)\b"
    r".{0,24}\b(?:instructions?|prompts?|rules?|messages?)\b"
)
