"""What a program can say about a placement's texts without a model: the first layer of moderation.

A rule is a pure function from the texts of a placement to findings. More of the same shape can be handed to
lint(); none reads a file, a clock or a network.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from functools import cached_property, wraps
from typing import Any, Literal

import regex  # type: ignore[import-untyped]  # it ships no stubs

from tools.counting import measure, shorten
from tools.languages import decimal_mark, numerals
from tools.placements import Placement, Slot

Severity = Literal["info", "warn", "block"]
Span = tuple[int, int]
HASHTAGS = "hashtags"


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

    @property
    def english(self) -> bool:
        """Whether the rules that know English words apply."""
        return self.language.casefold().split("-")[0] == "en"


@dataclass(frozen=True)
class Check:
    """What a rule is called, how bad a finding of it is, and who says so."""

    rule: str
    severity: Severity
    source: str = "house"

    def on(
        self, passage: Passage, message: str, span: Span | None = None, suggestion: str | None = None
    ) -> Finding:
        """Find something in a span, or in the whole text."""
        start, end = span or (0, len(passage.text))
        at = (passage.placement.id, passage.field, passage.index, (start, end), passage.text[start:end])
        return Finding(self.rule, self.severity, *at, message, suggestion, self.source)

    def about(self, draft: Draft, field: str, message: str, index: int | None = None) -> Finding:
        """Find something about a field as a whole, which has no span."""
        at = (draft.placement.id, field, index, None, "")
        return Finding(self.rule, self.severity, *at, message, None, self.source)

    def blocking(self, *, when: bool) -> "Check":
        """Raise the severity where a platform refuses what others only dislike."""
        return replace(self, severity="block") if when else self


Rule = Callable[[Draft], Iterator[Finding]]


def each_text(rule: Callable[[Passage], Iterator[Finding]]) -> Rule:
    """Make a rule of a function that looks at one text of a slot at a time."""

    @wraps(rule)
    def over_all(draft: Draft) -> Iterator[Finding]:
        for passage in draft.passages:
            if passage.field != HASHTAGS:
                yield from rule(passage)

    return over_all


def slot_counts(draft: Draft) -> Iterator[Finding]:
    """Every slot holds min to max texts, and there is no other field."""
    unknown = Check("unknown-slot", "block")
    few, many = Check("too-few-texts", "block"), Check("too-many-texts", "block")
    known = {slot.name: slot for slot in draft.placement.slots}
    for name in draft.texts:
        if name not in known:
            yield unknown.about(draft, name, f"{draft.placement.id} has no slot {name}; it has {_and(known)}.")
    for name, slot in known.items():
        given = len(draft.texts.get(name, ()))
        held = f"{name} takes {slot.min} to {slot.max} texts and was given {given}."
        if given < slot.min:
            yield few.about(draft, name, held)
        if given > slot.max:
            yield many.about(draft, name, held, index=slot.max)


@each_text
def empty_text(passage: Passage) -> Iterator[Finding]:
    """A text holds something that can be seen."""
    if not _VISIBLE.search(passage.text):
        yield Check("empty-text", "block").on(passage, f"{passage.field} {passage.index + 1} is empty.")


@each_text
def length(passage: Passage) -> Iterator[Finding]:
    """A text is no longer than the platform takes, and better no longer than it shows."""
    slot = passage.slot
    if slot is None:
        return
    measured = measure(passage.text, slot.rule)
    said = f"{passage.field} measures {measured} by {slot.rule}"
    source = slot.source.url or slot.source.id
    if slot.hard is not None and measured > slot.hard:
        short = shorten(passage.text, slot.hard, slot.rule)
        message = f"{said}; {passage.placement.title} takes at most {slot.hard}."
        yield Check("over-hard-limit", "block", source).on(passage, message, suggestion=short or None)
    elif slot.soft is not None and measured > slot.soft:
        message = f"{said}; {passage.placement.title} shows about {slot.soft}."
        yield Check("over-soft-limit", "info", source).on(passage, message)


def hashtag_count(draft: Draft) -> Iterator[Finding]:
    """Listed hashtags and those inside the texts are, taken together, not too many."""
    inline = (tag for passage in draft.passages if passage.slot for tag in _INLINE_TAG.findall(passage.text))
    tags = {tag.lstrip("#\uff03").casefold() for tag in (*draft.hashtags, *inline)}
    most = draft.placement.max_hashtags
    if len(tags) > most:
        known = draft.placement.hashtags
        source = (known.source.url or known.source.id) if known else "house"
        message = f"{draft.placement.title} takes {most} hashtags; list and texts have {len(tags)}."
        yield Check("too-many-hashtags", "block", source).about(draft, HASHTAGS, message, index=most)


def hashtag_room(draft: Draft) -> Iterator[Finding]:
    """The text that the hashtags are published with leaves room for them."""
    tags = draft.placement.hashtags
    slot = draft.placement.slot(tags.slot) if tags and draft.hashtags else None
    if slot is None or slot.hard is None:
        return
    listed = " ".join(f"#{tag.lstrip('#')}" for tag in draft.hashtags)
    for passage in draft.passages:
        if passage.field == slot.name and measure(passage.text, slot.rule) <= slot.hard:
            together = measure(f"{passage.text} {listed}", slot.rule)
            if together > slot.hard:
                message = f"With its hashtags {slot.name} measures {together} by {slot.rule}, over {slot.hard}."
                yield Check("no-room-for-hashtags", "warn", slot.source.url).on(passage, message)


def hashtag_form(draft: Draft) -> Iterator[Finding]:
    """A hashtag is letters, digits and underscores with a letter among them."""
    check = Check("malformed-hashtag", "block", "https://help.x.com/en/using-x/how-to-use-hashtags")
    for passage in draft.passages:
        if passage.field == HASHTAGS and not _TAG.fullmatch(passage.text):
            cleaned = "#" + _NOT_IN_TAG.sub("", passage.text)
            message = "A hashtag is one word of letters, digits and underscores, with a letter among them."
            yield check.on(passage, message, suggestion=cleaned if _TAG.fullmatch(cleaned) else None)


def control_characters(draft: Draft) -> Iterator[Finding]:
    """No character changes the order or the fate of the text unseen; a line may break where lines may be."""
    check = Check("control-character", "block", "https://www.unicode.org/reports/tr36/")
    for passage in draft.passages:
        one_line = passage.slot is None or passage.slot.rule == "display_width"
        for found in (_CONTROL_OR_BREAK if one_line else _CONTROL).finditer(passage.text):
            codes = " ".join(f"U+{ord(char):04X}" for char in found[0][:4])
            suggestion = " " if found[0].isspace() else ""
            yield check.on(passage, f"{codes} must not stand in a text.", found.span(), suggestion)


@each_text
def repeated_punctuation(passage: Passage) -> Iterator[Finding]:
    """One mark is enough."""
    check = Check("repeated-punctuation", "warn", "https://support.google.com/adspolicy/answer/14847994")
    check = check.blocking(when=passage.placement.platform in {"google", "microsoft"})
    for found in _REPEATED.finditer(passage.text):
        yield check.on(passage, f"Write {found[0][0]} once.", found.span(), found[0][0])


@each_text
def headline_exclamation(passage: Passage) -> Iterator[Finding]:
    """No exclamation mark in a headline of Google's."""
    check = Check("headline-exclamation", "block", "https://support.google.com/adspolicy/answer/176095")
    if passage.placement.platform == "google" and "headline" in passage.field:
        for found in _EXCLAMATION.finditer(passage.text):
            yield check.on(passage, "Google takes no exclamation mark in a headline.", found.span(), "")


