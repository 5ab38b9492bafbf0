"""Chooses where the lines of a headline end: pure arithmetic over the widths of its phrases."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from typing import Final

LONELY: Final = 0.34  # a last line shorter than this share of the longest is a widow
WIDOW: Final = 0.15  # what a widow costs, as the square of a line's slack
PAUSE: Final = 0.03  # what a line gains that ends where a reader would pause
PAUSES: Final = tuple(".,;:!?…–—、。，！？：；،؛؟।")
STOP: Final = 0.3  # what it gains that ends with its sentence, so that no first word of the next hangs on it
STOPS: Final = tuple(".!?…。！？؟।")


@dataclass(frozen=True)
class Phrase:
    """Something that stays on one line: its text, its width and that of the gap after it, in any one unit."""

    text: str
    width: float
    gap: float


def broken(phrases: Sequence[Phrase], width: float) -> list[str] | None:
    """Part phrases into as few lines as a width allows, of lengths as even as can be.

    None where a phrase is wider than the width. A short last line is avoided where that needs no further line.
    """
    count = _fewest(phrases, width)
    if count is None:
        return None
    ends = _evened(phrases, width, count)
    starts = [0, *ends[:-1]]
    return ["".join(phrase.text for phrase in phrases[start:end]) for start, end in zip(starts, ends, strict=True)]


def runs_on(line: str) -> bool:
    """Whether a sentence ends inside a line, so that the first words of the next hang on it."""
    return any(word.endswith(STOPS) for word in line.split()[:-1])


def _fewest(phrases: Sequence[Phrase], width: float) -> int | None:
    count, used = 1, 0.0
    for phrase in phrases:
        if phrase.width > width:
            return None
        if used + phrase.width > width:
            count, used = count + 1, 0.0
        used += phrase.width + phrase.gap
    return count


def _evened(phrases: Sequence[Phrase], width: float, count: int) -> list[int]:
    """Return where each of so many lines ends, with the least sum of squared slack."""
    places = [0.0, *accumulate(phrase.width + phrase.gap for phrase in phrases)]

    def used(start: int, end: int) -> float:
        return places[end] - places[start] - phrases[end - 1].gap

    ideal = max(used(0, len(phrases)) / count, *(phrase.width for phrase in phrases), 1.0)

    @cache
    def best(start: int, lines: int) -> tuple[float, tuple[int, ...]]:
        if lines == 1:
            return _last(used(start, len(phrases)), width, ideal, alone=count == 1), (len(phrases),)
        found: tuple[float, tuple[int, ...]] = (math.inf, ())
        for end in range(start + 1, len(phrases) - lines + 2):
            if used(start, end) > width:
                break
            cost, rest = best(end, lines - 1)
            cost += ((used(start, end) - ideal) / ideal) ** 2
            cost -= _rest(phrases[end - 1].text.rstrip())
            if cost < found[0]:
                found = (cost, (end, *rest))
        return found

    return list(best(0, count)[1])


def _rest(text: str) -> float:
    """What a line gains from how it ends."""
    return STOP if text.endswith(STOPS) else PAUSE if text.endswith(PAUSES) else 0.0


def _last(used: float, width: float, ideal: float, *, alone: bool) -> float:
    """Weigh the last line: one that is far too short is a widow, one that is too long is none at all."""
    if used > width:
        return math.inf
    widow = WIDOW if not alone and used < ideal * LONELY else 0.0
    return ((used - ideal) / ideal) ** 2 + widow
