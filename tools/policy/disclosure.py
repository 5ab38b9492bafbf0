"""What copy lets others say: a testimonial has evidence behind it, or says that it is advertising."""

from collections.abc import Iterator

from tools.policy.lexicon import find, find_in_any
from tools.policy.rule import Draft, Hit, rule


@rule(
    "testimonial",
    "warn",
    source="https://www.ecfr.gov/current/title-16/chapter-I/subchapter-B/part-255",
    spares_name=True,
)
def testimonial(draft: Draft) -> Iterator[Hit]:
    """Praise from other mouths needs evidence, or a label such as #ad."""
    labelled: bool | None = None
    for passage in draft.lines:
        for wording in find("testimonial", draft.spoken, passage.text):
            labelled = _is_labelled(draft) if labelled is None else labelled
            if not labelled and not _is_backed(draft, passage.text[slice(*wording.span)]):
                yield passage.hit("Add evidence of who says so, or a label such as #ad.", wording.span)


RULES = (testimonial,)


def _is_labelled(draft: Draft) -> bool:
    return any(
        find_in_any("ad-label", f"#{passage.text.lstrip('#')}" if passage.slot is None else passage.text)
        for passage in draft.passages
    )


def _is_backed(draft: Draft, quote: str) -> bool:
    """Whether the evidence speaks of customers, ratings or the press, or names whom the copy names."""
    evidence = "\n".join(draft.product.evidence) if draft.product else ""
    named = [word.strip(".,!?:;\"'\u201c\u201d\u201e\u00ab\u00bb") for word in quote.split()]
    shared = any(word[:1].isupper() and len(word) >= _A_NAME and word in evidence for word in named)
    return shared or bool(find_in_any("opinion", evidence))


_A_NAME = 4
