"""What a text measures: its numbers with their units, its prices, percentages and dates, by what they mean."""

import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Context, Decimal
from functools import cache, lru_cache
from importlib.resources import files
from itertools import chain
from typing import Any, Literal

import regex  # type: ignore[import-untyped]  # it ships no stubs

from tools.languages import decimal_mark, numerals

QuantityKind = Literal["number", "unit", "price", "percentage", "date"]
Meaning = tuple[str, Decimal | str]
"""A dimension and a value in its own unit: 40 h is ("time", 144000), and € 5 is ("EUR", 5)."""
Ways = tuple[frozenset[Meaning], ...]
PLAIN, BARE = "number", "bare"
"""A number whatever it counts, and a number that counts nothing we know."""


@dataclass(frozen=True)
class Quantity:
    """An amount or a date as written; span in code points.

    Each of `ways` is all that it may mean together, the likeliest first; `implied` is all that it bears out.
    """

    kind: QuantityKind
    start: int
    end: int
    ways: Ways
    implied: frozenset[Meaning]


def quantities(text: str, *, language: str | None = "en") -> tuple[Quantity, ...]:
    """Every amount and date of `text` in its order, none overlapping; language None reads all languages."""
    base = language.casefold().replace("_", "-").split("-")[0] if language is not None else None
    decimal = decimal_mark(language) if language is not None else None
    figured = bool(_DIGIT.search(text))
    dates = [*_dates(text, dotted=decimal == ","), *_clocks(text)] if figured else []
    written = _Reader(_without(text, dates) if dates else text, base, decimal)
    return tuple(sorted([*dates, *written.amounts()], key=lambda found: found.start))


def cut(text: str, *, language: str, most: int) -> int:
    """Where the figure after the first `most` begins, in digits or in words; the text's end if there is none."""
    if len(text) < 2 * most:
        return len(text)
    base = language.casefold().replace("_", "-").split("-")[0]
    starts = sorted(chain((found.start() for found in _DIGITS.finditer(text)), _worded(text, base)))
    return starts[most] if len(starts) > most else len(text)


@dataclass(frozen=True)
class _Sense:
    """One thing that a unit's word may stand for."""

    kind: QuantityKind
    dimension: str
    factor: Decimal


@dataclass(frozen=True)
class _Amount:
    """A number on its way to a quantity; end is where its digits end, until its unit is found."""

    start: int
    end: int
    readings: tuple[frozenset[Decimal], ...]
    senses: tuple[_Sense, ...] = ()
    word: bool = False

    def quantity(self) -> Quantity:
        senses = self.senses or (_Sense("number", PLAIN, Decimal(1)),)
        kind = senses[0].kind
        ways = tuple(frozenset(_meanings(sense, values)) for sense in senses for values in self.readings)
        whole = [values for values in self.readings if len(values) == 1] or self.readings
        implied = {meaning for sense in senses for values in whole for meaning in _meanings(sense, values)}
        plain = {value for values in whole for value in values}
        if kind in ("number", "unit"):
            implied |= {(PLAIN, value) for value in plain}
        if not self.senses or kind == "date":
            implied |= {(BARE, value) for value in plain}
        elif kind == "number":
            ways += tuple(frozenset((BARE, value) for value in values) for values in self.readings)
        return Quantity(kind, self.start, self.end, ways, frozenset(implied))


