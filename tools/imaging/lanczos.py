"""Lanczos in double precision: slow and exact, what a fast resizer is measured against.

The filter is sinc(x) · sinc(x/3) on three lobes to each side, widened by the reduction; pixels beyond an edge
do not exist, and the weights of those that do add up to one.
"""

import math
from collections.abc import Sequence

from PIL import Image

LOBES = 3


def weights(length: int, low: float, high: float, count: int) -> list[tuple[int, list[float]]]:
    """What each of `count` samples of the span `low` to `high` takes of a row: the first pixel, and the shares."""
    step = (high - low) / count
    wide = max(step, 1.0)
    return [_shares(length, low + (at + 0.5) * step, wide) for at in range(count)]


def lanczos(
    image: Image.Image, size: tuple[int, int], box: tuple[float, float, float, float]
) -> list[list[float]]:
    """Each band of `box` at `size`, row by row; for small pictures, since every sum is made in Python."""
    across = weights(image.width, box[0], box[2], size[0])
    down = weights(image.height, box[1], box[3], size[1])
    return [_resampled(band, across, down) for band in image.split()]


def likeness(image: Image.Image, exact: Sequence[Sequence[float]]) -> float:
    """How near a picture comes to what `lanczos` said, in decibels of the peak signal to noise ratio."""
    apart = [
        (level - min(max(value, 0.0), 255.0)) ** 2
        for band, values in zip(image.split(), exact, strict=True)
        for level, value in zip(band.tobytes(), values, strict=True)
    ]
    return 10 * math.log10(255**2 / max(sum(apart) / len(apart), 1e-9))


def _shares(length: int, centre: float, wide: float) -> tuple[int, list[float]]:
    first = max(0, math.floor(centre - LOBES * wide + 0.5))
    last = min(length, math.floor(centre + LOBES * wide + 0.5))
    raw = [_curve((at + 0.5 - centre) / wide) for at in range(first, last)]
    total = sum(raw)
    return first, [share / total for share in raw]


def _curve(x: float) -> float:
    if abs(x) >= LOBES:
        return 0.0
    return _sinc(x) * _sinc(x / LOBES)


def _sinc(x: float) -> float:
    return math.sin(math.pi * x) / (math.pi * x) if x else 1.0


def _resampled(
    band: Image.Image, across: Sequence[tuple[int, list[float]]], down: Sequence[tuple[int, list[float]]]
) -> list[float]:
    pixels, width = band.tobytes(), band.width
    rows = [
        [sum(map(float.__mul__, shares, map(float, pixels[y * width + first :]))) for first, shares in across]
        for y in range(band.height)
    ]
    return [
        sum(share * rows[first + at][x] for at, share in enumerate(shares))
        for first, shares in down
        for x in range(len(across))
    ]
