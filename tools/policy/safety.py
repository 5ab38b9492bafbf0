"""What must not reach a reader, whoever wrote it."""

from collections.abc import Iterator

from tools.policy.lexicon import find, find_in_any
from tools.policy.rule import Draft, Hit, rule


@rule("order-to-a-model", "block")
def order_to_a_model(draft: Draft) -> Iterator[Hit]:
    """Copy speaks to people: an order to a language model among the product's facts is not printed."""
    for passage in draft.lines:
        for wording in find_in_any("order-to-a-model", passage.text):
            message = "This is an order to a language model, not advertising; take it out of the product's facts."
            yield passage.hit(message, wording.span)


@rule(
    "profanity",
    "warn",
    source="https://transparency.meta.com/policies/ad-standards/",
    blocks_on=("google", "meta"),
    spares_name=True,
)
def profanity(draft: Draft) -> Iterator[Hit]:
    """Copy does not swear, masked or not."""
    for passage in draft.passages:
        for wording in find("profanity", draft.spoken, passage.text):
            yield passage.hit("Say it without swearing.", wording.span)


@rule(
    "restricted-product", "warn", source="https://transparency.meta.com/policies/ad-standards/", spares_name=True
)
def restricted_product(draft: Draft) -> Iterator[Hit]:
    """Tobacco, drugs, weapons, gambling, adult services and prescription drugs may not be promoted everywhere."""
    for passage in draft.passages:
        for wording in find("restricted-product", draft.spoken, passage.text):
            yield passage.hit(
                "Platforms restrict ads for this; take it out or have the campaign cleared.", wording.span
            )


RULES = (order_to_a_model, profanity, restricted_product)
