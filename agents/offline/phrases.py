"""The phrase tables: what the rehearsal model can say, in every language that it speaks."""

import hashlib
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Protocol, TypeVar

from tools import languages

TONES = ("premium", "playful", "friendly", "bold", "professional", "minimalist")
SLOT = re.compile(r"\{(\w+)\}")

_FRENCH_SPACE = re.compile(r" (?=[:»])|(?<=«) ")
_FRENCH_THIN_SPACE = re.compile(r" (?=[?!;])")


class UnknownLanguage(ValueError):
    """There is no phrase table for this language; the message names those that there are."""

    def __init__(self, code: str) -> None:
        known = ", ".join(sorted(SPOKEN))
        super().__init__(f"The rehearsal model does not speak {code!r}; it speaks {known}.")


class Named(Protocol):
    """Anything that a seeded order can tell apart."""

    @property
    def id(self) -> str:
        """A name that stays the same from run to run."""
        ...


N = TypeVar("N", bound=Named)


@dataclass(frozen=True)
class Phrase:
    """One thing to say, with `{slots}` for the product's words; without tones it suits every tone."""

    id: str
    kind: str
    tones: frozenset[str]
    texts: tuple[tuple[str, tuple[str, ...]], ...]

    def variants(self, language: str) -> tuple[str, ...]:
        """The ways to say it in `language`, the fullest first."""
        return dict(self.texts)[language]

    def suits(self, tones: Iterable[str]) -> bool:
        """Whether it fits one of `tones`."""
        return not self.tones or not self.tones.isdisjoint(tones)


def spoken(code: str) -> str:
    """The phrase table for a BCP 47 code: pt-BR speaks pt; raises `UnknownLanguage`."""
    base = code.replace("_", "-").partition("-")[0].casefold()
    if base not in SPOKEN:
        raise UnknownLanguage(code)
    return base


def phrases(kind: str) -> tuple[Phrase, ...]:
    """Every phrase of `kind`, in the order of its table."""
    return _tables()[kind]


def kinds() -> tuple[str, ...]:
    """Every kind of phrase that there is."""
    return tuple(_tables())


def wording(kind: str, name: str, language: str) -> str:
    """What the phrase `name` of `kind` says in `language`."""
    return next(phrase for phrase in phrases(kind) if phrase.id == name).variants(language)[0]


def shuffled(things: Iterable[N], seed: str) -> list[N]:
    """`things` in an order that `seed` alone decides."""
    return sorted(things, key=lambda thing: digest(seed, thing.id))


def digest(*parts: object) -> int:
    """A number that `parts` decide, the same on every machine."""
    joined = "\x1f".join(map(str, parts)).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(joined, digest_size=8).digest())


@cache
def read(name: str) -> Mapping[str, Any]:
    """The data file of that name beside this module."""
    return tomllib.loads(files("agents.offline").joinpath(f"{name}.toml").read_text("utf-8"))


@cache
def _tables() -> Mapping[str, tuple[Phrase, ...]]:
    folder = files("agents.offline").joinpath("phrases")
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".toml"))
    tables = [tomllib.loads(folder.joinpath(name).read_text("utf-8")) for name in names]
    return {
        kind: tuple(_phrase(kind, name, entry) for name, entry in table.items())
        for file in tables
        for kind, table in file.items()
    }


def _phrase(kind: str, name: str, entry: Mapping[str, Any]) -> Phrase:
    texts = tuple(
        (language, tuple(_typeset(text, language) for text in ([said] if isinstance(said, str) else said)))
        for language, said in entry.items()
        if language != "tones"
    )
    return Phrase(name, kind, frozenset(entry.get("tones", ())), texts)


def _typeset(text: str, language: str) -> str:
    """Put the no-break spaces that French typography wants, which nobody can see in a data file."""
    if language != "fr":
        return text
    return _FRENCH_THIN_SPACE.sub("\u202f", _FRENCH_SPACE.sub("\u00a0", text))


SPOKEN: frozenset[str] = frozenset(language for language, _ in phrases("tag")[0].texts)
LANGUAGES: frozenset[str] = frozenset(code for code in languages.LANGUAGES if code.partition("-")[0] in SPOKEN)
"""Every language of the table of languages that the rehearsal model speaks."""