def capitals(draft: Draft) -> Iterator[Finding]:
    """Words of four letters and more are not shouted, unless the client or everybody writes them so."""
    check = Check("all-caps", "warn", "https://support.google.com/adspolicy/answer/14848295")
    check = check.blocking(when=draft.placement.platform == "google")
    facts = " ".join(draft.product.texts) if draft.product else ""
    allowed = {*_WORD.findall(facts), *_ACRONYMS.split()}
    for passage in draft.passages:
        for found in _SHOUTED.finditer(passage.text if passage.field != HASHTAGS else ""):
            if found[0] not in allowed:
                message = f"Write {found[0]} in small letters."
                yield check.on(passage, message, found.span(), found[0].capitalize())


@each_text
def order_to_a_model(passage: Passage) -> Iterator[Finding]:
    """Copy speaks to people: an order to a language model among the product's facts is not printed."""
    for found in _ORDER.finditer(passage.text):
        message = "This is an order to a language model, not advertising; take it out of the product's facts."
        yield Check("order-to-a-model", "block").on(passage, message, found.span())


def claim_number(draft: Draft) -> Iterator[Finding]:
    """Every number of the copy stands in the product's own words; number words are not looked for."""
    if draft.product is None:
        return
    check = Check("claim-number", "block")
    known = _known_numbers(draft.product)
    for passage in draft.passages:
        text = _blanked(_ADDRESS, passage.text)
        text = _blanked(_FIRST, text) if draft.english else text
        for numeral in numerals(text, decimal=decimal_mark(draft.language)):
            if not any(values <= known for values in numeral.readings):
                message = f"{text[numeral.start : numeral.end]} is not in what is known of the product."
                yield check.on(passage, message, (numeral.start, numeral.end))


def claim_superlative(draft: Draft) -> Iterator[Finding]:
    """A promise beyond proof needs evidence or a feature that says it; English only."""
    check = Check("claim-superlative", "warn", "https://support.google.com/adspolicy/answer/6020955")
    facts = draft.product or ProductFacts("")
    ground = "\n".join((*facts.features, *facts.evidence))
    claims = [claim for claim in _SUPERLATIVES if not claim.search(ground)] if draft.english else []
    name = regex.compile(regex.escape(facts.name or "\n"), regex.IGNORECASE)
    for passage in draft.passages:
        text = _blanked(name, passage.text)
        for found in (found for claim in claims for found in claim.finditer(text)):
            yield check.on(passage, f"No evidence says {found[0]!r} of the product.", found.span())


