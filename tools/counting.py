"""How long a text is: platforms disagree, so every limit names the rule that it is counted by."""

import sys
import unicodedata
from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from importlib.resources import files
from threading import Lock
from types import MappingProxyType, ModuleType
from typing import Literal, get_args

import regex  # type: ignore[import-untyped]  # it ships no stubs

CountingRule = Literal["x_weighted_v3", "display_width", "utf8_bytes", "chars"]
COUNTING_RULES: tuple[CountingRule, ...] = get_args(CountingRule)
ELLIPSIS = "…"

_GRAPHEME = regex.compile(r"\X")
_EMOJI_SEQUENCE = regex.compile(
    r"\p{Extended_Pictographic}[\U0001F3FB-\U0001F3FF\uFE0F]*"
    r"(?:\u200D\p{Extended_Pictographic}[\U0001F3FB-\U0001F3FF\uFE0F]*)+"
    r"|\p{Extended_Pictographic}[\U0001F3FB-\U0001F3FF]\uFE0F?"
)
_RUN = regex.compile(r"\s*\S+|\s+")
_CJK = regex.compile(r"([\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\u3000-\u303F\uFF00-\uFF0F]+)")
_LONGEST_RUN = 512
_LONGEST_URL = 2048
_MOST_DOTS = 24
_LOADING = Lock()


def measure(text: str, rule: CountingRule | str) -> int:
    """Length of NFC(text) by rule; a lone surrogate counts as U+FFFD; ValueError for an unknown rule."""
    if rule not in _RULES:
        raise ValueError(f"No counting rule is called {rule!r}; known are {', '.join(_RULES)}.")
    return _RULES[rule](_normal(text))


def fitting(text: str, limit: int, rule: CountingRule | str) -> int:
    """Return where the longest prefix of whole graphemes ends that measures at most limit."""
    ends: list[int] = [0, *(match.end() for match in _GRAPHEME.finditer(text))]
    low, high = 0, len(ends) - 1
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if measure(text[: ends[middle]], rule) <= limit else (low, middle - 1)
    # A prefix can weigh more than a longer one: an address is cheap only once it is complete.
    while low and measure(text[: ends[low]], rule) > limit:
        low -= 1
    return ends[low]


def shorten(text: str, limit: int, rule: CountingRule | str) -> str:
    """Return the text, or its first whole words and an ellipsis; empty when not even that one fits."""
    if measure(text, rule) <= limit:
        return text
    short = _whole_words(text, fitting(text, limit - measure(ELLIPSIS, rule), rule))
    while short and measure(short + ELLIPSIS, rule) > limit:
        short = "".join(_GRAPHEME.findall(short)[:-1])
    return short + ELLIPSIS if measure(short + ELLIPSIS, rule) <= limit else ""


def _whole_words(text: str, end: int) -> str:
    """Cut at end, or at the last space before it unless that would lose more than half."""
    kept = text[:end]
    if end < len(text) and not text[end].isspace():
        spaces = [at for at, char in enumerate(kept) if char.isspace()]
        kept = kept[: spaces[-1]] if spaces and spaces[-1] >= end // 2 else kept
    return kept.rstrip(" \t\r\n,;:-\u2013\u2014")


def _normal(text: str) -> str:
    """NFC, surrogate pairs joined and lone surrogates replaced, so that every str can be encoded."""
    paired = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return unicodedata.normalize("NFC", paired)


def _display_width(text: str) -> int:
    """Wide and fullwidth code points are 2, all others 1, combining marks too (UAX 11; Ambiguous is 1)."""
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def _x_weighted(text: str) -> int:
    """X's weighted length, configuration v3: an address 23, an emoji 2, others 1 or 2 by range.

    Source: https://docs.x.com/fundamentals/counting-characters
    """
    return sum(_run_weight(run) for run in _RUN.findall(_EMOJI_SEQUENCE.sub("😀", text)))


def _run_weight(run: str) -> int:
    """Weigh one run with the spaces before it, cut when long: the parser is quadratic in length."""
    pieces = [run] if len(run) <= _LONGEST_RUN or "://" in run else _CJK.split(run)
    return sum(_weigher()(_tame(piece)) for piece in pieces)


def _tame(piece: str) -> str:
    """Hide the dots, and so any address, of a piece that is too long or too dotted to be one."""
    too_much = len(piece) > _LONGEST_URL or piece.count(".") > _MOST_DOTS
    return piece.replace(".", ",") if too_much else piece


@cache
def _weigher() -> Callable[[str], int]:
    """Load twitter-text-parser, whose emoji list ends at Unicode 12."""
    name = "pkg_resources"
    with _LOADING:
        real = sys.modules.get(name)
        sys.modules[name] = _pkg_resources(name)
        try:
            parse = import_module("twitter_text").parse_tweet
        finally:
            del sys.modules[name]
            if real:
                sys.modules[name] = real
    return lambda text: int(parse(text).weightedLength)


def _pkg_resources(name: str) -> ModuleType:
    """Stand in for what the parser imports: setuptools no longer ships pkg_resources."""

    def resource_string(module: str, file: str) -> bytes:
        return files(module.rpartition(".")[0]).joinpath(file).read_bytes()

    stand_in = ModuleType(name)
    vars(stand_in)["resource_string"] = resource_string
    return stand_in


_RULES: Mapping[str, Callable[[str], int]] = MappingProxyType(
    {
        "x_weighted_v3": _x_weighted,
        "display_width": _display_width,
        "utf8_bytes": lambda text: len(text.encode()),
        "chars": len,
    }
)
