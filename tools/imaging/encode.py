"""Writes pixels as JPEG, PNG or WebP, at the best quality that a byte budget leaves."""

import math
import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import IO, Final, Literal

from PIL import Image

Format = Literal["jpeg", "png", "webp"]

MEDIA_TYPES: Final[dict[Format, str]] = {"jpeg": "image/jpeg", "png": "image/png", "webp": "image/webp"}
BEST: Final = 88
WORST: Final = 24
CLOSE: Final = 0.94  # a share of the budget that is good enough to stop at
ATTEMPTS: Final = 7
SLOPES: Final = {"jpeg": 0.026, "webp": 0.022}  # change of ln(bytes) for one step of quality


def encode(image: Image.Image, kind: Format, max_bytes: int | None = None) -> bytes:
    """Encode an RGB image; longer than max_bytes only where even the lowest quality is."""
    if kind == "png":
        return _png(image, max_bytes)
    if kind == "webp":
        return _to_budget(lambda quality: _webp(image, quality), SLOPES[kind], max_bytes)
    return _to_budget(lambda quality: _jpeg(image, quality), SLOPES[kind], max_bytes)


def _jpeg(image: Image.Image, quality: int) -> bytes:
    return _saved(lambda file: image.save(file, "JPEG", quality=quality, subsampling=2, optimize=True))


def _webp(image: Image.Image, quality: int) -> bytes:
    return _saved(lambda file: image.save(file, "WEBP", quality=quality, method=4))


def _png(image: Image.Image, max_bytes: int | None) -> bytes:
    """Fall back to a palette, then to fewer colours, when true colour is too long."""
    data = _saved(lambda file: image.save(file, "PNG", compress_level=6))
    for colours in (256, 128, 64, 32):
        if max_bytes is None or len(data) <= max_bytes:
            break
        few = image.quantize(colours, method=Image.Quantize.MEDIANCUT)
        data = _saved(partial(few.save, format="PNG", optimize=True))
    return data


@dataclass
class _Search:
    """Qualities tried so far: the secant's memory."""

    slope: float
    low: int = WORST - 1  # the best quality known, or taken on trust, to fit
    high: int = BEST + 1  # the lowest quality known not to fit
    tried: dict[int, float] = field(default_factory=dict[int, float])

    def next_quality(self, target: float) -> int:
        """Aim just below the target on a straight line of ln(bytes) over quality."""
        points = sorted(self.tried.items(), key=lambda point: abs(point[1] - target))[:2]
        slope = self.slope
        if len(points) > 1 and points[0][1] != points[1][1]:
            slope = (points[0][1] - points[1][1]) / (points[0][0] - points[1][0])
        guess = math.floor(points[0][0] + (target - points[0][1]) / max(slope, 0.004))
        return min(max(guess, self.low + 1), self.high - 1)


def _to_budget(write: Callable[[int], bytes], slope: float, max_bytes: int | None) -> bytes:
    """Search the quality by secant; seven encodes at most, and never over unless nothing fits."""
    data = write(BEST)
    if max_bytes is None or len(data) <= max_bytes:
        return data
    search, best = _Search(slope, high=BEST, tried={BEST: math.log(len(data))}), b""
    for _ in range(ATTEMPTS - 2):
        if search.high - search.low <= 1 or len(best) > max_bytes * CLOSE:
            break
        quality = search.next_quality(math.log(max_bytes * (1 + CLOSE) / 2))
        data = write(quality)
        search.tried[quality] = math.log(len(data))
        if len(data) <= max_bytes:
            search.low, best = quality, data
        else:
            search.high = quality
    return best or write(WORST)


def _saved(save: Callable[[IO[bytes]], None]) -> bytes:
    """Save through a real descriptor: Pillow's JPEG encoder lets other threads run only then."""
    with _memory_file() as file:
        save(file)
        file.seek(0)
        return file.read()


def _memory_file() -> IO[bytes]:
    if sys.platform == "linux":
        return os.fdopen(os.memfd_create("creative"), "w+b")
    return tempfile.TemporaryFile()
