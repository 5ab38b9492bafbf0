"""Writes pixels as JPEG, PNG, WebP or AVIF, at the best quality that a byte budget leaves.

A search knows how length follows quality: what a picture's length at one quality is, tells its length at the
others within a few percent. So two or three encodes find what a plain bisection finds in six.
"""

import math
import os
import sys
import tempfile
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import IO, Final, Literal, cast

from PIL import Image, ImageFilter

from tools.imaging.vips import thrifty_jpeg

Format = Literal["jpeg", "png", "webp", "avif"]

MEDIA_TYPES: Final[dict[Format, str]] = {
    "jpeg": "image/jpeg",
    "png": "image/png",
    "webp": "image/webp",
    "avif": "image/avif",
}
BEST: Final = 88
WORST: Final = 24
CLOSE: Final = 0.9
"""The share of a budget that is good enough to stop at."""
MOST_ENCODES: Final = 7
FLAT: Final = 4096
"""Colours that a drawing has at most, its smoothed edges counted; a photo has ten times as many."""
SMALL: Final = 400_000
"""Pixels of a banner, which is shown pixel by pixel: its small coloured letters keep all of their colour (4:4:4),
which costs 14 to 40 % more bytes. What is larger is shown reduced."""


@dataclass(frozen=True)
class Encoded:
    """A written picture: how well, in how many attempts, and whether within its budget.

    `quality` is None for PNG. `softened` tells that the picture was blurred a little to fit.
    """

    data: bytes
    format: Format
    width: int
    height: int
    quality: int | None
    encodes: int
    fits: bool
    softened: bool = False

    @property
    def media_type(self) -> str:
        """Give the media type."""
        return MEDIA_TYPES[self.format]


def choose(formats: Iterable[str], *, has_alpha: bool = False) -> Format:
    """Pick what a placement is best served with, of the formats that it names ("jpg" or "jpeg").

    A photo goes as JPEG, which every platform decodes and recompresses well; what must stay transparent as PNG,
    then WebP. Raises ValueError when none of them is written here.
    """
    return choices(formats, has_alpha=has_alpha)[0]


def choices(formats: Iterable[str], *, has_alpha: bool = False) -> tuple[Format, ...]:
    """Order all that a placement takes, the favourite first; `fitted` tries the others when a budget is tight."""
    named = {"jpeg" if name == "jpg" else name for name in formats}
    order = _TRANSPARENT if has_alpha else _OPAQUE
    found: tuple[Format, ...] = tuple(kind for kind in order if kind in named)
    if not found:
        raise ValueError(f"None of {', '.join(sorted(named)) or 'no formats'} can be written here.")
    return found


def fitted(
    image: Image.Image, formats: Sequence[Format], max_bytes: int | None = None, *, reserve: int = 0
) -> Encoded:
    """Encode as the first of `formats`, within `max_bytes` less what is to be embedded later (`reserve`).

    Where quality would suffer, the more laborious encoder of the same format is used, then the formats behind.
    What does not fit even at the lowest quality is softened, and if that does not help, `fits` is False.
    """
    pixels, budget = image.copy(), None if max_bytes is None else max(0, max_bytes - reserve)
    if formats[0] == "png":
        return _png(pixels, budget)
    ways = [way for kind in formats if kind != "png" for way in _WAYS[kind]]
    if ways[0].kind == "jpeg" and image.width * image.height <= SMALL:
        ways.insert(0, _COLOURFUL)
    return _Search(pixels, ways, budget).run()


def encoded(
    image: Image.Image, formats: Sequence[Format], max_bytes: int | None = None, *, reserve: int = 0
) -> Encoded:
    """Encode as `fitted` does; a flat picture as PNG, where that is allowed, fits, and is not longer."""
    made = fitted(image, formats, max_bytes, reserve=reserve)
    if "png" in formats[1:] and image.getcolors(FLAT):
        exact = _saved(partial(image.copy().save, format="PNG", compress_level=9))
        if len(exact) <= len(made.data):
            fits = max_bytes is None or len(exact) <= max_bytes - reserve
            return Encoded(exact, "png", *image.size, None, made.encodes + 1, fits)
    return made


def responsive(
    image: Image.Image,
    widths: Iterable[int] = (1200, 600, 300),
    formats: Sequence[Format] = ("avif", "webp", "jpeg"),
) -> list[Encoded]:
    """Write copies at these widths for pages that let the browser choose: by format, the largest first.

    The shape stays to within half a pixel; no copy is wider than the image itself, and where all widths are
    wider there is one of its own.
    """
    narrower = sorted({width for width in widths if width <= image.width}, reverse=True)
    return [_reduced(image, width, kind) for kind in formats for width in narrower or [image.width]]


