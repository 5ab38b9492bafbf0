"""Whether a translation holds: what must not change in it has not, and it is written as its language is."""

import tomllib
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property, lru_cache
from importlib.resources import files
from itertools import islice
from types import MappingProxyType
from typing import Literal

import regex  # type: ignore[import-untyped]  # it ships no stubs

from tools import verbatim
from tools.figures import TEN, Figure, Reading, figures, says, unmatched
from tools.languages import LANGUAGES, Language, UnknownLanguage
from tools.languages import language as language_of
from tools.policy.rule import Severity, Span
from tools.quantities import PLAIN, Quantity, cut, quantities
from tools.spoken import base

Kind = Literal[
    "number",
    "unit",
    "price",
    "url",
    "placeholder",
    "hashtag",
    "emoji",
    "term",
    "glossary",
    "untranslated",
    "direction",
    "script",
    "language",
]


@dataclass(frozen=True)
class Slip:
    """Where a translation fails its source; span is in the translation, None where something is missing."""

    kind: Kind
    span: Span | None
    quote: str
    message: str
    suggestion: str | None = None
    severity: Severity = "block"


def compare(
    source: str,
    target: str,
    *,
    source_language: str,
    target_language: str,
    keep: Sequence[str] = (),
    glossary: Mapping[str, str] = MappingProxyType({}),
) -> list[Slip]:
    """Return what is lost, added or changed in `target`, check by check; raises for no text.

    `keep` are terms that stay as they are written, `glossary` the translation that a term must have. Of a text's
    figures the first MOST_FIGURES are compared; a person is asked to see to the rest.
    """
    terms = tuple(keep)
    ours = _remembered(source, source_language, terms)
    pair = Pair(ours, Text(target, target_language, terms), terms, glossary)
    return [slip for check in CHECKS for slip in check(pair)]


MOST_FIGURES = 300
"""A text with more of them is no ad, and reading it would keep others waiting."""


@dataclass(frozen=True)
class Text:
    """One side of a translation, and what stands in it, each thing found once."""

    text: str
    language: str
    keep: tuple[str, ...]

    @cached_property
    def addresses(self) -> Sequence[Span]:
        """Where the addresses are."""
        return tuple(verbatim.addresses(self.text))

    @cached_property
    def placeholders(self) -> Sequence[Span]:
        """Where the slots are, outside addresses."""
        return tuple(verbatim.placeholders(self.unaddressed))

    @cached_property
    def hashtags(self) -> Sequence[Span]:
        """Where the hashtags are, outside addresses and slots."""
        return tuple(verbatim.hashtags(self.exact))

    @cached_property
    def emoji(self) -> Sequence[Span]:
        """Where the emoji are."""
        return tuple(verbatim.emoji(self.text))

    @cached_property
    def unaddressed(self) -> str:
        """The text without addresses."""
        return verbatim.masked(self.text, self.addresses)

    @cached_property
    def exact(self) -> str:
        """The text without addresses and slots."""
        return verbatim.masked(self.unaddressed, self.placeholders)

    @cached_property
    def tagless(self) -> str:
        """The text without addresses, slots and hashtags."""
        return verbatim.masked(self.exact, self.hashtags)

    @cached_property
    def plain(self) -> str:
        """The text without what is copied as it is, hashtags and emoji among it."""
        text = verbatim.masked(self.tagless, verbatim.emoji(self.tagless))
        return verbatim.masked(text, verbatim.terms(text, self.keep))

    @cached_property
    def words(self) -> str:
        """The words that are some language's own."""
        return verbatim.words(verbatim.masked(self.tagless, verbatim.terms(self.tagless, self.keep)))

    @cached_property
    def read(self) -> str:
        """As much of `plain` as is read for figures."""
        return self.plain[: cut(self.plain, language=self.language, most=MOST_FIGURES)]

    @cached_property
    def figures(self) -> list[Figure]:
        """The figures, tags and kept terms apart."""
        return figures(self.read, self.language)

    @cached_property
    def quantities(self) -> tuple[Quantity, ...]:
        """All amounts, those that words say among them."""
        return quantities(self.read, language=self.language)

    @cached_property
    def measured(self) -> dict[Figure, Quantity]:
        """What figures measure, where they measure something."""
        found = iter(self.quantities if self.figures else ())
        measured, quantity = dict[Figure, Quantity](), next(found, None)
        for figure in self.figures:
            while quantity and quantity.end <= figure.start:
                quantity = next(found, None)
            if quantity and quantity.start < figure.end and quantity.kind in _MEASURES:
                measured[figure] = quantity
        return measured

    @cached_property
    def values(self) -> frozenset[Decimal]:
        """What the amounts count, in digits or in words."""
        return frozenset(
            value
            for one in self.quantities
            for dimension, value in one.implied
            if isinstance(value, Decimal) and (one.kind != "unit" or dimension == PLAIN)
        )

    def written(self, figure: Figure) -> str:
        """A figure with its unit as it is written."""
        measure = self.measured.get(figure)
        start, end = (min(measure.start, figure.start), max(measure.end, figure.end)) if measure else (0, 0)
        return self.text[start:end] if measure else self.text[figure.start : figure.end]

    @cached_property
    def known(self) -> Language | None:
        """The entry of the table; the base language's where the code is unknown and names no script."""
        try:
            return language_of(self.language)
        except UnknownLanguage:
            scripted = any(len(part) == _SCRIPT_CODE for part in regex.split("[-_]", self.language)[1:])
            return None if scripted else LANGUAGES.get(base(self.language))


