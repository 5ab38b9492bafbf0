"""The one door to libvips: text through Pango, attention, and tall pictures.

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
os.environ.setdefault("VIPS_CONCURRENCY", "1")  # tools/imaging/pool.py has a thread for every core already
_vips: Any = import_module("pyvips")
_vips.cache_set_max(0)

Align = Literal["low", "centre"]
Wrap = Literal["word", "word-char"]


def text_mask(
    markup: str,
    *,
    font: str,
    width: int | None = None,
    align: Align = "low",
    wrap: Wrap = "word",
    file: Path | None = None,
) -> tuple[Image.Image, int, int]:
    """Draw Pango markup; gives the ink (mode L) and where it begins in its layout, x and y in pixels.

    A font size is in pixels; a file is a font that the process may not know yet. Raises ValueError when the
    markup is broken or leaves no ink.
    """
    more: dict[str, Any] = {"width": width} if width else {}
    if file:
        more["fontfile"] = str(file)
    try:
        drawn = _vips.Image.text(markup, font=font, dpi=72, align=align, wrap=wrap, **more)
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


class Pixels:
    """An RGB picture's pixels where libvips crops and reduces them without another copy; safe from any thread."""

    def __init__(self, image: Image.Image) -> None:
        self.height = image.height
        self.weight = 3 * image.width * image.height
        self.picture = _from_pillow(image)

    def scaled(self, size: tuple[int, int], window: tuple[int, int, int, int]) -> Image.Image:
        """Give a window, in whole pixels, at a smaller size, by Lanczos."""
        left, top, right, bottom = window
        part = self.picture.crop(left, top, right - left, bottom - top)
        small = part.resize(size[0] / part.width, vscale=size[1] / part.height, kernel="lanczos3", gap=_GAP)
        return Image.frombytes("RGB", size, small.write_to_memory())


def reduced(data: bytes) -> Image.Image:
    """Read a PNG or WebP at half its size, a few rows at a time; gives L, LA, RGB or RGBA with its profile.

    Raises ValueError when the file is cut short or damaged.
    """
    try:
        if data.startswith(b"RIFF"):
            half = _vips.Image.webpload_buffer(data, scale=0.5, fail_on="error")
        else:
            whole = _vips.Image.pngload_buffer(data, access="sequential", fail_on="error")
            eight = (whole >> 8).cast("uchar") if whole.format == "ushort" else whole
            half = _halved(eight)
        pixels = half.write_to_memory()
    except _vips.Error as error:
        raise ValueError(f"This picture cannot be read: {error}") from error
    bands: int = half.bands
    mode = ("L", "LA", "RGB", "RGBA")[bands - 1]
    image = Image.frombytes(mode, (half.width, half.height), pixels)
    if half.get_typeof("icc-profile-data"):
        image.info["icc_profile"] = half.get("icc-profile-data")
    return image


def joined(strips: Sequence[Pixels]) -> bytes:
    """Join pictures of one width from top to bottom into one JPEG."""
    jpeg: bytes = _below_one_another([strip.picture for strip in strips]).jpegsave_buffer(
        Q=90, subsample_mode="off", keep="none"
    )
    return jpeg


def _below_one_another(row: list[Any]) -> Any:
    while len(row) > 1:  # pairs of pairs: a chain of hundreds would be as many calls deep
        row = [_joined(row[at : at + 2]) for at in range(0, len(row), 2)]
    return row[0]


def thrifty_jpeg(image: Image.Image, quality: int) -> bytes:
    """Write RGB as a progressive JPEG with trellis quantisation: slow, and a fifth shorter than a plain one."""
    jpeg: bytes = _from_pillow(image).jpegsave_buffer(
        Q=quality,
        optimize_coding=True,
        interlace=True,
        trellis_quant=True,
        overshoot_deringing=True,
        optimize_scans=True,
        quant_table=3,
        subsample_mode="on",
        keep="none",
    )
    return jpeg


def _halved(picture: Any) -> Any:
    """Average squares of four pixels, a transparent one counting as little as it shows."""
    if not picture.hasalpha():
        return picture.shrink(2, 2)
    return picture.premultiply().shrink(2, 2).unpremultiply().cast("uchar")


def _joined(pair: list[Any]) -> Any:
    return pair[0].join(pair[1], "vertical") if len(pair) > 1 else pair[0]


def _from_pillow(image: Image.Image) -> Any:
    picture = _vips.Image.new_from_memory(
        image.tobytes(), image.width, image.height, len(image.getbands()), "uchar"
    )
    return picture.copy(interpretation="srgb" if image.mode == "RGB" else "b-w")


_GAP = 5.0  # times that the filter reduces, after plain averages have done the rest
