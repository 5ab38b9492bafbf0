"""The ledger of claims: each amount, date, comparison and superlative of a copy, and where it comes from."""

import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from importlib.resources import files
from typing import Any, Literal

import regex  # type: ignore[import-untyped]  # it ships no stubs

from tools.languages import numerals
from tools.policy.rule import ProductFacts, Span
from tools.quantities import BARE, Meaning, Quantity, cut, quantities

ClaimKind = Literal["number", "unit", "price", "percentage", "date", "comparison", "superlative"]


@dataclass(frozen=True)
class Ground:
    """Where the client says it, as `name`, `features/0`, `description` or `evidence/1`, and in which words."""

    where: str
    quote: str


@dataclass(frozen=True)
class Claim:
    """Something that a reader may hold the client to; without a ground it is an invention."""

    kind: ClaimKind
    span: Span
    quote: str
    ground: Ground | None

    def as_json(self) -> dict[str, Any]:
        """Return the claim as the API shows it."""
        ground = {"where": self.ground.where, "quote": self.ground.quote} if self.ground else None
        return {"kind": self.kind, "span": list(self.span), "quote": self.quote, "ground": ground}


def trace(
    text: str, facts: ProductFacts, *, language: str = "en", facts_language: str | None = None
) -> list[Claim]:
    """Every claim of `text` in its order, none overlapping; raises for no text.

    Amounts are compared by value and unit in any language, comparisons and superlatives by what they praise.
    `facts_language` None reads the facts in all languages at once. Only the first MOST_FIGURES figures are read:
    what follows them is one claim without ground.
    """
    ledger = _ledger(_said(facts), language, facts_language)
    plain = _plain(ledger.name, text)
    end = cut(plain, language=language, most=MOST_FIGURES)
    read = plain[:end]
    praises = _praises(read, _base(language))
    taken = [praise.span for praise in praises]
    amounts = {(one.start, one.end): one for one in _amounts(read, language)}
    claims = [
        *(_claim(text, praise.kind, praise.span, ledger.ground(praise)) for praise in praises),
        *(
            _claim(text, amounts[span].kind, span, ledger.ground_of(amounts[span]))
            for span in _without_overlaps(amounts, taken)
        ),
        *(claim for claim in _named(text, ledger) if claim.span[1] <= end),
        *([_claim(text, "number", (end, len(text)), None)] if end < len(text) else []),
    ]
    return sorted(claims, key=lambda claim: claim.span)


MOST_FIGURES = 300
"""A text with more of them is no ad, and reading it would keep others waiting."""


Said = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class _Praise:
    """A comparison or superlative; keys name what it praises in any language."""

    kind: Literal["comparison", "superlative"]
    span: Span
    quote: str
    keys: frozenset[str]
    rivals: frozenset[str]


@dataclass(frozen=True)
class _Ledger:
    """All that the client says, read when it is asked for: in its own language and as the copy is read."""

    said: Said
    language: str
    facts_language: str | None

    def ground_of(self, amount: Quantity) -> Ground | None:
        """Where the client says this amount: all that one of its readings means."""
        for way in amount.ways:
            if all(meaning in self.meanings for meaning in way):
                return next((self.meanings[meaning] for meaning in way), None)
        return None

    def ground(self, praise: _Praise) -> Ground | None:
        """Where the client says the same words, or praises the same to the same degree."""
        words = _spaced(praise.quote)
        for (where, text), spaced in zip(self.said, self.spaced, strict=True):
            if _holds(spaced, words):
                return Ground(where, text)
        alike = (
            ground
            for other, ground in self.praises
            if other.kind == praise.kind and praise.keys <= other.keys and praise.rivals <= other.rivals
        )
        return next(alike, None)

    @cached_property
    def name(self) -> "regex.Pattern[str]":
        """What finds the product's name."""
        return _name(self.said[0][1])

    @cached_property
    def spaced(self) -> Sequence[str]:
        """All that is said, as it is compared."""
        return [_spaced(text) for _, text in self.said]

    @cached_property
    def plain(self) -> Sequence[tuple[str, str]]:
        """All that is said, but for addresses, and the name outside itself."""
        return [
            (where, _plain(_NEVER if where == "name" else self.name, text)) for where, text in self.said if text
        ]

    @cached_property
    def meanings(self) -> Mapping[Meaning, Ground]:
        """What the amounts bear out; read as the copy is too, so that a quotation has its ground."""
        meanings: dict[Meaning, Ground] = {}
        said = dict(self.said)
        for where, plain in self.plain:
            for amount in (*_measured(plain, self.facts_language), *_measured(plain, self.language)):
                ground = Ground(where, said[where][amount.start : amount.end])
                for meaning in amount.implied.union(*amount.ways[:1]):
                    if where != "name" or meaning[0] != BARE:
                        meanings.setdefault(meaning, ground)
        return meanings

    @cached_property
    def praises(self) -> Sequence[tuple[_Praise, Ground]]:
        """All that the client compares and praises."""
        languages = [_base(self.facts_language)] if self.facts_language else _LANGUAGES
        return [
            (praise, Ground(where, praise.quote))
            for where, plain in self.plain
            for spoken in languages
            for praise in _praised(plain, spoken)
        ]