def _remembered(text: str, language: str, keep: tuple[str, ...]) -> Text:
    """A source, which is compared with its translations into every language of a campaign."""
    return _source(text, language, keep) if len(text) <= _LONGEST_REMEMBERED else Text(text, language, keep)


@lru_cache(maxsize=256)
def _source(text: str, language: str, keep: tuple[str, ...]) -> Text:
    return Text(text, language, keep)


@dataclass(frozen=True)
class Pair:
    """A source, its translation, and the terms that bind the translator."""

    source: Text
    target: Text
    keep: tuple[str, ...]
    glossary: Mapping[str, str]

    def slip(self, kind: Kind, message: str, span: Span | None = None, **more: str | None) -> Slip:
        """Find something in a span of the translation, or something that is missing from it."""
        quote = self.target.text[slice(*span)] if span else ""
        return Slip(kind, span, quote, message, more.get("suggestion"))


Quoted = Sequence[tuple[str, Span]]
Check = Callable[[Pair], Iterator[Slip]]


def numbers(pair: Pair) -> Iterator[Slip]:
    """Every number of the source is in the translation by value, and no other is."""
    lost, added = _apart(pair.source, pair.target), _apart(pair.target, pair.source)
    plain = [figure for figure, worded in lost if worded is False]
    for figure, worded in added:
        written, span = pair.target.written(figure), (figure.start, figure.end)
        if worded is None:
            yield _noted(pair.slip("number", f"The source has no {written} in digits; see that it says so.", span))
        elif worded is False and plain:
            meant = plain.pop(0)
            told = f"The source says {pair.source.written(meant)}, not {written}."
            yield pair.slip(_figure_kind(pair, meant, figure), told, span, suggestion=_copied_figure(pair, meant))
        elif worded is False:
            measure = pair.target.measured.get(figure)
            is_price = measure is not None and measure.kind == "price"
            yield pair.slip(
                "price" if is_price else "number", f"The source does not say {written}: leave it out.", span
            )
    for figure in plain:
        told = f"The source says {pair.source.written(figure)}, which is missing: put it in."
        yield pair.slip(_figure_kind(pair, figure), told)
    for written in (pair.source.written(figure) for figure, worded in lost if worded is not False):
        yield _noted(pair.slip("number", f"The source says {written}; see that the words say the same."))
    unread = next((side for side in (pair.target, pair.source) if side.read != side.plain), None)
    if unread:
        rest = (len(unread.read), len(unread.plain)) if unread is pair.target else None
        told = f"This holds more than {MOST_FIGURES} figures: see that the others are the same."
        yield _noted(pair.slip("number", told, rest))


def measures(pair: Pair) -> Iterator[Slip]:
    """A number that both sides have keeps its unit, its currency or its percent sign."""
    theirs = _by_reading(pair.target.figures)
    for figure, quantity in pair.source.measured.items():
        same = _alike(figure, theirs)
        if not same or any(
            one.timed or one.joined or _agree(quantity, pair.target.measured.get(one)) for one in same
        ):
            continue
        kind: Kind = "price" if quantity.kind == "price" else "unit"
        other = next((one for one in same if one in pair.target.measured and _certain(pair.target, one)), None)
        said = pair.source.written(figure)
        if other:
            found = pair.target.measured[other]
            span = (found.start, found.end)
            yield pair.slip(kind, f"The source says {said}, not {pair.target.written(other)}.", span)
        elif base(pair.target.language) in _UNITS_KNOWN and not any(one in pair.target.measured for one in same):
            slip = pair.slip(kind, f"The source says {said}: say it with its unit.", (same[0].start, same[0].end))
            yield _noted(slip) if quantity.kind == "unit" else slip
    ours = _by_reading(pair.source.figures)
    for figure, quantity in pair.target.measured.items():
        same = _alike(figure, ours)
        if quantity.kind == "price" and same and _says_no_measure(pair.source, same):
            span = (quantity.start, quantity.end)
            yield pair.slip("price", f"The source names no currency with {pair.source.written(same[0])}.", span)


