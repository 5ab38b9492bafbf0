"""The figures of a text, language apart: numbers by value, times of day, dates, and numbers said in words."""

import tomllib
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cache, lru_cache
from importlib.resources import files
from types import MappingProxyType

import regex  # type: ignore[import-untyped]  # it ships no stubs

from tools.languages import decimal_mark, numerals
from tools.spoken import base
from tools.verbatim import UNSPACED, Span, masked

Reading = frozenset[Decimal]


@dataclass(frozen=True)
class Figure:
    """A figure as written: span in code points, and all that it may stand for."""

    start: int
    end: int
    readings: tuple[Reading, ...]
    """The likeliest first; one of several values is a list or a date."""
    minutes: frozenset[int] = frozenset()
    """Minutes after midnight, if it were a time of day; both halves of the day where it may be either."""
    timed: bool = False
    """Whether it plainly is a time of day."""
    dated: bool = False
    """Whether it is part of a date, whose month may be a word elsewhere."""

    joined: bool = False
    """Whether it goes on behind a great multiple, as 1万2000 does."""
    proverbial: bool = False
    """Whether it is a manner of speaking, such as 24/7, that a language may say without figures."""

    @property
    def values(self) -> Reading:
        """What it most likely stands for."""
        return self.readings[0]

    @property
    def small(self) -> int | None:
        """Its value where that is a whole number that words may say: from nought to twelve."""
        value = next(iter(self.values))
        return int(value) if len(self.values) == 1 and value <= TWELVE and value == int(value) else None


def figures(text: str, language: str) -> list[Figure]:
    """Find the figures of `text`, in its order; digits that end a word, as in MP3, are part of the word."""
    clocks = [figure for found in _CLOCK.finditer(text) if (figure := _clock(text, found))]
    left = masked(text, ((one.start, one.end) for one in clocks))
    rest = [figure for figure in _numbers(left, language) if not _in_word(text, figure)]
    dates = [found.span() for found in _DATE.finditer(text)]
    sayings = [found.span() for found in _SAYING.finditer(text)]
    found = sorted((*clocks, *rest), key=lambda one: one.start)
    return list(_marked(found, dates, sayings)) if dates or sayings else found


def unmatched(ours: Sequence[Figure], theirs: Sequence[Figure]) -> list[Figure]:
    """Return those of `ours` whose values `theirs` do not hold; how often they hold them does not matter."""
    lone = _unlike(ours, theirs)
    if not lone:
        return []
    spare = [value for figure in _unlike(theirs, ours) for reading in figure.readings for value in reading]
    known = frozenset(value for figure in theirs for value in figure.values) | frozenset(spare)
    return [figure for figure in lone if not any(_held(reading, known, figure) for reading in figure.readings)]


@lru_cache(maxsize=256)
def says(text: str, value: int, language: str) -> bool | None:
    """Return whether a word of `text` may say a value of at most twelve; None where the words are not known."""
    words = _WORDS.get(base(language))
    if words is None or not 0 <= value < len(words):
        return None
    told = text.casefold()
    tokens = frozenset(_TOKEN.findall(told)) if base(language) in _SPACED else None
    return any(_said(word, told, tokens) for word in words[value])


def _said(word: str, told: str, tokens: frozenset[str] | None) -> bool:
    """Look for a word, or for one that begins with it; anywhere, where no spaces part the words."""
    if tokens is None:
        return word in told
    return word in tokens or (len(word) >= _STEM and any(token.startswith(word) for token in tokens))


def _unlike(ours: Sequence[Figure], theirs: Sequence[Figure]) -> list[Figure]:
    """Return those of `ours` that stand for nothing that a single one of `theirs` stands for."""
    readings = {reading for figure in theirs for reading in figure.readings}
    minutes = {minute for figure in theirs for minute in figure.minutes}
    timed = {minute for figure in theirs if figure.timed for minute in figure.minutes}
    return [
        figure
        for figure in ours
        if readings.isdisjoint(figure.readings) and figure.minutes.isdisjoint(minutes if figure.timed else timed)
    ]


