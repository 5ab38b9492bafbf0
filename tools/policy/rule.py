"""What a rule is, what it looks at, and what it finds."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal

from tools.placements import Placement, Slot

Severity = Literal["info", "warn", "block"]
Span = tuple[int, int]
HASHTAGS = "hashtags"
HOUSE = "house"
"""The source of a rule that no platform publishes and that we hold to all the same."""


@dataclass(frozen=True)
class ProductFacts:
    """What the client says of the product: the only ground for a number or a superlative."""

    name: str
    features: Sequence[str] = ()
    description: str | None = None
    evidence: Sequence[str] = ()

    @property
    def texts(self) -> tuple[str, ...]:
        """Every sentence of the client, the name first."""
        return (self.name, *self.features, self.description or "", *self.evidence)


@dataclass(frozen=True)
class Finding:
    """One remark; span is [start, end) in code points of the text, and suggestion replaces the quote."""

    rule: str
    severity: Severity
    placement: str
    field: str
    index: int | None
    span: Span | None
    quote: str
    message: str
    suggestion: str | None
    source: str

    def as_json(self) -> dict[str, Any]:
        """Return the finding as the API shows it."""
        return {**asdict(self), "span": list(self.span) if self.span else None}


@dataclass(frozen=True)
class Hit:
    """What a rule's function finds, and where; a source only where it differs from the rule's own."""

    field: str
    index: int | None
    span: Span | None
    quote: str
    message: str
    suggestion: str | None = None
    source: str | None = None


@dataclass(frozen=True)
class Passage:
    """One text where it stands; slot is None for a hashtag and for a field that the placement lacks."""

    placement: Placement
    field: str
    index: int
    text: str

    @property
    def slot(self) -> Slot | None:
        """The slot that the text is written for."""
        return self.placement.slot(self.field)

    def hit(
        self, message: str, span: Span | None = None, suggestion: str | None = None, *, source: str | None = None
    ) -> Hit:
        """Find something in a span, or in the whole text."""
        start, end = span or (0, len(self.text))
        quote = self.text[start:end]
        return Hit(self.field, self.index, (start, end), quote, message, suggestion, source)


@dataclass(frozen=True)
class Draft:
    """All the texts of one placement, and what is known beside them."""

    placement: Placement
    texts: Mapping[str, Sequence[str]]
    hashtags: Sequence[str]
    language: str = "en"
    product: ProductFacts | None = None

    @cached_property
    def passages(self) -> tuple[Passage, ...]:
        """Every text of every slot, then every hashtag."""
        return tuple(
            Passage(self.placement, name, index, text)
            for name, texts in (*self.texts.items(), (HASHTAGS, self.hashtags))
            for index, text in enumerate(texts)
        )

    @cached_property
    def lines(self) -> tuple[Passage, ...]:
        """Every text of every slot, hashtags apart."""
        return tuple(passage for passage in self.passages if passage.field != HASHTAGS)

    @property
    def spoken(self) -> str:
        """The language without its region: `pt` for pt-BR."""
        return self.language.casefold().replace("_", "-").split("-")[0]


Look = Callable[[Draft], Iterator[Hit]]


@dataclass(frozen=True)
class Rule:
    """A look at a draft, what its findings are called, how bad they are, and who says so."""

    id: str
    severity: Severity
    look: Look
    source: str = HOUSE
    platforms: frozenset[str] = frozenset()
    """Where the rule holds; everywhere when empty."""
    blocks_on: frozenset[str] = frozenset()
    """Platforms that refuse what others only dislike."""
    languages: frozenset[str] = frozenset()
    """Languages that the rule knows; all when empty."""

    @property
    def about(self) -> str:
        """What the rule asks for, in a sentence."""
        return (self.look.__doc__ or "").split("\n", 1)[0]

    def severity_on(self, platform: str) -> Severity:
        """How bad a finding is there."""
        return "block" if platform in self.blocks_on else self.severity

    def __call__(self, draft: Draft) -> Iterator[Finding]:
        """What is found in `draft`; nothing where the rule does not hold."""
        platform = draft.placement.platform
        if (self.platforms and platform not in self.platforms) or (
            self.languages and draft.spoken not in self.languages
        ):
            return
        for hit in self.look(draft):
            yield Finding(
                rule=self.id,
                severity=self.severity_on(platform),
                placement=draft.placement.id,
                field=hit.field,
                index=hit.index,
                span=hit.span,
                quote=hit.quote,
                message=hit.message,
                suggestion=hit.suggestion,
                source=hit.source or self.source,
            )


def rule(
    name: str,
    severity: Severity,
    *,
    source: str = HOUSE,
    platforms: Sequence[str] = (),
    blocks_on: Sequence[str] = (),
    languages: Sequence[str] = (),
) -> Callable[[Look], Rule]:
    """Make a rule of a function; its docstring's first line says what it asks for."""

    def made(look: Look) -> Rule:
        return Rule(name, severity, look, source, frozenset(platforms), frozenset(blocks_on), frozenset(languages))

    return made


def about_field(field: str, message: str, index: int | None = None, *, source: str | None = None) -> Hit:
    """Find something about a field as a whole, which has no span."""
    return Hit(field, index, None, "", message, None, source)