RULES: tuple[Rule, ...] = (
    slot_counts,
    empty_text,
    length,
    hashtag_count,
    hashtag_room,
    hashtag_form,
    control_characters,
    repeated_punctuation,
    headline_exclamation,
    capitals,
    order_to_a_model,
    claim_number,
    claim_superlative,
)


def lint(
    placement: Placement,
    texts: Mapping[str, Sequence[str]],
    hashtags: Sequence[str] = (),
    *,
    language: str = "en",
    product: ProductFacts | None = None,
    rules: Sequence[Rule] = RULES,
) -> list[Finding]:
    """Check the texts by every rule, in the rules' order; raises for no text, whatever it holds."""
    slots = {name: _listed(given) for name, given in texts.items() if name != HASHTAGS}
    tags = (*_listed(hashtags), *_listed(texts.get(HASHTAGS, ())))
    draft = Draft(placement, slots, tags, language, product)
    return [finding for rule in rules for finding in rule(draft)]


def _listed(given: Sequence[str]) -> tuple[str, ...]:
    """Take one text for a list of one; a str would be a sequence of its letters."""
    return (given,) if isinstance(given, str) else tuple(given)


def _and(names: Mapping[str, Slot]) -> str:
    return ", ".join(names) or "none"


def _blanked(pattern: "regex.Pattern[str]", text: str) -> str:
    """Overwrite what matches, so that spans stay where they are."""
    blanked: str = pattern.sub(lambda found: "_" * len(found[0]), text)
    return blanked


def _known_numbers(product: ProductFacts) -> frozenset[Decimal]:
    """Every value that the client's digits may stand for in any language, and English number words."""
    facts = "\n".join(product.texts)
    written = [value for found in numerals(facts) for values in found.readings for value in values]
    words = {word.casefold() for word in _WORD.findall(facts)}
    return frozenset(written) | {Decimal(value) for word, value in _NUMBER_WORDS.items() if word in words}


_VISIBLE = regex.compile(r"[^\p{Z}\p{C}\p{Default_Ignorable_Code_Point}]")
_TAG = regex.compile(r"[#\uFF03]?(?=[\p{Nd}_]*\p{L})[\p{L}\p{M}\p{Nd}_\u200C\u200D]{1,100}")
_NOT_IN_TAG = regex.compile(r"[^\p{L}\p{M}\p{Nd}_]")
_INLINE_TAG = regex.compile(r"(?<![\p{L}\p{N}_&/])[#\uFF03](?=[\p{Nd}_]*\p{L})[\p{L}\p{M}\p{Nd}_]+")
_UNSEEN = (
    r"(?:(?![\r\n])[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Noncharacter_Code_Point}"
    r"\u202A-\u202E\u2066-\u2069\uFEFF\uFFFD])+|\r(?!\n)"
)
_CONTROL = regex.compile(_UNSEEN)
_CONTROL_OR_BREAK = regex.compile(rf"{_UNSEEN}|[\r\n]+")
_REPEATED = regex.compile(r"[!?\uFF01\uFF1F\u061F]{2,}")
_EXCLAMATION = regex.compile(r"[!\uFF01]+")
_WORD = regex.compile(r"[\p{L}\p{M}]+")
_ORDER = regex.compile(
    r"(?i)\b(?:ignore|disregard|forget|override)\b.{0,24}\b(?:previous|prior|above|earlier|system)\b"
    r".{0,24}\b(?:instructions?|prompts?|rules?|messages?)\b"
)
_SHOUTED = regex.compile(r"(?<![\p{L}\p{M}\p{N}_#@])(?:\p{Lu}\p{M}*){4,}(?![\p{L}\p{M}\p{N}_])")
_ADDRESS = regex.compile(r"(?:https?://|www\.)\S+", regex.IGNORECASE)
_FIRST = regex.compile(r"(?:#|no\.?)\s?1(?![\p{L}\p{Nd}])", regex.IGNORECASE)
_SUPERLATIVES = tuple(
    regex.compile(rf"(?<![\p{{L}}\p{{N}}])(?:{claim})(?![\p{{L}}\p{{Nd}}])", regex.IGNORECASE)
    for claim in (
        r"guarantee[ds]?",
        r"miracles?|miraculous(?:ly)?",
        r"risk[-\s]free",
        r"(?:#|no\.?)\s?1|number[-\s]one",
        r"best",
    )
)
_ACRONYMS = (
    "ASAP BIPOC FIFA GDPR GMBH HDMI HEPA IEEE ISBN LGBTQ LIDAR LTPO NASA NATO NVME OLED QLED RSVP SATA UEFA "
    "UNESCO UNICEF YMCA"
)
_UNITS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen twenty"
)
_TENS = {"thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "hundred": 100, "thousand": 1000}
_NUMBER_WORDS = {word: value for value, word in enumerate(_UNITS.split())} | _TENS