def _held(reading: Reading, known: Reading, figure: Figure) -> bool:
    """Return whether all values of a reading are known; the month of a date need not be."""
    lacking = reading - known
    return not lacking or (figure.dated and len(lacking) == 1 and max(lacking) <= TWELVE)


def _numbers(text: str, language: str) -> Iterator[Figure]:
    last: Figure | None = None
    for found in numerals(text, decimal=decimal_mark(language)):
        figure = _number(text, Figure(found.start, found.end, found.readings))
        if last and last.end == figure.start and text[last.end - 1] in _MYRIADS and len(figure.values) == 1:
            total = next(iter(last.values)) + next(iter(figure.values))
            last = replace(last, end=figure.end, readings=(frozenset({total}),), joined=True)
        else:
            if last:
                yield last
            last = figure
    if last:
        yield last


def _number(text: str, figure: Figure) -> Figure:
    """Add what the words after the digits and the shape of a time make of a number."""
    readings = list(figure.readings)
    if (found := _NEXT.match(text, figure.end)) and (power := _power(found[1].casefold())):
        readings += [frozenset(value.scaleb(power) for value in reading) for reading in figure.readings]
    if found := _TENTHS.match(text, figure.end):
        readings += [frozenset({_off(value, found[0])}) for reading in figure.readings for value in reading]
    hour, _, minute = text[figure.start : figure.end].partition(".")
    if not _HOURS.fullmatch(hour) or (minute and not _SIXTIETHS.fullmatch(minute)):
        return replace(figure, readings=tuple(readings))
    if minute:
        readings.append(frozenset({Decimal(int(hour)), Decimal(int(minute))}))
    return replace(figure, readings=tuple(readings), minutes=_minutes(hour, minute or "0"))


def _off(value: Decimal, mark: str) -> Decimal:
    """Return the percentage that is left off: 8折 and 85折 keep eight and eight and a half tenths, 2割 are two."""
    tenth = value if value < TEN else value / TEN
    return TEN * (TEN - tenth) if "折" in mark else TEN * value


def _power(word: str) -> int:
    """Return the power of ten that a word says, or the beginning of a run that is written without spaces."""
    return _POWERS.get(word, 0) or next(
        (_POWERS[start] for start in _UNSPACED_POWERS if word.startswith(start)), 0
    )


def _clock(text: str, found: "regex.Match[str]") -> Figure | None:
    """Return a time of day where there is one: 17:30, 5 pm, 17 Uhr, 午後5時."""
    before = _BEFORE.search(text, max(0, found.start() - _LONGEST_MARK), found.start())
    marks = frozenset(str(mark).casefold() for mark in (before and before[1], found["after"]) if mark)
    if not (marks or found["minute"]) or not (minutes := _minutes(found["hour"], found["minute"] or "0", marks)):
        return None
    said = (found["hour"], found["minute"] or "0")
    values = frozenset(Decimal(int(part)) for part in said if part == found["hour"] or int(part))
    end = found.end("minute") if found["minute"] else found.end("hour")
    return Figure(found.start(), end, (values,), minutes, timed=True)


@lru_cache(maxsize=1024)
def _minutes(said_hour: str, said_minute: str, marks: frozenset[str] = frozenset()) -> frozenset[int]:
    """Return the minutes after midnight; of both halves of the day where neither mark nor hour tells which."""
    hour, minute = int(said_hour), int(said_minute)
    if hour > 2 * TWELVE or minute >= _HOUR:
        return frozenset()
    halves = [hour % TWELVE] * bool(marks & _MORNING) + [hour % TWELVE + TWELVE] * bool(marks & _EVENING)
    if not halves:
        halves = [hour % (2 * TWELVE)] if hour > TWELVE or hour == 0 else [hour % TWELVE, hour % TWELVE + TWELVE]
    return frozenset(half * _HOUR + minute for half in halves)