@dataclass(frozen=True)
class _Reader:
    """Reads the amounts of one text."""

    text: str
    language: str | None
    decimal: Literal[".", ","] | None

    def amounts(self) -> Iterator[Quantity]:
        """Numbers in digits and, where they count something, in words."""
        numbers = sorted(chain(self._digits(), self._words()), key=lambda found: found.start)
        measured: list[_Amount] = []
        for number in numbers:
            end = measured[-1].end if measured else 0
            if number.start >= end:
                measured.append(self._with_unit(number, end))
        read = self._leading(self._joined(measured))
        return (amount.quantity() for amount in read if self._counts(amount))

    def _digits(self) -> Iterator[_Amount]:
        for found in numerals(self.text, decimal=self.decimal):
            yield _Amount(found.start, found.end, found.readings)

    def _words(self) -> Iterator[_Amount]:
        end, pattern = 0, _number_words(self.language)
        for start in _worded(self.text, self.language):
            found = pattern.match(self.text, start) if start >= end else None
            if found and (value := _number_values(self.language).get(_folded(found[0]))):
                end = found.end()
                yield _Amount(start, end, (frozenset({Decimal(value)}),), word=True)

    def _with_unit(self, amount: _Amount, after: int) -> _Amount:
        return self._prefixed(amount, after) or self._as_year(amount) or self._suffixed(amount) or amount

    def _as_year(self, amount: _Amount) -> _Amount | None:
        """`amount` as a date where a word says that it is a year: since 1974, 1974年創業; not in: from 1999 €."""
        if amount.word or not _YEAR.fullmatch(self.text, amount.start, amount.end):
            return None
        before, after = _year_words()
        sign = _YEAR_SIGN.match(self.text, amount.end)
        if not after.match(self.text, amount.end):
            near, _ = _after(self.language)
            measured = not sign and near.match(self.text, amount.end)
            if measured or not before.search(self.text, max(0, amount.start - _LONGEST_LEAD), amount.start):
                return None
        return replace(amount, end=sign.end() if sign else amount.end, senses=_YEARS)

    def _prefixed(self, amount: _Amount, after: int) -> _Amount | None:
        """`amount` with the currency before it, or a percent sign as Turkish has it."""
        before = None if amount.word else _before().search(self.text, max(after, amount.start - 8), amount.start)
        if before is None:
            return None
        senses = _currencies().get(before["sign"]) or (_Sense("percentage", "percent", Decimal(1)),)
        return replace(amount, start=before.start("sign"), senses=senses)

    def _suffixed(self, amount: _Amount) -> _Amount | None:
        """`amount` with the unit after it; an adjective may stand between: 40 quiet hours."""
        for pattern in _after(self.language) if _UNIT_AHEAD.match(self.text, amount.end) else ():
            found = pattern.match(self.text, amount.end)
            if found and not (amount.word and _SYMBOL.fullmatch(found["unit"])) and not self._is_quote(found):
                senses = self._senses_of(found["unit"])
                return self._with_fraction(replace(amount, end=found.end("unit"), senses=senses))
        if dash := _DASH_PRICE.match(self.text, amount.end):
            return replace(amount, end=dash.end(), senses=_ROUND_PRICE)
        return None

    def _senses_of(self, unit: str) -> tuple[_Sense, ...]:
        known = _senses(self.language)
        return known.get(unit) or known.get(_folded(unit)) or known["inch"]

    def _is_quote(self, found: "regex.Match[str]") -> bool:
        """Whether a double quote after a number closes what another one has opened nearby."""
        at = found.start("unit")
        return found["unit"] == '"' and self.text.count('"', max(0, at - _NEARBY), at) % 2 == 1

    def _with_fraction(self, amount: _Amount) -> _Amount:
        """Take the 99 of 19€99 for hundredths."""
        found = _HUNDREDTHS.match(self.text, amount.end) if amount.senses[0].kind == "price" else None
        if found is None:
            return amount
        part = Decimal(found[0]) / 100
        readings = tuple(frozenset(_PRECISE.add(value, part) for value in way) for way in amount.readings)
        return replace(amount, end=found.end(), readings=readings)

    def _joined(self, amounts: Sequence[_Amount]) -> list[_Amount]:
        """Give the first of a range the unit of its end: 2-3 days are 2 days and 3 days."""
        known: list[_Amount] = []
        for amount in reversed(amounts):
            later = known[-1] if known else None
            shared = later and not amount.senses and self._is_range(amount, later)
            known.append(replace(amount, senses=later.senses) if later and shared else amount)
        return known[::-1]

    def _leading(self, amounts: Sequence[_Amount]) -> list[_Amount]:
        """Give the end of a range the sign of its start: $5-10 is $5 and $10."""
        known: list[_Amount] = []
        for amount in amounts:
            first = known[-1] if known else None
            shared = first and first.senses and not amount.senses and self._is_range(first, amount)
            known.append(replace(amount, senses=first.senses) if first and shared else amount)
        return known

    def _is_range(self, one: _Amount, two: _Amount) -> bool:
        return two.start - one.end <= _WIDEST_JOINT and bool(_JOINT.fullmatch(self.text, one.end, two.start))

    def _counts(self, amount: _Amount) -> bool:
        """Whether a number in words counts something; one alone is an article, but not in one-year."""
        if not amount.word or self.language is None:
            return True
        is_one = Decimal(1) in amount.readings[0]
        return bool(amount.senses) and (not is_one or self.text[amount.start :].startswith(("one-", "One-")))


