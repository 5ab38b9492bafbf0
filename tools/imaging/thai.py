"""Finds the words of a Thai text, which stand without spaces: the fewest that the list thai.txt knows.

The list is `words_th.txt` of PyThaiNLP 5.4.0, released as CC0.
"""

from functools import cache
from importlib.resources import files
from itertools import pairwise
from typing import Final

STRANGE: Final = 3  # what a character outside any word costs, in words
FOLLOWING: Final = frozenset(
    "ะาำๅๆฯ\u0e31\u0e34\u0e35\u0e36\u0e37\u0e38\u0e39\u0e3a\u0e47\u0e48\u0e49\u0e4a\u0e4b\u0e4c\u0e4d\u0e4e"
)
LEADING: Final = frozenset("เแโใไ")


def thai_words(text: str) -> list[str]:
    """Part a text into words; characters that belong to none form pieces of their own."""
    words, longest = _words()
    costs, origins = [0], [0]
    for end in range(1, len(text) + 1):
        cost, origin = costs[end - 1] + STRANGE, end - 1
        for start in range(max(0, end - longest), end):
            if costs[start] + 1 < cost and text[start:end] in words and _may_part(text, start, end):
                cost, origin = costs[start] + 1, start
        costs.append(cost)
        origins.append(origin)
    return _merged(text, _path(origins), words)


def _may_part(text: str, *places: int) -> bool:
    """Whether no place is within a cluster: before a vowel or tone that follows, after a vowel that leads."""
    return all(
        at in (0, len(text)) or (text[at] not in FOLLOWING and text[at - 1] not in LEADING) for at in places
    )


def _path(origins: list[int]) -> list[int]:
    ends = [len(origins) - 1]
    while ends[-1]:
        ends.append(origins[ends[-1]])
    return ends[::-1]


def _merged(text: str, ends: list[int], words: frozenset[str]) -> list[str]:
    """Join neighbouring characters that are no words, and what would part a cluster."""
    pieces: list[str] = []
    known = False
    for start, end in pairwise(ends):
        piece = text[start:end]
        is_word = piece in words
        if pieces and ((not is_word and not known) or not _may_part(text, start)):
            pieces[-1] += piece
        else:
            pieces.append(piece)
        known = is_word
    return pieces


@cache
def _words() -> tuple[frozenset[str], int]:
    words = frozenset(files("tools.imaging").joinpath("thai.txt").read_text("utf-8").split())
    return words, max(map(len, words))
