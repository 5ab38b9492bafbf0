"""Tries a photo behind words at a fraction of its size, so that what would be given up is not made in full."""

from collections.abc import Sequence
from typing import Final

from PIL import Image, ImageStat

from tools.imaging.box import Box
from tools.imaging.colour import RGB
from tools.imaging.compose import Placing
from tools.imaging.extend import Extend, fill
from tools.imaging.fading import Side
from tools.imaging.shelf import Shelf
from tools.imaging.source import SourcePicture

LONGEST: Final = 320  # pixels of a sketch's longer side
AMPLE: Final = 1000  # pixels of the longer side that sketches are made from, at least
COARSE: Final = 48  # cells across words in which the photo is looked at


def unrest(
    source: SourcePicture,
    placing: Placing,
    texts: Sequence[Box],
    *,
    plain: tuple[Side, ...],
    how: Extend,
    colour: RGB,
) -> float:
    """How far the lightness of a placed photo varies behind words, coarsely seen: as a deviation of 255 levels."""
    scale = min(1.0, LONGEST / max(placing.canvas.width, placing.canvas.height))
    sketch = fill(_small(source), _scaled(placing, scale), plain=plain, how=how, colour=colour).convert("L")
    return max((_deviation(sketch, box.scaled(scale, scale)) for box in texts), default=0.0)


def _deviation(sketch: Image.Image, box: Box) -> float:
    seen = box.overlap(Box(0, 0, *sketch.size))
    if not seen.area:
        return 0.0
    coarse = (COARSE, max(8, round(COARSE * box.height / box.width)))
    cells = sketch.resize(coarse, Image.Resampling.BOX, box=(seen.left, seen.top, seen.right, seen.bottom))
    return float(ImageStat.Stat(cells).stddev[0])


def _scaled(placing: Placing, scale: float) -> Placing:
    canvas = Box(0, 0, *(max(1, round(side * scale)) for side in (placing.canvas.width, placing.canvas.height)))
    photo, product = placing.photo.scaled(scale, scale), placing.product.scaled(scale, scale)
    return Placing(canvas, photo, product, placing.mode, placing.product_kept)


def _small(source: SourcePicture) -> SourcePicture:
    """A copy of a photo that is still several times as large as any sketch."""
    factor = max(source.image.size) // AMPLE
    if factor <= 1:
        return source
    return _SMALL.get("small", lambda: _reduced(source, factor), of=source)


def _reduced(source: SourcePicture, factor: int) -> SourcePicture:
    alpha = source.alpha.reduce(factor) if source.alpha else None
    return SourcePicture(source.info, source.image.reduce(factor), alpha)


_SMALL = Shelf[SourcePicture](16_000_000, weigh=lambda small: 5 * small.image.width * small.image.height)