def _meanings(sense: _Sense, values: Iterable[Decimal]) -> Iterator[Meaning]:
    return ((sense.dimension, _PRECISE.multiply(value, sense.factor).normalize(_PRECISE)) for value in values)


def _dates(text: str, *, dotted: bool) -> Iterator[Quantity]:
    """Dates of a day, a month or both; 3/4/2026 may be in March or in April."""
    end = 0
    if not _DATE_MARK.search(text) and _month_names().keys().isdisjoint(_LETTERS.findall(text.casefold())):
        return
    for found in _date_pattern(dotted=dotted).finditer(text):
        ways = [way for way in map(frozenset, _days(found)) if way]
        if ways and found.start() >= end:
            end = found.end()
            known = frozenset(less for way in ways for day in way for less in _coarser(day))
            marked = tuple(frozenset(("date", day) for day in way) for way in ways)
            yield Quantity("date", found.start(), end, marked, known)


def _days(found: "regex.Match[str]") -> Iterator[list[str]]:
    """Every way to read a date, as year-month-day with ? for what is not said; two days where it is a span."""
    parts = {
        name: int(value) for name, value in found.groupdict().items() if value and name not in ("month", "mark")
    }
    year = parts.get("year")
    if found["month"]:
        month = _month_names().get(found["month"].casefold(), 0)  # 0 where a dotless or dotted i stands for an i
        days = [parts[name] for name in ("from", "day", "after", "until") if name in parts]
        if month:
            yield [_day(year, month, day) for day in days] or [_day(year, month, None)]
        return
    first, second = parts.get("first"), parts.get("second")
    figures = ((second, first), (first, second)) if first else ((parts.get("figure"), parts.get("at")),)
    for figure, at in figures:
        if figure and 1 <= figure <= _MONTHS and (at is None or 1 <= at <= _LONGEST_MONTH):
            yield [_day(year, figure, at)]


def _day(year: int | None, month: int, day: int | None) -> str:
    full = year + 2000 if year is not None and year < 100 else year  # noqa: PLR2004 - two digits of a year
    return f"{full or '?'}-{month}-{day or '?'}"


def _coarser(day: str) -> Iterator[Meaning]:
    """All that a date bears out: itself, without its year, without its day, and the year as a number."""
    year, month, date = day.split("-")
    yield from (("date", f"{y}-{month}-{d}") for y in {year, "?"} for d in {date, "?"} if (y, d) != ("?", "?"))
    if year != "?":
        yield from ((PLAIN, Decimal(year)), (BARE, Decimal(year)))


def _clocks(text: str) -> Iterator[Quantity]:
    """Times of the day: 5 pm is 17:00."""
    for found in _CLOCK.finditer(text):
        hour, minute = int(found["hour"] or found["full"]), int(found["minute"] or "0")
        half = (found["half"] or found["part"] or "").casefold()[:1]
        hour = hour % 12 + 12 * (half == "p") if half in ("a", "p") else hour
        meaning: Meaning = ("clock", Decimal(hour * 60 + minute))
        yield Quantity("number", found.start(), found.end(), (frozenset({meaning}),), frozenset({meaning}))


