"""What rules say of a campaign's texts, without a model: limits, policy, claims, faithful translation."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

from agents import translator
from agents.copywriter import CAMPAIGN, line
from graph.desks import spoken_for
from graph.state import JSON, Order
from tools.claims import trace
from tools.fidelity import Slip
from tools.lint import lint
from tools.policy import promises
from tools.policy.rule import HASHTAGS, HOUSE, Finding, ProductFacts

UNFIT = frozenset(
    {
        "unknown-slot", "too-few-texts", "too-many-texts", "empty-text", "over-hard-limit", "too-many-hashtags",
        "malformed-hashtag", "control-character",
    }
)  # fmt: skip
"""Rules that no approval can set aside, because the platform itself refuses what breaks them."""

PRODUCT = "product"
"""The field of a finding that is about what the client says of the product."""

Copy = Mapping[str, JSON]
_Texts = tuple[tuple[str, tuple[str, ...]], ...]


def findings(copy: Copy, order: Order, language: str, *, source: Copy | None = None) -> list[JSON]:
    """What the rules say of every text of `copy`, in `language` (BCP 47) and translated from `source` if given."""
    found = [one for name, slots in copy.items() for one in _linted(name, slots, order, language)]
    if source is not None:
        found += _slips(copy, source, order, language)
    return [one.as_json() for one in found]


def forbidden(order: Order) -> list[JSON]:
    """What the client says of the product and nobody may advertise, however a writer gets round it."""
    facts = order.product.facts()
    texts = {_FACTS.slots[0].name: [text for text in facts.texts if text]}
    found = lint(_FACTS, texts, language=order.source_language, product=facts, rules=promises.RULES)
    return blocking(replace(one, placement=CAMPAIGN.id, field=PRODUCT).as_json() for one in found)


def blocking(found: Iterable[JSON]) -> list[JSON]:
    """Those of `found` that must not be published."""
    return [finding for finding in found if finding["severity"] == "block"]


def unfit(found: Iterable[JSON]) -> list[JSON]:
    """Those of `found` that a platform's own machine refuses, so that nobody can approve them."""
    return [finding for finding in found if finding["rule"] in UNFIT and finding["severity"] == "block"]


def claims(copy: Copy, order: Order, language: str) -> list[JSON]:
    """The claims ledger: each claim of `copy`, where it stands, and what the client says that backs it."""
    facts = order.product.facts()
    return [
        {"placement": name, "field": field, "index": index, **claim.as_json()}
        for name, field, index, text in _every(copy)
        for claim in trace(text, facts, language=language, facts_language=order.source_language)
    ]


def glossary(order: Order, language: str) -> Mapping[str, str]:
    """The terms that `language` must translate in a certain way; those of pt hold for pt-BR."""
    own = order.glossary.get(language, {})
    return {**order.glossary.get(language.partition("-")[0], {}), **own}


def _linted(name: str, slots: JSON, order: Order, language: str) -> Iterator[Finding]:
    texts = tuple((field, tuple(lines)) for field, lines in slots.items())
    for finding in _lint(name, texts, language, order.product.facts(), order.source_language):
        yield replace(finding, placement=name)


@lru_cache(maxsize=4096)
def _lint(
    name: str, texts: _Texts, language: str, facts: ProductFacts, facts_language: str
) -> tuple[Finding, ...]:
    """The same texts are looked at by whoever wrote them, by the moderation and by the gate."""
    return tuple(
        lint(spoken_for(name), dict(texts), language=language, product=facts, facts_language=facts_language)
    )


def _slips(copy: Copy, source: Copy, order: Order, language: str) -> Iterator[Finding]:
    """Where a translation fails its source, or is in another language than it should be."""
    for name, field, index, text in _every(copy):
        origins: Sequence[str] = source.get(name, {}).get(field, ())
        if index < len(origins):
            slips = translator.slips(
                origins[index],
                text,
                order.product,
                source=order.source_language,
                target=language,
                keep=order.keep,
                glossary=glossary(order, language),
            )
            yield from (_slipped(slip, name, field, index) for slip in slips)


def _slipped(slip: Slip, name: str, field: str, index: int) -> Finding:
    return Finding(
        rule=f"translation-{slip.kind}",
        severity=slip.severity,
        placement=name,
        field=field,
        index=index,
        span=slip.span,
        quote=slip.quote,
        message=slip.message,
        suggestion=slip.suggestion,
        source=HOUSE,
    )


_FACTS = replace(CAMPAIGN, slots=(line(PRODUCT, "chars", hard=2000, soft=2000, least=0, most=30),))


def _every(copy: Copy) -> Iterator[tuple[str, str, int, str]]:
    """Each text with its desk, field and index; hashtags apart."""
    for name, slots in copy.items():
        for field, lines in slots.items():
            if field != HASHTAGS:
                for index, text in enumerate(lines):
                    yield name, field, index, text
