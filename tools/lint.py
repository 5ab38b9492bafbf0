"""What a program can say about a placement's texts without a model: the first layer of moderation."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from tools.placements import Placement
from tools.policy import claims, disclosure, editorial, finish, form, letters, people, promises, safety
from tools.policy.rule import HASHTAGS, Draft, Finding, ProductFacts, Rule

RULES: tuple[Rule, ...] = (
    *form.RULES,
    *finish.RULES,
    *editorial.RULES,
    *letters.RULES,
    *people.RULES,
    *promises.RULES,
    *disclosure.RULES,
    *safety.RULES,
    *claims.RULES,
)


def lint(
    placement: Placement,
    texts: Mapping[str, Sequence[str]],
    hashtags: Sequence[str] = (),
    *,
    language: str = "en",
    product: ProductFacts | None = None,
    facts_language: str | None = None,
    rules: Sequence[Callable[[Draft], Iterator[Finding]]] = RULES,
) -> list[Finding]:
    """Check the texts by every rule, in the rules' order; raises for no text, whatever it holds."""
    slots = {name: _listed(given) for name, given in texts.items() if name != HASHTAGS}
    tags = (*_listed(hashtags), *_listed(texts.get(HASHTAGS, ())))
    draft = Draft(placement, slots, tags, language, product, facts_language)
    return [finding for rule in rules for finding in rule(draft)]


def _listed(given: Sequence[str]) -> tuple[str, ...]:
    """Take one text for a list of one; a str would be a sequence of its letters."""
    return (given,) if isinstance(given, str) else tuple(given)