def _without(text: str, found: Iterable[Quantity]) -> str:
    """Overwrite what has been read, so that spans stay where they are."""
    kept, at = list[str](), 0
    for one in sorted(found, key=lambda one: one.start):
        if one.start >= at:
            kept += [text[at : one.start], "\n" * (one.end - one.start)]
            at = one.end
    return "".join([*kept, text[at:]])


@lru_cache(maxsize=4096)
def _folded(word: str) -> str:
    return " ".join(_PARTING.sub(" ", word.casefold()).split())


def _words_of(cell: str) -> list[str]:
    return [word.replace("_", " ") for word in cell.split()]


@cache
def _table() -> Mapping[str, Any]:
    return tomllib.loads(files("tools").joinpath("quantities.toml").read_text("utf-8"))


def _kind(dimension: str) -> QuantityKind:
    if dimension == "percent":
        return "percentage"
    return "number" if dimension.startswith("count_") else "unit"


@cache
def _senses(language: str | None) -> Mapping[str, tuple[_Sense, ...]]:
    """What each word after a number may mean in `language`; a single letter stands in its own case."""
    found: dict[str, list[_Sense]] = {}
    for word, sense in chain(_unit_words(language), _currency_words()):
        senses = found.setdefault(word if len(word) == 1 else _folded(word), [])
        senses += [sense] if sense not in senses else []
    return {word: tuple(senses) for word, senses in found.items()}


def _unit_words(language: str | None) -> Iterator[tuple[str, _Sense]]:
    known = language in _table()["words"]
    for dimension, units in _table()["unit"].items():
        for unit in units.values():
            sense = _Sense(_kind(dimension), dimension, Decimal(unit["factor"]))
            for spoken, cell in unit.items():
                wanted = {"all", "en", language} if known else {"all", "en", "more"}
                if spoken != "factor" and (language is None or spoken in wanted):
                    yield from ((word, sense) for word in _words_of(cell))


def _currency_words() -> Iterator[tuple[str, _Sense]]:
    table = _table()["currency"]
    for name, factor in (("signs", "1"), ("words", "1"), ("hundredths", "0.01")):
        for words, codes in table[name].items():
            for word in _words_of(words):
                yield from ((word, _Sense("price", code, Decimal(factor))) for code in codes.split())
    yield from ((code, _Sense("price", code, Decimal(1))) for code in table["codes"]["codes"].split())


@cache
def _currencies() -> Mapping[str, tuple[_Sense, ...]]:
    """Signs and codes as they stand before a number."""
    table = _table()["currency"]
    signs = {sign: codes.split() for sign, codes in table["signs"].items()}
    codes = {code: [code] for code in table["codes"]["codes"].split()}
    return {
        sign: tuple(_Sense("price", code, Decimal(1)) for code in named) for sign, named in (signs | codes).items()
    }


@cache
def _year_words() -> tuple["regex.Pattern[str]", "regex.Pattern[str]"]:
    """What makes a date of the year that follows, and of the year before."""
    words = _table()["years"]
    spaced, unspaced, after = ("|".join(words[name]) for name in ("before", "unspaced", "after"))
    before = rf"(?:(?<![\p{{L}}\p{{M}}])(?:{spaced})[\s:·]\s?|(?:{unspaced})[\s:：]?)\Z"
    return regex.compile(before, regex.IGNORECASE), regex.compile(f"(?:{after})", regex.IGNORECASE)


