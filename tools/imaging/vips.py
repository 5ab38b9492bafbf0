"""The one door to libvips: text through Pango, attention, luminance, and tall pictures.

Fontconfig reads its configuration once, so the variable is set here, before anything can import pyvips.
"""

import os
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Final, Literal

from PIL import Image

FONTS: Final = Path(__file__).resolve().parent / "fonts"

os.environ["FONTCONFIG_FILE"] = str(FONTS / "fonts.conf")
_vips: Any = import_module("pyvips")
_vips.cache_set_max(0)

Align = Literal["low", "centre"]
Wrap = Literal["word", "word-char"]


def text_mask(
    markup: str, *, font: str, width: int | None = None, align: Align = "low", wrap: Wrap = "word"
) -> tuple[Image.Image, int, int]:
    """Draw Pango markup; gives the ink (mode L) and where it begins in its layout, x and y in pixels.

    A font size is in pixels. Raises ValueError when the markup is broken or leaves no ink.
    """
    breadth = {"width": width} if width else {}
    try:
        drawn = _vips.Image.text(markup, font=font, dpi=72, align=align, wrap=wrap, **breadth)
    except _vips.Error as error:
        raise ValueError(f"This text cannot be drawn: {error}") from error
    mask = Image.frombytes("L", (drawn.width, drawn.height), drawn.write_to_memory())
    return mask, int(drawn.get("xoffset")), int(drawn.get("yoffset"))


def attention_point(image: Image.Image) -> tuple[float, float]:
    """Find where an eye goes first, as shares of width and height."""
    picture = _from_pillow(image)
    side = max(1, round(min(image.size) * 0.5))
    _, found = picture.smartcrop(side, side, interesting="attention", attention_x=True, attention_y=True)
    return found["attention_x"] / image.width, found["attention_y"] / image.height


def luminance_percentiles(image: Image.Image, low: float, high: float) -> tuple[float, float]:
    """Measure WCAG relative luminance (0 to 1) at two percentiles of an RGB image's pixels."""
    relative = _from_pillow(image).colourspace("xyz")[1] * (65535 / 100)
    levels = relative.cast("ushort")
    return levels.percent(low) / 65535, levels.percent(high) / 65535


def stack(strips: Sequence[bytes]) -> bytes:
    """Join PNGs of one width from top to bottom into one PNG, reading each only as it is written."""
    row = [_vips.Image.new_from_buffer(strip, "", access="sequential") for strip in strips]
    while len(row) > 1:  # pairs of pairs: a chain of hundreds would be as many calls deep
        row = [_joined(row[at : at + 2]) for at in range(0, len(row), 2)]
    png: bytes = row[0].pngsave_buffer(compression=7, filter="sub", keep="none")
    return png


def _joined(pair: list[Any]) -> Any:
    return pair[0].join(pair[1], "vertical") if len(pair) > 1 else pair[0]


def _from_pillow(image: Image.Image) -> Any:
    picture = _vips.Image.new_from_memory(
        image.tobytes(), image.width, image.height, len(image.getbands()), "uchar"
    )
    return picture.copy(interpretation="srgb" if image.mode == "RGB" else "b-w")
