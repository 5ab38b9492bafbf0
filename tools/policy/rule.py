"""What a rule is, what it looks at, and what it finds."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import islice
from typing import Any, Literal

import regex  # type: ignore[import-untyped]  # it ships no stubs

from tools.placements import Placement, Slot

Severity = Literal["info", "warn", "block"]
Span = tuple[int, int]
HASHTAGS = "hashtags"
MOST = 100
"""How often a rule speaks of one placement's texts; who broke it so often knows by then."""

INSERTING = ("google", "microsoft")
"""Platforms that fill a keyword, a place or a countdown into a text."""

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
    """What a rule's function finds, and where; source and severity only where they differ from the rule's own."""

    field: str
    index: int | None
    span: Span | None
    quote: str
    message: str
    suggestion: str | None = None
    source: str | None = None
    severity: Severity | None = None


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

    @cached_property
    def plain(self) -> str:
        """The text with addresses, handles and hashtags blanked; every span stays where it is."""
        return self._blanked(_TAGS, self.spelled)

    @cached_property
    def spelled(self) -> str:
        """The text with addresses and what the platform inserts blanked, handles and hashtags as they are."""
        inserts = self.placement.platform in INSERTING
        text = self._blanked(INSERTION, self.text) if inserts and "{" in self.text else self.text
        return self._blanked(_ADDRESS, text)

    @staticmethod
    def _blanked(pattern: "regex.Pattern[str]", text: str) -> str:
        blanked: str = pattern.sub(lambda found: _BLANK * len(found[0]), text)
        return blanked

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
    facts_language: str | None = None
    """The language of the client's facts; None where nobody knows it."""

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

    @cached_property
    def own_words(self) -> frozenset[str]:
        """Every word of the client, written as the client writes it."""
        return frozenset(_WORD.findall("\n".join(self.product.texts if self.product else ())))

    @cached_property
    def name_words(self) -> frozenset[str]:
        """The words of the product's name."""
        return frozenset(_WORD.findall(self.product.name if self.product else ""))

    def says(self, words: str) -> bool:
        """Whether the client says `words` too, in any case."""
        facts = "\n".join(self.product.texts if self.product else ())
        return bool(words) and words.casefold() in facts.casefold()

    def is_name(self, text: str, span: Span) -> bool:
        """Whether `span` lies inside the product's name, written as the client writes it."""
        name, (start, end) = self.product.name if self.product else "", span
        at = text.find(name, max(0, end - len(name)), start + len(name)) if name else -1
        while at >= 0:
            if _is_whole(text, at, at + len(name)):
                return True
            at = text.find(name, at + 1, start + len(name))
        return False


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
    spares_name: bool = False
    """Whether what stands inside the product's name is left alone."""

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
        for hit in islice(self.look(draft), MOST):
            if self.spares_name and self._is_name(draft, hit):
                continue
            yield Finding(
                rule=self.id,
                severity=hit.severity or self.severity_on(platform),
                placement=draft.placement.id,
                field=hit.field,
                index=hit.index,
                span=hit.span,
                quote=hit.quote,
                message=hit.message,
                suggestion=hit.suggestion,
                source=hit.source or self.source,
            )

    @staticmethod
    def _is_name(draft: Draft, hit: Hit) -> bool:
        text = next((one.text for one in draft.passages if (one.field, one.index) == (hit.field, hit.index)), "")
        return hit.span is not None and draft.is_name(text, hit.span)


def rule(
    name: str,
    severity: Severity,
    *,
    source: str = HOUSE,
    platforms: Sequence[str] = (),
    blocks_on: Sequence[str] = (),
    languages: Sequence[str] = (),
    spares_name: bool = False,
) -> Callable[[Look], Rule]:
    """Make a rule of a function; its docstring's first line says what it asks for."""

    def made(look: Look) -> Rule:
        where = frozenset(platforms), frozenset(blocks_on), frozenset(languages)
        return Rule(name, severity, look, source, *where, spares_name)

    return made


def about_field(field: str, message: str, index: int | None = None, *, source: str | None = None) -> Hit:
    """Find something about a field as a whole, which has no span."""
    return Hit(field, index, None, "", message, None, source)


def _is_whole(text: str, start: int, end: int) -> bool:
    """Whether no word runs over either edge."""
    runs_in = start > 0 and text[start].isalnum() and text[start - 1].isalnum()
    return not runs_in and not (end < len(text) and text[end - 1].isalnum() and text[end].isalnum())


# A character of private use: no rule takes it for a letter, a sign or a space.
INSERTION = regex.compile(
    r"(?i)\{(?:KeyWord|Param\d|CUSTOMIZER|COUNTDOWN|GLOBAL_COUNTDOWN|LOCATION|IF|AD_PARAM"
    r"|=\s*(?:IF|COUNTDOWN|GLOBAL_COUNTDOWN|CUSTOMIZER))"
    r"\b[^{}]*\}|\{=?[A-Za-z]\w*\.[A-Za-z]\w*(?::[^{}]*)?\}"
)
_BLANK = "\ue000"
_ENDS = (
    "com|net|org|info|shop|store|app|dev|io|ai|co|eu|uk"
    "|de|at|ch|fr|es|it|pt|br|nl|be|jp|us|ca|mx|example|test|tv|me"
)
_ADDRESS = regex.compile(
    r"(?:https?://|www\.)\S+"
    r"|(?<![\w.+@-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+"
    rf"|(?<![\w.@-])(?:[\p{{L}}\p{{N}}-]{{1,63}}\.){{1,4}}(?:{_ENDS})(?:/\S*)?(?!\w)",
    regex.IGNORECASE,
)
_WORD = regex.compile(r"[\p{L}\p{M}\p{N}$@!]+(?<!!)|[\p{L}\p{M}]+")
_TAGS = regex.compile(r"(?<![\w@])@[\w.]{2,30}|(?<![\w&/])[#\uff03](?=[\p{Nd}_]*\p{L})[\p{L}\p{M}\p{Nd}_]+")