@cache
def _before() -> "regex.Pattern[str]":
    """A currency or a percent sign right before a number."""
    codes = _table()["currency"]["codes"]["codes"].split()
    signs = list(_table()["currency"]["signs"])
    return regex.compile(
        r"(?:(?<!\p{L})(?P<sign>\L<signs>|\L<codes>)[\s\u00a0]?|(?<!\p{Nd}\s?)(?P<sign>[%％]))[-\u2013]?$",
        signs=signs,
        codes=codes,
    )


@cache
def _after(language: str | None) -> tuple["regex.Pattern[str]", ...]:
    """A unit right after a number, and a long one after an adjective."""
    words = _senses(language)
    closed = [word for word in words if len(word) > 1 and not _OPEN_END.search(word)]
    opened = [word for word in words if _OPEN_END.search(word)]
    letters = [word for word in words if len(word) == 1 and word not in opened]
    long = [word for word in closed if len(word) >= _LONG and words[word][0].kind in ("unit", "number")]
    compound = [word for word in long if len(word) >= _LONG + 1 and language in _GLUING]
    gap = r"[+]?[\s\u00a0\u202f]?[-\u2010\u2011\u2013]?[\s\u00a0\u202f]?"
    near = (
        rf"{gap}(?:(?P<unit>(?i:\L<closed>)(?![\p{{L}}\p{{M}}])|\L<letters>(?![\p{{L}}\p{{M}}])|(?i:\L<opened>))"
        r"|(?<=[-\u2010\u2011])(?P<unit>(?i:\L<compound>))|(?P<unit>\")"
        r"|(?P<unit>in)(?=\.|\s(?:wide|long|tall|high|deep|thick|screen|display)\b|\s?[x×]|\s*$)"
        r"|(?<=\p{Nd}[- ]?)(?P<unit>in)(?=-))"
    )
    far = (
        r"[+]?[\s-](?!(?:of|and|or|in|on|for|at|to|per|und|et|y|e|en|von|de|di|van)\b)\p{Ll}{3,14}"
        r"[\s-](?P<unit>(?i:\L<long>))(?![\p{L}\p{M}])"
    )
    return tuple(
        regex.compile(
            pattern,
            closed=_spelled(closed),
            letters=letters,
            opened=_spelled(opened),
            compound=compound or _NOTHING,
            long=_spelled(long),
            ignore_unused=True,
        )
        for pattern in (near, far)
    )


def _spelled(words: Iterable[str]) -> list[str]:
    """Each word, and with a hyphen or a no-break space for its space."""
    return [
        word.replace(" ", space) for word in words for space in ({" ", "-", "\u00a0"} if " " in word else {" "})
    ]


@cache
def _number_values(language: str | None) -> Mapping[str, int]:
    """The value of each number word up to a hundred, in `language` or in all; ones and articles count as 1."""
    table: Mapping[str, Mapping[str, Any]] = _table()["words"]
    spoken = table.values() if language is None else [table[language]] if language in table else []
    return {_folded(word): value for words in spoken for word, value in _counted(words, articles=language is None)}


def _counted(words: Mapping[str, Any], *, articles: bool) -> Iterator[tuple[str, int]]:
    ones = words["ones"].split()
    tens = {
        name.replace("_", " "): int(value) for name, value in (pair.split("=") for pair in words["tens"].split())
    }
    for ten, value in tens.items():
        room = min((other for other in tens.values() if other > value), default=value) - value
        for one, join in (
            (one, join) for one in range(1, min(room, 20)) for join in words["joins"] if len(ones) >= one
        ):
            yield join.format(ten=ten, stem=ten[:-1], one=ones[one - 1]), value + one
    yield from ((one, value) for value, one in enumerate(ones, 1))
    yield from tens.items()
    yield from ((article, 1) for article in words["unity"].split() if articles)


def _worded(text: str, language: str | None) -> Iterator[int]:
    """Where number words may begin, in order; their pattern is too dear to be tried everywhere."""
    first = _first_words(language)
    folded = text.casefold()
    glued = language in _GLUING and _GLUED_TO.search(folded)
    if not glued and first.isdisjoint(_RUN.findall(folded)):
        return
    for found in _BEGINNING.finditer(text):
        word = found[0].casefold()
        if word in first or (glued and _GLUED_TO.search(word)):
            yield found.start()


