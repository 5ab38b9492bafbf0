"""Puts a logo into a corner that is free, with air around it, and on a plate where it could not be seen."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from PIL import Image

from tools.imaging.box import Box
from tools.imaging.colour import BLACK, RGB, WHITE, contrast, luminance
from tools.imaging.light import luminance_percentiles
from tools.imaging.source import SourcePicture
from tools.imaging.templates import Corner

AREA: Final = 0.115  # the root of its area, as a share of the root of the canvas's area
WIDEST: Final = 0.34  # of the canvas's width
TALLEST: Final = 0.13  # of the canvas's height
APART: Final = 1.9  # times that air above and below, where words would look like the logo's own
SMALLER: Final = (1.0, 0.8, 0.64, 0.5)  # tried one after another
AIR: Final = 0.3  # clear space on every side, of the logo's height
TINY: Final = 10  # pixels of height below which a logo is no logo
SEEN: Final = 3.0  # contrast with the ground, as WCAG 2.2 asks of graphics (criterion 1.4.11)


@dataclass(frozen=True, eq=False)
class Mark:
    """A logo ready to be pasted: its pixels, its mask, its place, and the plate behind it if it needs one."""

    image: Image.Image
    mask: Image.Image
    box: Box
    plate: Box | None
    ground: RGB = WHITE


def mark(
    logo: SourcePicture,
    corners: Sequence[Corner],
    safe: Box,
    taken: Sequence[Box],
    canvas: Image.Image,
    *,
    rtl: bool,
) -> Mark | None:
    """Place a logo in the first corner of the safe area that nothing takes; None where there is none.

    There is air around it, and as much around its plate if it stands on one.
    """

    def is_free(box: Box, air: float) -> bool:
        return not any(box.grown(air, APART * air).overlap(other).area for other in taken)

    for share in SMALLER:
        width, height = _size(logo, canvas.size, share)
        if height < TINY:
            return None
        air = AIR * height
        for corner in corners:
            box = _in_corner(safe, corner, width, height, air, rtl=rtl)
            if not is_free(box, air):
                continue
            made = _mark(logo, box, canvas)
            if made.plate is None or is_free(made.plate, air):
                return made
    return None


def _size(logo: SourcePicture, canvas: tuple[int, int], share: float) -> tuple[int, int]:
    across, down = logo.image.size
    root = AREA * share * math.sqrt(canvas[0] * canvas[1])
    scale = min(
        root / math.sqrt(across * down),
        WIDEST * canvas[0] / across,
        TALLEST * share * canvas[1] / down,
    )
    return max(1, round(across * scale)), max(1, round(down * scale))


def _in_corner(safe: Box, corner: Corner, width: int, height: int, air: float, *, rtl: bool) -> Box:
    """Keep the clear space inside the safe area only where a plate would need it."""
    vertical, horizontal = corner.split("_")
    at_left = (horizontal == "start") != rtl
    left = math.ceil(safe.left + air) if at_left else math.floor(safe.right - air - width)
    top = math.ceil(safe.top + air) if vertical == "top" else math.floor(safe.bottom - air - height)
    return Box(left, top, left + width, top + height)


def _mark(logo: SourcePicture, box: Box, canvas: Image.Image) -> Mark:
    size = (round(box.width), round(box.height))
    image = logo.image.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)
    opaque = Image.new("L", size, 255)
    mask = logo.alpha.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0) if logo.alpha else opaque
    if logo.alpha is None:
        return Mark(image, mask, box, None)
    level = _level(image, mask)
    low, high = luminance_percentiles(canvas.crop(box.pixels()), 5, 95)
    if min(contrast(level, low), contrast(level, high)) >= SEEN:
        return Mark(image, mask, box, None)
    ground = max((WHITE, BLACK), key=lambda colour: contrast(luminance(colour), level))
    air = AIR * box.height
    return Mark(image, mask, box, box.grown(air, air).inwards(), ground)


def _level(image: Image.Image, mask: Image.Image) -> float:
    """The luminance of a logo's own colour: the mean of what is opaque."""
    shown = Image.composite(image, Image.new("RGB", image.size, WHITE), mask)
    weight = sum(level * count for level, count in enumerate(mask.histogram()))
    if not weight:
        return 1.0
    mean: list[int] = []
    for channel in shown.split():
        inverse = channel.point(lambda level: 255 - level)
        total = sum(level * count for level, count in enumerate(inverse.histogram()))
        mean.append(round(255 - min(255.0, total * 255 / weight)))
    return luminance((mean[0], mean[1], mean[2]))
