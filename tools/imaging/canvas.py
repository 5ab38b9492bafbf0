"""Lays the photo on its canvas, and fills what it leaves bare."""

from typing import Final

from PIL import Image, ImageFilter

from tools.imaging.box import Box
from tools.imaging.compose import Placing
from tools.imaging.fading import Side, fading
from tools.imaging.scaling import scaled
from tools.imaging.shelf import Shelf

EDGE: Final = 6  # pixels averaged into the line that is drawn out
FEW: Final = 5  # samples that keep a drawn-out line's gradient and drop its detail
SHRINK: Final = 16  # a backdrop is blurred at this fraction of its size, which is cheaper and looks the same


def photograph(image: Image.Image, placing: Placing, *, plain: bool) -> Image.Image:
    """Resize what is visible of the photo; draw out a plain background, lay a busy one over its own blur.

    Languages that place the photo alike share this work; each is given a picture of its own to write on.
    """
    return _LAID.get((placing, plain), lambda: _laid(image, placing, plain=plain), of=image).copy()


def _laid(image: Image.Image, placing: Placing, *, plain: bool) -> Image.Image:
    left, top, right, bottom = placing.visible.pixels()
    part = scaled(image, (max(1, right - left), max(1, bottom - top)), placing.window(*image.size))
    size = (round(placing.canvas.width), round(placing.canvas.height))
    if part.size == size:
        return part
    return _drawn_out(part, (left, top), size) if plain else _over_blur(image, part, (left, top), size)


def _drawn_out(part: Image.Image, at: tuple[int, int], size: tuple[int, int]) -> Image.Image:
    """Continue the edges to both sides, then the whole band upwards and downwards."""
    canvas = Image.new("RGB", size)
    canvas.paste(part, at)
    left, top, right, bottom = at[0], at[1], at[0] + part.width, at[1] + part.height
    deep = min(EDGE, part.width, part.height)
    _continue(canvas, (left, top, left + deep, bottom), (0, top, left, bottom), "left")
    _continue(canvas, (right - deep, top, right, bottom), (right, top, size[0], bottom), "right")
    _continue(canvas, (0, top, size[0], top + deep), (0, 0, size[0], top), "up")
    _continue(canvas, (0, bottom - deep, size[0], bottom), (0, bottom, size[0], size[1]), "down")
    return canvas


def _continue(
    canvas: Image.Image, edge: tuple[int, int, int, int], bare: tuple[int, int, int, int], towards: Side
) -> None:
    """Fill a bare box from an edge, letting its detail (the end of a shadow, say) dissolve on the way."""
    size = (bare[2] - bare[0], bare[3] - bare[1])
    if min(size) <= 0:
        return
    upright = towards in ("up", "down")
    thin, few = ((size[0], 1), (FEW, 1)) if upright else ((1, size[1]), (1, FEW))
    line = canvas.crop(edge).resize(thin, Image.Resampling.BOX)
    filling = line.resize(few, Image.Resampling.BOX).resize(size, Image.Resampling.BICUBIC)
    length = size[1] if upright else size[0]
    turn = 0 if towards in ("down", "right") else length
    soft = min(length, 0.22 * max(canvas.size))
    filling.paste(line.resize(size), (0, 0), fading(size, towards, turn=turn, soft=soft))
    canvas.paste(filling, bare[:2])


def _over_blur(image: Image.Image, part: Image.Image, at: tuple[int, int], size: tuple[int, int]) -> Image.Image:
    small = (max(8, size[0] // SHRINK), max(8, size[1] // SHRINK))
    scale = max(small[0] / image.width, small[1] / image.height)
    window = Box(0, 0, small[0] / scale, small[1] / scale)
    window = window.moved((image.width - window.width) / 2, (image.height - window.height) / 2)
    window = window.overlap(Box(0, 0, *image.size))
    box = (window.left, window.top, window.right, window.bottom)
    backdrop = image.resize(small, Image.Resampling.BOX, box=box, reducing_gap=2.0)
    canvas = backdrop.filter(ImageFilter.GaussianBlur(2.5)).resize(size, Image.Resampling.BICUBIC)
    canvas.paste(part, at)
    return canvas


_LAID = Shelf[Image.Image](48_000_000, weigh=lambda canvas: 4 * canvas.width * canvas.height)