@cache
def _first_words(language: str | None) -> frozenset[str]:
    """What number words begin with: their first words, and single kanji."""
    words = _number_values(language)
    return frozenset(_RUN.findall(word)[0] for word in words)


@cache
def _number_words(language: str | None) -> "regex.Pattern[str]":
    """Number words of `language`; kanji stand without spaces, and so need no edge."""
    words = list(_number_values(language))
    kanji = [word for word in words if _OPEN_END.search(word)]
    other = _spelled(word for word in words if word not in kanji)
    pattern = r"(?<![\p{L}\p{M}\p{Nd}])(?:\L<other>(?![\p{L}\p{M}])|\L<glued>)|(?<!\p{Han})\L<kanji>(?!\p{Nd})"
    glued = [word for word in other if language in _GLUING and len(word) >= _SHORTEST_GLUED]
    pattern = pattern.replace(r"\L<glued>", rf"\L<glued>(?=(?i:{_GLUED_TO.pattern}))")
    return regex.compile(
        pattern, regex.IGNORECASE, other=other or _NOTHING, kanji=kanji or _NOTHING, glued=glued or _NOTHING
    )


_YEAR = regex.compile(r"(?:1[5-9]|20)\p{Nd}{2}")
_YEAR_SIGN = regex.compile(r"[年년]|\s(?:года|году|році|року|roku)\b")
_YEARS = (_Sense("date", PLAIN, Decimal(1)),)
_LONGEST_LEAD = 40
_DIGIT = regex.compile(r"\p{Nd}")
_DIGITS = regex.compile(r"\p{Nd}+")
_LETTERS = regex.compile(r"\p{L}+")
_PARTING = regex.compile(r"[-\u2010\u2011\s]+")
_RUN = regex.compile(r"\p{Han}|[\p{L}--\p{Han}]+", regex.VERSION1)
_BEGINNING = regex.compile(r"\p{Han}|(?<![\p{L}\p{M}\p{Nd}])[\p{L}--\p{Han}]+", regex.VERSION1)
_GLUING = ("de", "nl", None)
_GLUED_TO = regex.compile(r"jähr|stünd|tägig|minüt|wöch|monat|teilig|prozent|jarig|urig|daags")
# Every date in figures has such a mark, every other one a month's name.
_DATE_MARK = regex.compile(r"\p{Nd}(?:[./-]\s?\p{Nd}{1,2}[./-]|/\p{Nd}{4}|\s?[年년月월])")
_NOTHING = ["\uffff"]  # an empty list would match everywhere
_PRECISE = Context(prec=28, traps=[])
_MONTHS, _LONGEST_MONTH = 12, 31
_LONG, _SHORTEST_GLUED, _WIDEST_JOINT, _NEARBY = 4, 3, 7, 200
_OPEN_END = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\p{Thai}]$|[^\p{L}\p{M}.]$")
_UNIT_AHEAD = regex.compile(r"[+]?[\s\u00a0]?[-\u2010-\u2013]?[\s\u00a0]?[^\s\p{Nd}]")
_SYMBOL = regex.compile(r"\p{L}{1,2}")
_ROUND_PRICE = tuple(_Sense("price", code, Decimal(1)) for code in ("EUR", "CHF", "SEK", "NOK", "DKK", "PLN"))
_DASH_PRICE = regex.compile(r",[-\u2013\u2014]{1,2}(?!\p{Nd})|\.[\u2013\u2014](?!\p{Nd})")
_HUNDREDTHS = regex.compile(r"\p{Nd}{2}(?!\p{Nd}|[.,]\p{Nd})")
_JOINT = regex.compile(
    r"\s?(?:[-\u2010-\u2015~〜～x×*/]|(?i:\b(?:to|or|bis|oder|à|a|ou|o|al|ad|até|tot|of|до|と|から))\b|から)\s?"
)


