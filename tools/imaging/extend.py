"""Fills what a photo leaves bare of its canvas: drawn out, mirrored, blurred, or in one colour."""

from typing import Final, Literal

from PIL import Image, ImageChops, ImageFilter, ImageOps

from tools.imaging.box import Box
from tools.imaging.canvas import photograph
from tools.imaging.colour import RGB
from tools.imaging.compose import Placing
from tools.imaging.fading import Side, fading
from tools.imaging.source import SourcePicture

Extend = Literal["auto", "house", "blur", "mirror", "colour"]

NARROW: Final = 0.14  # share of the photo's side up to which a mirrored strip does not show as one
SEAM: Final = 0.05  # length over which a photo's edge dissolves, of the shorter side
CALM: Final = 5.0  # mean deviation of an edge from its own blur, of 255, up to which it is plain


def fill(
    source: SourcePicture,
    placing: Placing,
    *,
    plain: tuple[Side, ...],
    how: Extend = "auto",
    colour: RGB = (255, 255, 255),
) -> Image.Image:
    """Lay the photo on its canvas and fill the bare sides; a cut-out stands on the colour instead of white.

    Of itself it draws out a plain background, mirrors a narrow strip, and blurs what is left; for a house that has
    a colour of its own it takes that instead of a blur.
    """
    if source.alpha is not None:
        return _cut_out(source, placing, colour)
    way = _way(source.image, placing, plain) if how in ("auto", "house") else how
    if how == "house" and way == "blur":
        way = "colour"
    match way:
        case "mirror":
            return _mirrored(source.image, placing)
        case "colour":
            return _on_colour(source.image, placing, colour)
        case "blur":
            return photograph(source.image, placing, plain=False)
        case _:
            return photograph(source.image, placing, plain=True)


def is_plain(edge: Image.Image) -> bool:
    """Whether a line of pixels is one colour, or a soft run of colours."""
    return _unrest(edge) < CALM


def _way(
    image: Image.Image, placing: Placing, plain: tuple[Side, ...]
) -> Literal["drawn", "mirror", "blur", "colour"]:
    bare = placing.bare
    if all(side in plain for side in bare) or all(is_plain(_edge(image, placing, side)) for side in bare):
        return "drawn"
    return "mirror" if all(_is_narrow(placing, side) for side in bare) else "blur"


def _edge(image: Image.Image, placing: Placing, side: Side) -> Image.Image:
    """Cut the photo's border that a bare side begins at, reduced to a line of 96."""
    window = placing.window(*image.size)
    deep = 0.012 * max(image.size)
    left, top, right, bottom = window.left, window.top, window.right, window.bottom
    box = {
        "up": (left, top, right, min(bottom, top + deep)),
        "down": (left, max(top, bottom - deep), right, bottom),
        "left": (left, top, min(right, left + deep), bottom),
        "right": (max(left, right - deep), top, right, bottom),
    }[side]
    size = (96, 1) if side in ("up", "down") else (1, 96)
    return image.resize(size, Image.Resampling.BOX, box=box)


def _unrest(edge: Image.Image) -> float:
    spread = edge.resize((max(9, edge.width), max(9, edge.height)))
    apart = ImageChops.difference(spread, spread.filter(ImageFilter.GaussianBlur(6))).convert("L")
    histogram = apart.histogram()
    return sum(level * count for level, count in enumerate(histogram)) / sum(histogram)


def _is_narrow(placing: Placing, side: Side) -> bool:
    seen, whole = placing.visible, placing.canvas
    gap = {
        "up": seen.top,
        "down": whole.bottom - seen.bottom,
        "left": seen.left,
        "right": whole.right - seen.right,
    }[side]
    return gap <= NARROW * (seen.height if side in ("up", "down") else seen.width)


def _part(image: Image.Image, placing: Placing) -> tuple[Image.Image, tuple[int, int]]:
    """Resize the visible part alone; gives where it lies on the canvas too."""
    left, top, right, bottom = placing.visible.pixels()
    seen = Box(0, 0, max(1, right - left), max(1, bottom - top))
    photo = placing.photo.moved(-left, -top)
    return photograph(image, Placing(seen, photo, placing.product, "crop", 1.0), plain=True), (left, top)


def _size(placing: Placing) -> tuple[int, int]:
    return round(placing.canvas.width), round(placing.canvas.height)


def _mirrored(image: Image.Image, placing: Placing) -> Image.Image:
    """Continue across each edge with the photo's own reflection, as often as it takes."""
    part, (left, top) = _part(image, placing)
    size = _size(placing)
    canvas = Image.new("RGB", size)
    for column in range(-(-left // part.width) * -1, -(-(size[0] - left) // part.width)):
        for row in range(-(-top // part.height) * -1, -(-(size[1] - top) // part.height)):
            tile = ImageOps.mirror(part) if column % 2 else part
            tile = ImageOps.flip(tile) if row % 2 else tile
            canvas.paste(tile, (left + column * part.width, top + row * part.height))
    return canvas


def _on_colour(image: Image.Image, placing: Placing, colour: RGB) -> Image.Image:
    """Let the photo's edges dissolve into one colour on the bare sides."""
    part, at = _part(image, placing)
    canvas = Image.new("RGB", _size(placing), colour)
    mask, soft = Image.new("L", part.size, 255), SEAM * min(canvas.size)
    for side in placing.bare:
        forward = side in ("down", "right")
        length = part.height if side in ("up", "down") else part.width
        turn = length - soft if forward else soft
        mask = ImageChops.multiply(mask, fading(part.size, side, turn=turn, soft=soft))
    canvas.paste(part, at, mask)
    return canvas


def _cut_out(source: SourcePicture, placing: Placing, colour: RGB) -> Image.Image:
    """Exchange the white behind a cut-out: what shines through, white less the colour, is taken away again."""
    if source.alpha is None:
        raise ValueError("Only a picture with transparency can be cut out.")
    part, at = _part(source.image, placing)
    window = placing.window(*source.image.size)
    box = (window.left, window.top, window.right, window.bottom)
    clear = ImageChops.invert(source.alpha.resize(part.size, Image.Resampling.LANCZOS, box=box, reducing_gap=2.0))
    shades = [clear.point([level * (255 - base) // 255 for level in range(256)]) for base in colour]
    canvas = Image.new("RGB", _size(placing), colour)
    canvas.paste(ImageChops.subtract(part, Image.merge("RGB", shades)), at)
    return canvas