def _reduced(image: Image.Image, width: int, kind: Format) -> Encoded:
    size = (width, max(1, math.floor(image.height * width / image.width + 0.5)))
    small = image.copy() if size == image.size else image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
    quality = _RESPONSIVE[kind]
    return Encoded(_WAYS[kind][0].write(small, quality), kind, *size, quality, 1, fits=True)


@dataclass(frozen=True)
class _Way:
    """One encoder of a format: below `good` a better one is tried before its quality is lowered further.

    `curve` gives ln(length) at a few qualities, relative to a plain JPEG at BEST, as the median of 28 pictures.
    """

    kind: Format
    write: Callable[[Image.Image, int], bytes]
    good: int
    curve: tuple[tuple[int, float], ...]

    def length(self, quality: float) -> float:
        """Interpolate the curve."""
        at = min(max(bisect_right(self.curve, quality, key=lambda knot: knot[0]), 1), len(self.curve) - 1)
        (low, short), (high, long) = self.curve[at - 1 : at + 1]
        return short + (long - short) * (quality - low) / (high - low)

    def quality(self, length: float) -> float:
        """Invert it."""
        at = min(max(bisect_right(self.curve, length, key=lambda knot: knot[1]), 1), len(self.curve) - 1)
        (low, short), (high, long) = self.curve[at - 1 : at + 1]
        return low + (high - low) * (length - short) / (long - short)


@dataclass
class _Search:
    """Looks for the best quality under a budget; never over it, and in seven encodes at most."""

    pixels: Image.Image
    ways: list[_Way]
    budget: int | None
    encodes: int = 0
    anchor: float = 0.0  # ln(length) of this picture as a plain JPEG at BEST, as far as it is known
    low: int = WORST - 1  # the best quality known, or taken on trust, to fit
    high: int = BEST + 1  # the lowest quality known not to fit
    tried: dict[int, float] = field(default_factory=dict[int, float])
    found: Encoded | None = None
    given_up: list[_Way] = field(default_factory=list[_Way])

    def run(self) -> Encoded:
        best = self._full()
        if self.budget is None or best.fits:
            return best
        self._turn_to_better()
        while self.encodes < MOST_ENCODES - 2 and not self._is_close():
            quality = self._next_quality()
            if quality < self.ways[0].good and len(self.ways) > 1:
                self._turn_to_better()
            elif quality == WORST:
                break
            else:
                self._try(quality)
        return self.found or self._last()

    def _full(self) -> Encoded:
        written = self._written(self.ways[0], BEST)
        self.anchor = math.log(len(written.data)) - self.ways[0].length(BEST)
        self._learn(BEST, written)
        return written

    def _turn_to_better(self) -> None:
        """Go on to the first encoder that will do, and forget what was learned of the one before it."""
        while len(self.ways) > 1 and self._next_quality() < self.ways[0].good:
            self.given_up.append(self.ways.pop(0))
            self.tried, self.low, self.high = {}, WORST - 1, BEST + 1

    def _is_close(self) -> bool:
        used = len(self.found.data) if self.found else 0
        return self.high - self.low <= 1 or used > (self.budget or 0) * CLOSE

    def _next_quality(self) -> int:
        """Aim just below the budget: along the curve of all pictures, bent to what is known of this one."""
        way, target = self.ways[0], math.log(max(1, self.budget or 0) * (1 + CLOSE) / 2)
        points = sorted(self.tried.items(), key=lambda point: abs(point[1] - target))[:2]
        if not points:
            return self._between(way.quality(target - self.anchor))
        (quality, length), bend = points[0], 1.0
        if len(points) > 1:
            bend = (length - points[1][1]) / (way.length(quality) - way.length(points[1][0]))
        guess = way.quality(way.length(quality) + (target - length) / min(max(bend, 0.4), 2.5))
        # A picture whose length jumps misleads any line through it; halves always arrive.
        return self._between(min(guess, (self.low + self.high) / 2) if self._is_late() else guess)

    def _is_late(self) -> bool:
        return self.found is None and self.encodes >= MOST_ENCODES // 2

    def _between(self, quality: float) -> int:
        return min(max(math.floor(quality), self.low + 1), self.high - 1)

    def _try(self, quality: int) -> None:
        written = self._written(self.ways[0], quality)
        self._learn(quality, written)
        if written.fits:
            self.low, self.found = quality, written

    def _learn(self, quality: int, written: Encoded) -> None:
        self.tried[quality] = math.log(len(written.data))
        if not written.fits:
            self.high = quality

    def _last(self) -> Encoded:
        """Give the lowest quality that fits, of the encoders still at hand and the one given up last."""
        others = [way for way in self.given_up[-1:] if way.kind != self.ways[0].kind]
        for way in (self.ways[0], *others):
            if self.encodes < MOST_ENCODES - 1 and (worst := self._written(way, WORST)).fits:
                return worst
        self.pixels = self.pixels.filter(ImageFilter.GaussianBlur(_SOFT))
        return self._written(self.ways[0], WORST, softened=True)

    def _written(self, way: _Way, quality: int, *, softened: bool = False) -> Encoded:
        self.encodes += 1
        data = way.write(self.pixels, quality)
        fits = self.budget is None or len(data) <= self.budget
        return Encoded(data, way.kind, *self.pixels.size, quality, self.encodes, fits, softened)