@cache
def _month_names() -> Mapping[str, int]:
    return {name: month for month, names in enumerate(_table()["months"]["names"], 1) for name in names.split()}


@cache
def _date_pattern(*, dotted: bool) -> "regex.Pattern[str]":
    """Dates in words and figures; `dotted` where 24.12. is a day, and not the end of a sentence."""
    year = r"(?P<year>(?:19|20)\p{Nd}{2})(?!\p{Nd})"
    day = (
        r"(?<![\p{L}\p{Nd}])(?:(?P<from>\p{Nd}{1,2})\.?\s?[-\u2013]\s?)?"
        r"(?P<day>0?[1-9]|[12]\p{Nd}|3[01])(?:st|nd|rd|th|er|º|\.)?"
    )
    named = rf"{day}\s(?:(?:de|of)\s)?(?P<month>(?i:\L<names>))(?!\p{{L}})\.?(?:,?\s(?:de\s|del\s)?{year})?"
    after = (
        r"(?<!\p{L})(?P<month>(?i:\L<names>))\.?\s(?P<after>0?[1-9]|[12]\d|3[01])(?:st|nd|rd|th)?"
        r"(?![\p{L}\p{Nd}%:]|[.,]\d|\s?[%€$]|\s(?i:\L<units>)(?!\p{L}))"
        rf"(?:\s?[-\u2013]\s?(?P<until>\p{{Nd}}{{1,2}})(?![\p{{L}}\p{{Nd}}%]))?(?:,?\s{year})?"
    )
    monthly = rf"(?<!\p{{L}})(?P<month>(?i:\L<names>))\.?\s(?:de\s|del\s|of\s)?{year}"
    iso = rf"(?<!\p{{Nd}}){year}[-/.](?P<figure>0?[1-9]|1[0-2])[-/.](?P<at>0?[1-9]|[12]\d|3[01])(?!\p{{Nd}})"
    common = (
        r"(?<![\p{Nd}.])(?P<first>\p{Nd}{1,2})(?P<mark>[./-])(?P<second>\p{Nd}{1,2})(?P=mark)"
        r"(?P<year>(?:19|20)?\p{Nd}{2})(?!\p{Nd})"
    )
    brief = r"(?<![\p{Nd}.,])(?P<at>0?[1-9]|[12]\d|3[01])\.\s?(?P<figure>0?[1-9]|1[0-2])\.(?!\p{Nd})"
    short = rf"(?<![\p{{Nd}}/])(?P<figure>0?[1-9]|1[0-2])/{year}"
    eastern = (
        r"(?:(?P<year>(?:19|20)\p{Nd}{2})\s?[年년]\s?)(?P<figure>\p{Nd}{1,2})\s?[月월]"
        r"(?:\s?(?P<at>\p{Nd}{1,2})\s?[日号일])?"
        r"|(?<!\p{Nd})(?P<figure>\p{Nd}{1,2})\s?[月월](?!間|刊)(?:\s?(?P<at>\p{Nd}{1,2})\s?[日号일])?"
    )
    sides = [named, after, monthly, iso, common, short, eastern, *([brief] if dotted else [])]
    units = [word for word in _senses(None) if len(word) > 1]
    return regex.compile("|".join(sides), names=list(_month_names()), units=units)


_CLOCK = regex.compile(
    r"(?<![\p{Nd}.,:])(?:(?P<full>[01]?\d|2[0-3]):(?P<minute>[0-5]\d)(?![\p{Nd}:])"
    r"(?:\s?(?P<half>(?i:[ap]\.?m\b\.?|uhr)))?"
    r"|(?P<hour>[01]?\d|2[0-4])\s?(?P<part>(?i:[ap]\.m\.|[ap]m\b|uhr\b|o['’]clock|時(?!間))))"
)