def urls(pair: Pair) -> Iterator[Slip]:
    """Addresses and handles are copied to the letter."""
    source, target = pair.source, pair.target
    yield from _copied(
        pair, "url", "address", _quoted(source, source.addresses), _quoted(target, target.addresses)
    )


def placeholders(pair: Pair) -> Iterator[Slip]:
    """What a program fills in is copied to the letter, as many times."""
    had, has = (_quoted(side, side.placeholders) for side in (pair.source, pair.target))
    yield from _copied(pair, "placeholder", "placeholder", had, has, counted=True)


def hashtags(pair: Pair) -> Iterator[Slip]:
    """There are as many hashtags inside the text as in the source; they may be translated."""
    had, has = len(pair.source.hashtags), pair.target.hashtags
    if had != len(has):
        span = has[-1] if len(has) > had else None
        yield pair.slip(
            "hashtag", f"The source has {had} hashtags in the text, this has {len(has)}: make it {had}.", span
        )


def emoji(pair: Pair) -> Iterator[Slip]:
    """The same emoji stand in both, as often and in the same skin tone."""
    had, has = (_quoted(side, side.emoji) for side in (pair.source, pair.target))
    yield from _copied(pair, "emoji", "emoji", had, has, counted=True)


def terms(pair: Pair) -> Iterator[Slip]:
    """A term that stays as it is stands in the translation when the source uses it; an ending may cling to it."""
    source = pair.source.text
    for term in sorted({term.strip() for term in pair.keep if term.strip()}, key=len, reverse=True):
        used = [found.span() for found in regex.finditer(_clinging(term, 2), source)]
        source = verbatim.masked(source, iter(used))
        if used and not regex.search(_clinging(term, 6), pair.target.text):
            found = regex.search(regex.escape(term), pair.target.text, regex.IGNORECASE)
            message = f"Keep {term!r} as it is written, untranslated."
            yield pair.slip("term", message, found.span() if found else None, suggestion=term if found else None)


def glossary(pair: Pair) -> Iterator[Slip]:
    """A term of the glossary that the source uses is translated as the glossary says; it may be inflected."""
    if not pair.glossary:
        return
    source, target = _folded(pair.source.text), _folded(pair.target.text)
    for term, wanted in pair.glossary.items():
        if not term.strip() or not wanted.strip():
            continue
        if regex.search(_whole(_folded(term)), source) and not regex.search(_inflected(_folded(wanted)), target):
            yield pair.slip("glossary", f"Translate {term!r} as {wanted!r}, as the glossary says.")


def untranslated(pair: Pair) -> Iterator[Slip]:
    """A text of several words is not what the source is, when the languages differ."""
    words = pair.target.words.casefold()
    same = words == pair.source.words.casefold()
    count = len(words.split()) + verbatim.letters(words) // 3 * bool(_DENSE.search(words))
    if same and count >= _LEAST_WORDS and base(pair.source.language) != base(pair.target.language):
        whole = (0, len(pair.target.text))
        yield _noted(
            pair.slip("untranslated", f"This is the source's own text: say it in {_name(pair.target)}.", whole)
        )


def direction(pair: Pair) -> Iterator[Slip]:
    """A right-to-left language is written in its script, and nothing overrides the direction of a text."""
    for found in _OVERRIDE.finditer(pair.target.text):
        yield pair.slip(
            "direction",
            "A character here overrides the direction of the text: remove it.",
            found.span(),
            suggestion="",
        )
    known = pair.target.known
    if known and known.direction == "rtl" and _lacks_its_script(pair.target, known):
        yield pair.slip(
            "direction", f"Write this in {known.english}, from right to left.", (0, len(pair.target.text))
        )


def script(pair: Pair) -> Iterator[Slip]:
    """Most letters are of the script that the language is written in."""
    known = pair.target.known
    if known is None or (known.direction == "rtl" and _lacks_its_script(pair.target, known)):
        return
    if _mostly_foreign(pair.target, known) or _other_han(pair.target, known):
        message = f"Write this in the script of {known.english}, all but names and terms that are kept."
        yield pair.slip("script", message, (0, len(pair.target.text)))


CHECKS: tuple[Check, ...] = (
    numbers,
    measures,
    urls,
    placeholders,
    hashtags,
    emoji,
    terms,
    glossary,
    untranslated,
    direction,
    script,
)