def _png(pixels: Image.Image, budget: int | None) -> Encoded:
    """Fall back to a palette, then to fewer colours, when true colour is too long."""
    data, encodes = _saved(partial(pixels.save, format="PNG", compress_level=6)), 1
    method = Image.Quantize.FASTOCTREE if pixels.mode == "RGBA" else Image.Quantize.MEDIANCUT
    for colours in (256, 128, 64, 32):
        if budget is None or len(data) <= budget:
            break
        few = pixels.quantize(colours, method=method)
        data, encodes = _saved(partial(few.save, format="PNG", optimize=True)), encodes + 1
    return Encoded(data, "png", *pixels.size, None, encodes, budget is None or len(data) <= budget)


def _jpeg(pixels: Image.Image, quality: int) -> bytes:
    return _saved(partial(pixels.save, format="JPEG", quality=quality, subsampling="4:2:0", optimize=True))


def _jpeg_with_all_colour(pixels: Image.Image, quality: int) -> bytes:
    return _saved(partial(pixels.save, format="JPEG", quality=quality, subsampling="4:4:4", optimize=True))


def _webp(pixels: Image.Image, quality: int) -> bytes:
    return _saved(partial(pixels.save, format="WEBP", quality=quality, method=4))


def _avif(pixels: Image.Image, quality: int) -> bytes:
    # One thread: pictures share the cores already, and the bytes do not depend on the machine.
    return _saved(partial(pixels.save, format="AVIF", quality=quality, speed=8, max_threads=1, autotiling=False))


def _saved(save: Callable[[IO[bytes]], None]) -> bytes:
    """Save through a real descriptor: Pillow's JPEG encoder lets other threads run only then."""
    with _memory_file() as file:
        save(file)
        file.seek(0)
        return file.read()


def _memory_file() -> IO[bytes]:
    if sys.platform == "linux":
        return os.fdopen(os.memfd_create("creative"), "w+b")
    return cast("IO[bytes]", tempfile.TemporaryFile())


_OPAQUE: tuple[Format, ...] = ("jpeg", "webp", "avif", "png")
_TRANSPARENT: tuple[Format, ...] = ("png", "webp", "avif")
_SOFT = 1.2
# Qualities that look alike, of pictures with words on them.
_RESPONSIVE: dict[Format, int] = {"avif": 64, "webp": 80, "jpeg": 80}
_PLAIN = (
    (24, -1.079), (30, -0.963), (36, -0.866), (42, -0.788), (48, -0.717), (54, -0.654), (60, -0.584),
    (66, -0.501), (72, -0.411), (78, -0.282), (82, -0.194), (85, -0.108), (88, 0.0),
)  # fmt: skip
_THRIFTY = ((24, -1.41), (36, -1.149), (48, -1.002), (60, -0.863), (72, -0.669), (82, -0.416), (88, -0.206))
_WEBP = (
    (24, -1.467), (36, -1.337), (48, -1.209), (60, -1.112), (66, -1.062), (72, -1.007), (78, -0.898),
    (82, -0.792), (85, -0.703), (88, -0.585),
)  # fmt: skip
_AVIF = ((24, -2.057), (36, -1.801), (48, -1.166), (60, -0.897), (72, -0.715), (82, -0.567), (88, -0.44))
_COLOURFUL = _Way("jpeg", _jpeg_with_all_colour, 74, tuple((at, length + 0.21) for at, length in _PLAIN))
# Trellis quantisation needs 20 times the time and saves a fifth of the bytes; its 60 looks like a plain 50.
_WAYS: dict[Format, tuple[_Way, ...]] = {
    "jpeg": (_Way("jpeg", _jpeg, 60, _PLAIN), _Way("jpeg", thrifty_jpeg, 60, _THRIFTY)),
    "webp": (_Way("webp", _webp, 40, _WEBP),),
    "avif": (_Way("avif", _avif, 40, _AVIF),),
}
