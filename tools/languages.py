"""The languages that a campaign can speak, and how each of them writes its numbers."""

import json
import tomllib
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal
from difflib import get_close_matches
from functools import lru_cache
from importlib.resources import files
from types import MappingProxyType
from typing import Literal

import regex  # type: ignore[import-untyped]  # it ships no stubs
from pydantic import ConfigDict, TypeAdapter


class UnknownLanguage(LookupError):
    """No language in the table has this code."""

    def __init__(self, code: str) -> None:
        base = _folded(code).split("-")[0]
        near = [base] if base in _CODES else get_close_matches(base, _CODES, n=3, cutoff=0.5)
        names = ", ".join(dict.fromkeys(_CODES[folded] for folded in near)) or "en, de, ja and others"
        super().__init__(f"No language in the table has the code {code!r}; there is {names}.")
        self.code = code


@dataclass(frozen=True)
class Language:
    """A language as BCP 47 names it; decimal is its decimal mark, None where both are in use."""

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)

    code: str
    english: str
    endonym: str
    script: str
    direction: Literal["ltr", "rtl"] = "ltr"
    decimal: Literal[".", ","] | None = None
    aliases: tuple[str, ...] = ()

    def as_json(self) -> dict[str, str]:
        """Return code, english, endonym, script and direction for an API."""
        shown = ("code", "english", "endonym", "script", "direction")
        return {name: value for name, value in asdict(self).items() if name in shown}


@dataclass(frozen=True)
class Numeral:
    """A number as written: span in code points; each reading is all the values that it may stand for."""

    start: int
    end: int
    readings: tuple[frozenset[Decimal], ...]


def language(code: str) -> Language:
    """Look up a code or an alias in any case, with - or _; raises UnknownLanguage."""
    canonical = _CODES.get(_folded(code))
    if canonical is None:
        raise UnknownLanguage(code)
    return LANGUAGES[canonical]


def decimal_mark(code: str) -> Literal[".", ","] | None:
    """Return the decimal mark of a language; None where both are in use or the language is unknown."""
    canonical = _CODES.get(_folded(code)) or _CODES.get(_folded(code).split("-")[0])
    return LANGUAGES[canonical].decimal if canonical else None


def numerals(text: str, *, decimal: Literal[".", ","] | None = None) -> Iterator[Numeral]:
    """Find numbers in digits of any script; with decimal None, 1.000 may be a thousand or one."""
    for found in _NUMERAL.finditer(text):
        written = "".join(map(_plain, found["digits"]))
        power = _POWERS.get(str(found["power"] or "").casefold(), 0)
        readings = _readings(
            written.replace(_ARABIC_POINT, "."), "." if _ARABIC_POINT in written else decimal, power
        )
        yield Numeral(found.start(), found.end(), readings)


@lru_cache(maxsize=4096)
def _readings(written: str, decimal: Literal[".", ","] | None, power: int) -> tuple[frozenset[Decimal], ...]:
    """Read ASCII digits as the language would, else as the other half of the world, else as a list."""
    wholes = [_whole(written, point, power) for point in _POINTS[decimal]]
    ways = [frozenset({value}) for value in wholes if value is not None]
    ways = ways[:1] if decimal else ways
    if not ways or " " in written:
        ways.append(frozenset(Decimal(part) for part in regex.findall(r"\d+", written)))
    return tuple(ways)


def _whole(written: str, point: str, power: int) -> Decimal | None:
    """Read one number with this decimal mark, grouped by threes or as in 1,00,000, times 10**power."""
    found = _GROUPED[point].fullmatch(written)
    digits = regex.sub(r"\D", "", found["whole"]) if found else ""
    return Decimal(f"{digits}.{found['fraction'] or 0}E{power}") if found else None


def _plain(char: str) -> str:
    """Reduce a digit, a space or a grouping mark of any script to ASCII; the Arabic decimal mark stays."""
    digit = unicodedata.decimal(char, None)
    return str(digit) if digit is not None else _MARKS.get(char, char)


def _folded(code: str) -> str:
    return code.strip().replace("_", "-").casefold()


def _load() -> Mapping[str, Language]:
    """Read the table; pydantic's ValidationError names the line that is not as the table should be."""
    raw = tomllib.loads(files("tools").joinpath("languages.toml").read_text("utf-8"))
    table = {code: {"code": code, **entry} for code, entry in raw.items()}
    languages = TypeAdapter(dict[str, Language]).validate_json(json.dumps(table))
    return MappingProxyType(languages)


_POINTS: Mapping[str | None, tuple[str, str]] = {".": (".", ","), ",": (",", "."), None: (".", ",")}
_GROUPED = {
    point: regex.compile(
        rf"(?P<whole>\d{{1,3}}(?:[{group}' ]\d{{2,3}})*[{group}' ]\d{{3}}|\d+)(?:[{point}](?P<fraction>\d+))?"
    )
    for point, group in ((".", ","), (",", "."))
}
_MARKS = dict.fromkeys("\u00a0\u202f\u2009", " ") | {
    "\u2019": "'",
    "\u066c": "'",
    "\uff0e": ".",
    "\uff0c": ",",
}
_POWERS: Mapping[str, int] = (
    dict[str, int]()
    | dict.fromkeys(("k", "thousand", "tausend", "tsd", "mil", "mila", "mille", "duizend", "тыс", "千"), 3)
    | dict.fromkeys(("万", "萬", "만"), 4)
    | dict.fromkeys(("lakh",), 5)
    | dict.fromkeys(
        (
            "m",
            "million",
            "millions",
            "mio",
            "mn",
            "millionen",
            "millón",
            "millones",
            "milione",
            "milioni",
            "milhão",
            "milhões",
            "miljoen",
            "млн",
        ),
        6,
    )
    | dict.fromkeys(("crore",), 7)
    | dict.fromkeys(("億", "亿", "억"), 8)
    | dict.fromkeys(("bn", "billion", "billions", "milliarden", "milliards", "miliardi", "miljard", "млрд"), 9)
)
_WORDS = "|".join(power for power in _POWERS if power.isalpha() and power not in "m万萬만千億亿억")
# A small m is a metre, so only a capital one is a million.
_NUMERAL = regex.compile(
    r"(?P<digits>\p{Nd}{1,3}(?:[ \u00a0\u202f\u2009]\p{Nd}{3})+(?!\p{Nd})(?:[.,\u066b]\p{Nd}+)?"
    r"|\p{Nd}+(?:[.,'\u2019\u066b\u066c\uff0e\uff0c]\p{Nd}+)*)"
    rf"(?:\s?(?P<power>(?i:{_WORDS})|M)(?!\p{{L}})|\s?(?P<power>[万萬만千億亿억]))?"
)

_ARABIC_POINT = "\u066b"

LANGUAGES: Mapping[str, Language] = _load()
_CODES: Mapping[str, str] = MappingProxyType(
    {_folded(name): entry.code for entry in LANGUAGES.values() for name in (entry.code, *entry.aliases)}
)
