"""The words that rules look for: read from the tables in words/, compiled once for each language."""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

import regex  # type: ignore[import-untyped]  # it ships no stubs

LANGUAGES = ("en", "de", "fr", "es", "it", "pt", "nl", "ja")


@dataclass(frozen=True)
class Wording:
    """Words that were looked for: the group that they belong to, and where they stand."""

    group: str
    span: tuple[int, int]


def find(rule: str, language: str, text: str) -> Sequence[Wording]:
    """What `rule` looks for in `text`, by place, without overlap: words of `language` and of all languages."""
    return _remembered(rule, language, text) if len(text) <= _LONGEST_REMEMBERED else _find(rule, language, text)


def _find(rule: str, language: str, text: str) -> Sequence[Wording]:
    vocabularies = [_vocabulary(rule, spoken) for spoken in (language, "any")]
    found = [wording for vocabulary in vocabularies for wording in vocabulary.find(text)]
    return _apart(found) if len(found) > 1 else found


def find_in_any(rule: str, text: str) -> Sequence[Wording]:
    """What `rule` looks for in `text`, whichever language it is written in."""
    return _apart([wording for spoken in LANGUAGES for wording in find(rule, spoken, text)])


@cache
def words(rule: str, language: str, name: str) -> frozenset[str]:
    """The plain words of that name in the rule's table; none where it has none for the language."""
    return frozenset(_table().get(rule, {}).get(language, {}).get("words", {}).get(name, ()))


def _apart(found: Sequence[Wording]) -> list[Wording]:
    """Of wordings that overlap, the one that begins first, and of those the longest."""
    kept: list[Wording] = []
    for wording in sorted(found, key=lambda one: (one.span[0], -one.span[1])):
        if not kept or wording.span[0] >= kept[-1].span[1]:
            kept.append(wording)
    return kept


@dataclass(frozen=True)
class _Vocabulary:
    """Patterns by group, and those whose words mean something else."""

    groups: Mapping[str, "regex.Pattern[str]"]
    unless: "regex.Pattern[str] | None"

    def find(self, text: str) -> Iterator[Wording]:
        text = text.replace("\u2019", "'")
        found = [Wording(name, one.span()) for name, group in self.groups.items() for one in group.finditer(text)]
        if not found or self.unless is None:
            yield from found
            return
        innocent = [one.span() for one in self.unless.finditer(text)]
        yield from (one for one in found if not any(_overlap(one.span, span) for span in innocent))


def _overlap(one: tuple[int, int], other: tuple[int, int]) -> bool:
    return one[0] < other[1] and other[0] < one[1]


@cache
def _vocabulary(rule: str, language: str) -> _Vocabulary:
    entry: Mapping[str, Any] = _table().get(rule, {}).get(language, {})
    lists = {name: "|".join(fragments) for name, fragments in entry.get("lists", {}).items()}
    groups = {
        name: _compiled(fragments, lists, language)
        for name, fragments in entry.items()
        if name not in ("lists", "unless", "words")
    }
    unless = _compiled(entry["unless"], lists, language) if "unless" in entry else None
    return _Vocabulary(groups, unless)


def _compiled(fragments: Sequence[str], lists: Mapping[str, str], language: str) -> "regex.Pattern[str]":
    """One pattern of all fragments, as whole words where the language has spaces between words."""
    joined = "|".join(_spelled(fragment, lists) for fragment in fragments)
    before, after = ("", "") if language in _UNSPACED else (_BEFORE, _AFTER)
    return regex.compile(f"{before}(?:{joined}){after}", regex.IGNORECASE)


def _spelled(fragment: str, lists: Mapping[str, str]) -> str:
    """Put lists where they are named; outside of [] a space is any space, ~ a hyphen, a space or nothing."""
    filled = fragment
    for _ in range(_DEEPEST):
        filled = _SLOT.sub(lambda found: f"(?:{lists.get(found[1]) or _GAPS[found[1]]})", filled)
    pieces: list[str] = _PIECE.findall(filled.replace("\u2019", "'"))
    return "".join(_SIGNS.get(sign, sign) for sign in pieces)


@cache
def _table() -> Mapping[str, Mapping[str, Any]]:
    """Every table of words/, by rule and language."""
    folder = files("tools.policy").joinpath("words")
    tables = [
        tomllib.loads(entry.read_text("utf-8")) for entry in folder.iterdir() if entry.name.endswith(".toml")
    ]
    return {rule: entry for table in tables for rule, entry in table.items()}


# The same short texts are looked at again and again while copy is written and judged.
_LONGEST_REMEMBERED = 400
_remembered = lru_cache(maxsize=32_768)(_find)
_UNSPACED = ("ja",)
_BEFORE = r"(?<![\p{L}\p{M}\p{N}_])"
_AFTER = r"(?![\p{L}\p{M}\p{N}_])"
_SLOT = regex.compile(r"\{([a-z]+)\}")
_DEEPEST = 3
_PIECE = regex.compile(r"\[(?:\\.|[^\]\\])*\]|\\.|.", regex.DOTALL)
_SIGNS = {" ": r"(?:\s{1,3})", "~": r"[\s\-\u2010\u2011]?"}
_GAPS = {
    "gap": r"(?:[\p{L}\p{M}'\u2019-]{1,20} ){0,2}",
    "wide": r"(?:[\p{L}\p{M}\p{N}'\u2019%-]{1,20},? ){0,5}",
    "amount": r"\p{Sc}? ?\p{N}[\p{N}.,]{0,12}(?: ?(?:k|\p{Sc}))?",
    "number": r"\p{N}[\p{N}.,]{0,8}",
}
