"""Crops and resizes photos, by the fastest library at hand that comes close to an exact Lanczos filter."""

import threading
from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any, Final

import structlog
from PIL import Image

from tools.imaging.box import Box
from tools.imaging.lanczos import lanczos, likeness
from tools.imaging.shelf import Shelf
from tools.imaging.vips import Pixels

Size = tuple[int, int]
Window = tuple[int, int, int, int]
Reduce = Callable[[Image.Image, Size, Window], Image.Image]

FAITHFUL: Final = 53.0
"""Decibels from an exact Lanczos filter that a library must reach; rounding to whole levels alone costs 58.9."""

log = structlog.get_logger()


def scaled(image: Image.Image, size: Size, window: Box) -> Image.Image:
    """A window of an RGB picture, in its pixels, at another size; the picture is left alone and may be shared.

    Where it gets smaller the window is rounded to whole pixels, which moves nothing by a visible amount; where
    it gets larger, fractions count.
    """
    if window.width < size[0] or window.height < size[1]:
        return _enlarged(image, size, window)
    return _reduced(image, size, whole(window, image.size, size), reducer())


def whole(window: Box, bounds: Size, size: Size) -> Window:
    """A window in whole pixels within `bounds`; in even ones where a half of the picture will do for `size`."""
    grid = 2 if min(window.width / size[0], window.height / size[1]) >= _ENOUGH else 1
    (left, right), (top, bottom) = (
        _span(low, high, most, grid)
        for low, high, most in ((window.left, window.right, bounds[0]), (window.top, window.bottom, bounds[1]))
    )
    return left, top, right, bottom


def reducer() -> Reduce:
    """The library that makes pictures smaller, chosen at first use: `cykooz-resizer` if it is there and right."""
    with _CHOOSING:
        return _chosen()


def forget() -> None:
    """Choose anew for the next picture, as after an installation."""
    with _CHOOSING:
        _chosen.cache_clear()
        _cykooz.cache_clear()


def passes(reduce: Reduce) -> bool:
    """Whether a library makes of a small drawn picture what an exact filter makes of it."""
    picture, size, window = _drawn(), (19, 17), (5, 3, 59, 48)
    made = reduce(picture, size, window)
    return made.mode == "RGB" and made.size == size and likeness(made, lanczos(picture, size, window)) >= FAITHFUL


def by_cykooz(image: Image.Image, size: Size, window: Window) -> Image.Image:
    """Reduce by Rust's fast_image_resize."""
    rust, made = _cykooz(), Image.new("RGB", size)
    left, top, right, bottom = window
    box = rust.CropBox(left, top, right - left, bottom - top)
    lanczos3 = rust.ResizeAlg.convolution(rust.FilterType.lanczos3)
    options = rust.ResizeOptions(lanczos3, use_alpha=False, crop_box=box)
    rust.Resizer().resize_pil(image, made, options)  # a resizer of its own: they cannot be shared by threads
    return made


def by_vips(image: Image.Image, size: Size, window: Window) -> Image.Image:
    """Reduce by libvips, from pixels that it is handed once a picture."""
    return _PIXELS.get("pixels", lambda: Pixels(image), of=image).scaled(size, window)


def _reduced(image: Image.Image, size: Size, window: Window, reduce: Reduce) -> Image.Image:
    """Reduce, from a half of the picture where that leaves enough; the half is made once, an odd edge left out."""
    left, top, right, bottom = window
    if min((right - left) / size[0], (bottom - top) / size[1]) < _ENOUGH:
        return reduce(image, size, window)
    width, height = image.width // 2, image.height // 2
    half = _HALVES.get(reduce, lambda: reduce(image, (width, height), (0, 0, 2 * width, 2 * height)), of=image)
    return reduce(half, size, (left // 2, top // 2, min(right // 2, width), min(bottom // 2, height)))


def _enlarged(image: Image.Image, size: Size, window: Box) -> Image.Image:
    box = window.overlap(Box(0, 0, *image.size))
    return image.resize(
        size, Image.Resampling.LANCZOS, box=(box.left, box.top, box.right, box.bottom), reducing_gap=3.0
    )


def _span(low: float, high: float, most: int, grid: int) -> tuple[int, int]:
    """Round both ends to a grid, and keep something between them."""
    first = min(max(0, round(low / grid) * grid), most - 1)
    return first, max(first + 1, min(round(high / grid) * grid, most))


@cache
def _chosen() -> Reduce:
    try:
        if passes(by_cykooz):
            return by_cykooz
        log.warning("resizer_refused", resizer="cykooz-resizer", reason="its pixels are wrong", instead="libvips")
    except ImportError:
        log.info("resizer_missing", resizer="cykooz-resizer", hint="the extra `fast` brings it", instead="libvips")
    except Exception as error:  # noqa: BLE001 - whatever it raises, there is another library
        log.warning("resizer_refused", resizer="cykooz-resizer", reason=repr(error), instead="libvips")
    return by_vips


@cache
def _cykooz() -> Any:
    return import_module("cykooz_resizer")


def _drawn() -> Image.Image:
    """A small picture with slopes, fine waves and hard edges, of an odd width."""
    levels = bytearray()
    for y in range(50):
        for x in range(61):
            edge = 40 if (x // 7 + y // 9) % 2 else 0
            levels += bytes((40 + 2 * x + edge, 160 - 3 * y + edge, 90 + (x * y * 7) % 41 + edge // 2))
    return Image.frombytes("RGB", (61, 50), bytes(levels))


_ENOUGH = 2.75  # times that a window is too large where a half of the picture does as well: 53 dB and more
_CHOOSING = threading.Lock()
_HALVES = Shelf[Image.Image](64_000_000, weigh=lambda image: 4 * image.width * image.height)
_PIXELS = Shelf[Pixels](160_000_000, weigh=lambda pixels: pixels.weight)