def _claim(text: str, kind: ClaimKind, span: Span, ground: Ground | None) -> Claim:
    return Claim(kind, span, text[span[0] : span[1]], ground)


def _named(text: str, ledger: _Ledger) -> Iterator[Claim]:
    """Numbers inside the product's name."""
    if not _DIGIT.search(ledger.said[0][1]):
        return
    for name in ledger.name.finditer(text):
        for found in numerals(name[0]):
            span = name.start() + found.start, name.start() + found.end
            yield _claim(text, "number", span, Ground("name", ledger.said[0][1]))


def _said(facts: ProductFacts) -> Said:
    return (
        ("name", facts.name),
        *((f"features/{at}", feature) for at, feature in enumerate(facts.features)),
        ("description", facts.description or ""),
        *((f"evidence/{at}", claim) for at, claim in enumerate(facts.evidence)),
    )


@lru_cache(maxsize=256)
def _ledger(said: Said, language: str, facts_language: str | None) -> _Ledger:
    return _Ledger(said, language, facts_language)


@lru_cache(maxsize=1024)
def _measured(fact: str, language: str | None) -> Sequence[Quantity]:
    """The amounts of a fact, remembered, as every text of a campaign and all its languages ask for them."""
    return tuple(_amounts(fact, language))


@lru_cache(maxsize=2048)
def _praised(fact: str, language: str) -> Sequence[_Praise]:
    """The comparisons and superlatives of a fact, remembered likewise."""
    return _praises(fact, language)


def _plain(name: "regex.Pattern[str]", text: str) -> str:
    """`text` without the product's name and without addresses, which need an at, a slash or a full stop inside."""
    blanked = _blanked(name, text)
    return _blanked(_ADDRESS, blanked) if _ADDRESS_MARK.search(blanked) else blanked


def _amounts(text: str, language: str | None) -> Iterator[Quantity]:
    """What `text` measures, without idioms and the digits of codes."""
    plain = _blanked(_idioms(), text) if _DIGIT.search(text) else text
    return (one for one in quantities(plain, language=language) if not _is_code(plain, one))


def _is_code(text: str, amount: Quantity) -> bool:
    """Whether a number is part of a code such as PS5 or 7Up; IP67, Top10 and SAVE20 still claim something."""
    before = _GLUED_BEFORE.search(text, max(0, amount.start - 12), amount.start)
    if amount.kind == "number" and before:
        short = amount.end - amount.start == 1
        return short if before["hyphen"] else short or (len(before["word"]) < _WORD and before["word"] != "IP")
    after = _GLUED_AFTER.match(text, amount.end) if amount.kind == "number" else None
    return bool(after) and amount.end - amount.start < _WORD


def _praises(text: str, language: str) -> list[_Praise]:
    """Comparisons and superlatives of `text`, none overlapping; none where `language` has no patterns."""
    found: list[_Praise] = []
    for kind in ("comparison", "superlative") if language in _LANGUAGES else ():
        claims, idioms = _patterns(language, kind)
        spans = [one.span() for one in claims.finditer(text) if one[0].strip()]
        harmless = [one.span() for one in idioms.finditer(text)] if spans else []
        taken = [*harmless, *(praise.span for praise in found)]
        kept = _without_overlaps(spans, taken)
        found += [_praise(kind, text, span, language) for span in kept]
    return found


def _praise(kind: Literal["comparison", "superlative"], text: str, span: Span, language: str) -> _Praise:
    quote = text[span[0] : span[1]]
    folded = _spaced(quote)
    keys = {name for name, pattern in _qualities().items() if pattern.search(folded)}
    keys |= {"twice" if value == _TWICE else f"{value.normalize()}" for value in _values(quote)} - {"1"}
    stem = max(_LETTERS.findall(folded) or [folded], key=len)[:_STEM]
    rivals = _CAPITALISED.findall(quote) if language != "de" else []
    return _Praise(kind, span, quote, frozenset(keys) or frozenset({stem}), frozenset(map(str.casefold, rivals)))


def _values(quote: str) -> Iterator[Any]:
    return (value for found in numerals(quote) for value in found.readings[0])


def _without_overlaps(spans: Iterable[Span], taken: Iterable[Span]) -> Iterator[Span]:
    """The spans, in their order, that touch none of `taken`."""
    blocked = iter(sorted(taken))
    end, coming = 0, next(blocked, None)
    for span in spans:
        while coming and coming[0] < span[1]:
            end, coming = max(end, coming[1]), next(blocked, None)
        if span[0] >= end:
            yield span