def _noted(slip: Slip) -> Slip:
    """Make a slip a warning: a person should look, the translator need not."""
    return Slip(slip.kind, slip.span, slip.quote, slip.message, slip.suggestion, "warn")


def _apart(ours: Text, theirs: Text) -> list[tuple[Figure, bool | None]]:
    """Return the figures of one side that the other lacks, and whether its words may say them."""
    return [
        (figure, says(theirs.plain, figure.small, theirs.language) if figure.small is not None else False)
        for figure in unmatched(ours.figures, theirs.figures)
        if not figure.proverbial and not (figure.small is None and figure.values <= theirs.values)
    ]


def _by_reading(found: Sequence[Figure]) -> dict[Reading, list[Figure]]:
    table = dict[Reading, list[Figure]]()
    for figure in found:
        for reading in figure.readings:
            table.setdefault(reading, []).append(figure)
    return table


def _alike(figure: Figure, theirs: Mapping[Reading, Sequence[Figure]]) -> Sequence[Figure]:
    """Return the first of the figures that may stand for the same; more of them would tell no more."""
    return [*islice((one for reading in figure.readings for one in theirs.get(reading, ())), _MOST_ALIKE)]


def _figure_kind(pair: Pair, lost: Figure, instead: Figure | None = None) -> Kind:
    """Return what is wrong where a figure of the source is lost: a price, a converted unit, or the number."""
    had = pair.source.measured.get(lost)
    has = pair.target.measured.get(instead) if instead else None
    if had is None or had.kind == "price":
        return "price" if had else "number"
    return (
        "unit" if instead and has and _converted(had, has) and not _near(lost.values, instead.values) else "number"
    )


def _converted(one: Quantity, other: Quantity) -> bool:
    """Return whether two amounts are about the same, whatever their units."""
    theirs = [dict(way) for way in other.ways]
    pairs = [(value, way[name]) for mine in one.ways for name, value in mine for way in theirs if name in way]
    return any(_near({mine}, {theirs}) for mine, theirs in pairs)


def _near(ones: AbstractSet[Decimal | str], others: AbstractSet[Decimal | str]) -> bool:
    one, other = next(iter(ones)), next(iter(others))
    return isinstance(one, Decimal) and isinstance(other, Decimal) and abs(one - other) * TEN <= abs(one)


def _copied_figure(pair: Pair, figure: Figure) -> str | None:
    """Return a figure of the source that every language writes alike."""
    written = pair.source.text[figure.start : figure.end]
    return written if written.isascii() and written.isdecimal() else None


def _agree(one: Quantity, other: Quantity | None) -> bool:
    return other is not None and not set(one.ways).isdisjoint(other.ways)


def _certain(side: Text, figure: Figure) -> bool:
    """Return whether the unit of a figure is read for sure: by a sign, or in a language whose words are known."""
    return base(side.language) in _UNITS_READ or bool(_SIGN.search(side.written(figure)))


def _says_no_measure(side: Text, found: Sequence[Figure]) -> bool:
    return base(side.language) in _UNITS_KNOWN and not any(figure in side.measured for figure in found)


def _copied(
    pair: Pair, kind: Kind, noun: str, source: Quoted, target: Quoted, *, counted: bool = False
) -> Iterator[Slip]:
    """Compare what stands on both sides: what is missing first, then what is too much."""
    if not source and not target:
        return
    had, has = Counter(quote for quote, _ in source), Counter(quote for quote, _ in target)
    if not counted:
        had, has = Counter(dict.fromkeys(had, 1)), Counter(dict.fromkeys(has, 1))
    lost, surplus = list((had - has).elements()), has - had
    for quote, span in reversed(target):
        if surplus[quote] > 0:
            surplus[quote] -= 1
            meant = lost.pop() if lost else ""
            told = f"copy {meant} of the source as it is" if meant else "leave it out"
            yield pair.slip(kind, f"The source has no {noun} {quote} here: {told}.", span, suggestion=meant)
    for quote in lost:
        yield pair.slip(kind, f"The {noun} {quote} of the source is missing: copy it as it is.")


def _quoted(side: Text, spans: Sequence[Span]) -> Quoted:
    """What stands in the spans, an emoji without the mark of its style."""
    return [(side.text[start:end].replace(_EMOJI_STYLE, ""), (start, end)) for start, end in spans]


def _clinging(term: str, most: int) -> str:
    """Return a pattern of the term as it is written, and an ending of at most so many letters."""
    ending = rf"(?:['\u2019:-]?{_CASED}{{1,{most}}})?(?!{_CASED})" if regex.match(_CASED, term[-1]) else ""
    return verbatim.whole_word(term) + ending


