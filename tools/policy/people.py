"""What copy says of its reader: nothing about who they are, what they have or what they owe."""

from collections.abc import Iterator

from tools.policy.lexicon import find
from tools.policy.rule import Draft, Hit, rule


@rule(
    "personal-attribute",
    "warn",
    source="https://transparency.meta.com/policies/ad-standards/",
    blocks_on=("meta",),
    spares_name=True,
)
def personal_attribute(draft: Draft) -> Iterator[Hit]:
    """Copy does not tell or ask its readers their origin, faith, age, health, money, vote, record or name."""
    for passage in draft.lines:
        for wording in find("personal-attribute", draft.spoken, passage.text):
            if (
                wording.group != "names"
                or draft.product is None
                or not _is_ours(draft, passage.text, wording.span)
            ):
                yield passage.hit(
                    "Speak of the product, not of who the reader is or what they live with.", wording.span
                )


RULES = (personal_attribute,)


def _is_ours(draft: Draft, text: str, span: tuple[int, int]) -> bool:
    """Whether the greeting greets the product itself."""
    said = text[span[0] : span[1]].split()
    return bool(said) and said[-1].strip(",.!") in draft.name_words