def _holds(text: str, words: str) -> bool:
    """Whether `text` holds `words` with no word running over their edges."""
    at = text.find(words)
    while at >= 0:
        edges = text[max(0, at - 1) : at + 1], text[at + len(words) - 1 : at + len(words) + 1]
        if not any(len(edge) > 1 and edge.isalnum() and edge.isascii() for edge in edges):
            return True
        at = text.find(words, at + 1)
    return False


def _spaced(text: str) -> str:
    return " ".join(text.casefold().split())


def _base(language: str) -> str:
    return language.casefold().replace("_", "-").split("-")[0]


def _blanked(pattern: "regex.Pattern[str]", text: str) -> str:
    """Overwrite what matches, so that spans stay where they are."""
    blanked: str = pattern.sub(lambda found: _BLANK * len(found[0]), text)
    return blanked


def _name(name: str) -> "regex.Pattern[str]":
    """The product's name in any case, and as a hashtag writes it."""
    words = [regex.escape(word) for word in regex.split(r"[\s_-]+", name.strip()) if word]
    if not words:
        return _NEVER
    left = r"(?<![\p{L}\p{M}\p{Nd}])" if _LATIN.match(name.strip()[0]) else ""
    right = r"(?![\p{L}\p{M}\p{Nd}])" if _LATIN.match(name.strip()[-1]) else ""
    return regex.compile(left + r"[\s_-]*".join(words) + right, regex.IGNORECASE)


@cache
def _table() -> Mapping[str, Any]:
    return tomllib.loads(files("tools").joinpath("claims.toml").read_text("utf-8"))


@cache
def _patterns(language: str, kind: str) -> tuple["regex.Pattern[str]", "regex.Pattern[str]"]:
    """What claims, and what only looks like it."""
    table = _table()[language]
    return _either(table[kind], language), _either(table[f"{kind}_not"], language)


def _either(patterns: Sequence[str], language: str) -> "regex.Pattern[str]":
    lists = {name: words.replace("’", "'").split() for name, words in _table()["lists"].items()}
    body = "|".join(regex.sub(r"(?<!\(\?)(?<!\(\?P)<(\w+)>", r"(?:\\L<\1>)", pattern) for pattern in patterns)
    edges = ("", "") if language in _UNSPACED else (r"(?<![\p{L}\p{M}\p{Nd}])", r"(?![\p{L}\p{M}])")
    return regex.compile(f"{edges[0]}(?:{body}){edges[1]}", regex.IGNORECASE, ignore_unused=True, **lists)


@cache
def _qualities() -> Mapping[str, "regex.Pattern[str]"]:
    """What finds each quality in a quotation, by stems at the beginning of a word."""
    edge = r"(?:(?<![\p{L}\p{M}\p{Nd}])|(?<=[\p{Han}\p{Hiragana}\p{Katakana}])|(?<=welt|markt|aller))"
    return {
        name: regex.compile(
            edge + r"\L<stems>", stems=[stem.replace("_", " ").casefold() for stem in stems.split()]
        )
        for name, stems in _table()["qualities"].items()
    }


@cache
def _idioms() -> "regex.Pattern[str]":
    body = "|".join(_table()["idioms"]["patterns"])
    return regex.compile(rf"(?<![\p{{L}}\p{{M}}\p{{Nd}}])(?:{body})(?!\p{{L}})", regex.IGNORECASE)


_LANGUAGES = ("en", "de", "fr", "es", "it", "pt", "nl", "ja")
_UNSPACED = ("ja",)
_WORD, _STEM, _TWICE = 3, 6, 2
_NEVER = regex.compile(r"(?!)")
_DIGIT = regex.compile(r"\p{Nd}")
_LETTERS = regex.compile(r"\p{L}+")
_CAPITALISED = regex.compile(r"(?<=\s)\p{Lu}[\p{L}\p{Nd}]+")
_ADDRESS_MARK = regex.compile(r"[@/]|\.\S")
# A character of private use: no pattern takes it for a letter, a sign or a space.
_BLANK = "\ue000"
_LATIN = regex.compile(r"[\p{Nd}\p{L}--[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Hangul}]]", regex.VERSION1)
_ADDRESS = regex.compile(
    r"(?:https?://|www\.)\S+|(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+|(?<!\w)@[\w.]{1,40}"
    r"|(?<![\w.-])(?:[\w-]{1,63}\.){1,4}(?:com|net|org|info|shop|store|app|dev|io|ai|co|eu|uk|de|fr|es|it|pt|br|nl|jp|example)(?![\w])(?:/\S*)?",
    regex.IGNORECASE,
)
_GLUED_BEFORE = regex.compile(r"(?P<word>[\p{Latin}]+)(?P<hyphen>-)?$")
_GLUED_AFTER = regex.compile(r"(?!(?:st|nd|rd|th|e|er|ème|x)\b)[\p{Latin}]")