def _whole(term: str) -> str:
    word = r"\s+".join(regex.escape(part) for part in term.split())
    return word if _DENSE.search(term) else rf"(?<![\p{{L}}\p{{Nd}}]){word}(?![\p{{L}}\p{{Nd}}])"


def _inflected(term: str) -> str:
    """Return a pattern of the words of a term, each of which may change its end, after a clinging article."""
    if _DENSE.search(term) or not _SPACED.search(term):
        return r"\s*".join(regex.escape(part) for part in term.split())
    return r"\s+".join(rf"{regex.escape(_stem(part))}\S{{0,8}}" for part in term.split())


def _stem(word: str) -> str:
    """Cut off what an inflection may change: a quarter of the word, two letters at most."""
    return word[: len(word) - min(2, len(word) // 4)]


def _folded(text: str) -> str:
    """Fold case and drop accents, so that an umlaut of a plural is no other word."""
    spelled = unicodedata.normalize("NFKD", text.casefold())
    return unicodedata.normalize("NFC", "".join(char for char in spelled if unicodedata.category(char) != "Mn"))


def _name(side: Text) -> str:
    return side.known.english if side.known else side.language


def _own(text: str, known: Language) -> int:
    return len(_SCRIPTS[known.script].findall(text))


def _lacks_its_script(side: Text, known: Language) -> bool:
    return not _own(side.words, known) and len(_ANY_LETTER.findall(side.words)) >= _LEAST_FOREIGN


def _mostly_foreign(side: Text, known: Language) -> bool:
    """Return whether letters of other scripts prevail; a letter that is a syllable weighs more."""
    own = _own(side.words, known)
    foreign = len(_ANY_LETTER.findall(side.words)) - own
    weight = 3 if known.script in _SYLLABIC else 1
    kana = len(_KANA.findall(side.words)) if known.script in {"Hans", "Hant"} else 0
    return (foreign >= _LEAST_FOREIGN and foreign > weight * own) or kana * 3 > max(own, 9)


def _other_han(side: Text, known: Language) -> bool:
    """Return whether characters of the other Chinese script prevail among those that tell them apart."""
    counts = {name: len(pattern.findall(side.words)) for name, pattern in _TELLING.items()}
    other = {"Hans": "Hant", "Hant": "Hans"}.get(known.script)
    return other is not None and counts[other] >= _LEAST_TELLING and counts[other] > counts[known.script]


_SCRIPT_CODE = 4
_LONGEST_REMEMBERED = 2_000
_LEAST_WORDS = 4
_LEAST_FOREIGN = 12
_LEAST_TELLING = 2
_MEASURES = frozenset({"price", "percentage", "unit"})
_UNITS_KNOWN = frozenset({"en", "de", "fr", "es", "it", "pt", "nl", "ja"})
_UNITS_READ = _UNITS_KNOWN | frozenset(
    (
        "pl",
        "ru",
        "uk",
        "sv",
        "da",
        "nb",
        "fi",
        "tr",
        "ar",
        "he",
        "hi",
        "zh",
        "ko",
        "cs",
        "sk",
        "hu",
        "vi",
        "id",
        "th",
    )
)
_MOST_ALIKE = 20
_SIGN = regex.compile(r"[\p{Sc}%％٪]|[A-Z]{3}")
_EMOJI_STYLE = "\ufe0f"
_CASED = r"[\p{Latin}\p{Greek}\p{Cyrillic}]"
_DENSE = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]")
_SPACED = regex.compile(r"\p{L}")
_ANY_LETTER = regex.compile(r"\p{L}")
_KANA = regex.compile(r"[\p{Hiragana}\p{Katakana}]")
_OVERRIDE = regex.compile(r"[\u202D\u202E]")
_SYLLABIC = frozenset({"Jpan", "Hans", "Hant", "Kore"})
_TABLE: Mapping[str, Mapping[str, str | list[str]]] = tomllib.loads(
    files("tools").joinpath("fidelity.toml").read_text("utf-8")
)
_SCRIPTS = {
    name: regex.compile("".join((r"(?=\p{L})[", *(rf"\p{{{script}}}" for script in scripts), "]")))
    for name, scripts in _TABLE["scripts"].items()
}
_SHARED = set(_TABLE["telling"]["Hans"]) & set(_TABLE["telling"]["Hant"])
_TELLING = {
    name: regex.compile(f"[{''.join(sorted(set(characters) - _SHARED))}]")
    for name, characters in _TABLE["telling"].items()
}