def _in_word(text: str, figure: Figure) -> bool:
    before = text[figure.start - 1 : figure.start] if figure.start else ""
    return before not in {"x", "X"} and bool(_LATIN.match(before))


def _marked(found: Sequence[Figure], dates: Sequence[Span], sayings: Sequence[Span]) -> Iterator[Figure]:
    for one in found:
        yield replace(one, dated=_inside(one, dates), proverbial=_inside(one, sayings))


def _inside(figure: Figure, spans: Sequence[Span]) -> bool:
    """Return whether the last span that begins before the figure ends reaches into it."""
    place = bisect_left(spans, (figure.end, 0)) - 1
    return place >= 0 and spans[place][1] > figure.start


@cache
def _table() -> dict[str, dict[str, list[str] | str]]:
    return tomllib.loads(files("tools").joinpath("figures.toml").read_text("utf-8"))


TEN = Decimal(10)
TWELVE = 12
_HOUR, _STEM, _LONGEST_MARK = 60, 4, 12
_MYRIADS = "万萬만億亿억千"
_SPACED = frozenset(_table()["words"]) - {"ja", "zh", "ko", "th", "ar", "he"}
_WORDS = MappingProxyType(
    {code: tuple(entry.casefold().split() for entry in entries) for code, entries in _table()["words"].items()}
)
_POWERS = {
    word.casefold(): int(power) for power, words in _table()["powers"].items() for word in str(words).split()
}
_MORNING, _EVENING, _EITHER = (
    frozenset(mark.casefold() for mark in _table()["clock"][name]) for name in ("morning", "evening", "either")
)
_UNSPACED_POWERS = tuple(word for word in _POWERS if UNSPACED.match(word))
_MARK = "|".join(regex.escape(mark) for mark in sorted(_MORNING | _EVENING | _EITHER, key=len, reverse=True))
_AHEAD = "|".join(mark for mark in (*_MORNING, *_EVENING) if UNSPACED.match(mark))
_BEFORE = regex.compile(rf"({_AHEAD}|(?<!\p{{L}})kl\.?|klokken)\s?\Z", regex.IGNORECASE)
_CLOCK = regex.compile(
    r"(?<![\p{Nd}.,:])(?<hour>\p{Nd}{1,2})(?!\p{Nd})"
    rf"(?:(?:[:：]|\s?[hH時时点點시]\s?|\.(?=\p{{Nd}}{{2}}\s?(?:{_MARK})))(?<minute>\p{{Nd}}{{2}})(?![\p{{Nd}}:]))?"
    rf"(?:\s?(?<after>{_MARK})(?![\p{{Latin}}\p{{Arabic}}\p{{Cyrillic}}]))?",
    regex.IGNORECASE,
)
_HOURS = regex.compile(r"\p{Nd}{1,2}")
_SIXTIETHS = regex.compile(r"[0-5][0-9]")
_NEXT = regex.compile(r"\s?(?:de\s)?([\p{L}\p{M}]{1,24})")
_TENTHS = regex.compile(r"\s?[折割]")
_DATE = regex.compile(
    r"(?<![\p{Nd}.,/-])(?:\p{Nd}{1,2}([./-])\p{Nd}{1,2}\1(?:\p{Nd}{4}|\p{Nd}{2})?|\p{Nd}{1,2}/\p{Nd}{1,2}"
    r"|\p{Nd}{4}-\p{Nd}{1,2}-\p{Nd}{1,2})(?![\p{Nd}/-])"
    r"|(?:\p{Nd}{4}\s?[年년]\s?)?\p{Nd}{1,2}\s?[月월](?:\s?\p{Nd}{1,2}\s?[日일号號])?"
)
_SAYING = regex.compile(r"(?<!\p{Nd})(?:24\s?/\s?7(?:\s?/\s?365)?|50\s?/\s?50)(?!\p{Nd})")
_TOKEN = regex.compile(r"[\p{L}\p{M}'’]+")
_LATIN = regex.compile(r"\p{Latin}")
