"""Measures a finished creative: its bytes are decoded again, and its pixels say what came out."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Final, TypedDict
from weakref import WeakKeyDictionary

from PIL import Image, ImageChops, ImageFilter, ImageStat

from tools.imaging.box import Box
from tools.imaging.colour import contrast
from tools.imaging.compose import KEEP, Placing
from tools.imaging.lettering import Placed
from tools.imaging.light import lightness, percentiles
from tools.imaging.scaling import scaled
from tools.imaging.source import SourcePicture

READABLE: Final = 4.5  # WCAG 2.2, criterion 1.4.3
TAIL: Final = 2.0  # percent of the pixels around a letter that may be worse
GRID: Final = 16  # cells to a side at most, in which the product is compared with its source
CELL: Final = 6  # pixels of a cell at least, so that half a pixel does not matter
TELLING: Final = 25  # cells below which a product is too small to compare, and its place alone counts
FEW: Final = 0.04  # share of the cells that may differ for all that
ALIKE: Final = 30  # levels by which a cell may differ from all that is near it in the source
TOUCHED: Final = 0.004  # share of the product that words may touch: the edge of a letter's shade
SAMPLE: Final = 320  # pixels of a side whose sharpness is measured
FLAT: Final = 6.0  # edge energy below which nothing can be sharp
NARROW: Final = 0.3  # share of the photo below which a crop around a guess may miss the product
ENLARGED: Final = 1.6  # from this on, an enlarged photo looks soft


class Checks(TypedDict):
    """What was measured; None where there is nothing to measure.

    contrast is the worst ratio of any ink to what lies around it, product_kept the share of the product that is
    seen, sharpness the share of the detail that this size could show.
    """

    size: bool
    bytes: bool
    contrast: float | None
    safe_zone: bool
    text_fit: bool
    glyphs: bool
    product_clear: bool | None
    product_kept: float
    sharpness: float


@dataclass(frozen=True, eq=False)
class Proof:
    """What a finished creative is measured against.

    Bare is the picture before anything was written on it, told the same with words, button and logo; the placing
    counts from the frame's corner.
    """

    source: SourcePicture
    data: bytes
    size: tuple[int, int]
    max_bytes: int | None
    safe: Box
    bare: Image.Image
    told: Image.Image
    texts: Sequence[Placed]
    fits: bool
    missing: frozenset[str]
    frame: Box
    placing: Placing


def measure(proof: Proof) -> Checks:
    """Measure a creative from its encoded bytes."""
    picture = Image.open(io.BytesIO(proof.data))
    right_size = picture.size == proof.size
    rgb = picture if picture.mode == "RGB" else picture.convert("RGB")
    seen = rgb if right_size else rgb.resize(proof.size)
    changed = ImageChops.difference(proof.bare, proof.told)
    return {
        "size": right_size,
        "bytes": proof.max_bytes is None or len(proof.data) <= proof.max_bytes,
        "contrast": _contrast(seen, proof.texts),
        "safe_zone": _is_inside(changed, proof.safe),
        "text_fit": proof.fits,
        "glyphs": not proof.missing,
        "product_clear": _is_clear(changed, _product(proof)) if proof.texts else None,
        "product_kept": _kept(seen, proof),
        "sharpness": _sharpness(seen, proof),
    }


def remarks(checks: Checks, proof: Proof, *, unsure: bool) -> tuple[str, ...]:
    """Say in sentences why a person must look; unsure when nobody knows how far the product extends."""
    placing = proof.placing
    ratio, enlarged = checks["contrast"], placing.photo.width / _full_width(proof.source)
    shown = placing.visible.area / placing.photo.area
    said = {
        "The picture does not have the size that was asked for.": not checks["size"],
        f"The file has {len(proof.data):,} bytes, more than the limit of {proof.max_bytes or 0:,}.": not checks[
            "bytes"
        ],
        f"Some of the words have a contrast of only {ratio}:1; 4.5:1 is needed.": ratio is not None
        and ratio < READABLE,
        "Something is written outside the safe zone.": not checks["safe_zone"],
        "The words do not fit; shorten them.": not checks["text_fit"],
        f"No font can draw {' '.join(sorted(proof.missing))}.": not checks["glyphs"],
        "The words stand on the product.": checks["product_clear"] is False and not unsure,
        "The words may stand on the product; say where it is to be sure.": checks["product_clear"] is False
        and unsure,
        f"Only {checks['product_kept']:.0%} of the product is seen.": checks["product_kept"] < KEEP,
        f"This size shows {shown:.0%} of the photo around a guess of where the product is; say where it is to be "
        "sure.": unsure and shown < NARROW,
        f"The photo is enlarged {enlarged:.1f} times; a larger one would be sharper.": enlarged > ENLARGED,
    }
    return tuple(sentence for sentence, holds in said.items() if holds)


def _largest(picture: Image.Image) -> Image.Image:
    """The largest of the three channels."""
    red, green, blue = picture.split()
    return ImageChops.lighter(ImageChops.lighter(red, green), blue)


def _is_inside(changed: Image.Image, safe: Box) -> bool:
    box = changed.getbbox()
    return box is None or Box(*box).overlap(safe) == Box(*box)


def _product(proof: Proof) -> Box:
    seen = proof.placing.product.overlap(proof.placing.canvas)
    return seen.moved(proof.frame.left, proof.frame.top)


def _is_clear(changed: Image.Image, product: Box) -> bool:
    left, top, right, bottom = product.pixels()
    if right <= left or bottom <= top:
        return True
    part = changed.crop((left, top, right, bottom))
    if part.getbbox() is None:
        return True
    area = part.width * part.height
    return area - _largest(part).histogram()[0] <= TOUCHED * area


def _contrast(picture: Image.Image, texts: Sequence[Placed]) -> float | None:
    """The worst contrast of all words, rounded down to hundredths."""
    ratios = [_ratio(picture, placed) for placed in texts]
    return int(min(ratios) * 100) / 100 if ratios else None


def _ratio(picture: Image.Image, placed: Placed) -> float:
    """Compare the ink with the pixels close around it, letter by letter, and take the worst."""
    reach = max(2, placed.block.size // 8)
    area = placed.box.grown(2 * reach, 2 * reach).overlap(_ground(placed, picture.size))
    light = lightness(picture.crop(area.pixels()))
    mask = Image.new("L", light.size)
    mask.paste(placed.block.mask, (round(placed.box.left - area.left), round(placed.box.top - area.top)))
    ring = ImageChops.subtract(_spread(mask, 2 * reach), _spread(mask, 1))
    ink, step = _ink(light, mask, ring), max(12, placed.block.size * 2)
    pieces = [(light.crop(tile), ring.crop(tile)) for tile in _tiles(light.size, step)]
    ratios = [_worst(part, near, ink) for part, near in pieces if near.histogram()[255] > step]
    return min(ratios, default=_worst(light, ring, ink))


def _ground(placed: Placed, canvas: tuple[int, int]) -> Box:
    """Where a block's surroundings end: at its button's edge, whose ends are round, or at the canvas's."""
    if placed.shape is None:
        return Box(0, 0, *canvas)
    return placed.shape.grown(-placed.shape.height / 4, -2).inwards()


def _spread(mask: Image.Image, reach: int) -> Image.Image:
    """Widen what is inked by some pixels."""
    return mask.filter(ImageFilter.BoxBlur(reach)).point([0, *[255] * 255])


def _ink(light: Image.Image, mask: Image.Image, ring: Image.Image) -> float:
    """The luminance of the strokes' cores; thin ones are smudged, so the half away from the ground counts."""
    core = mask.point([255 if level >= _SOLID else 0 for level in range(256)])
    if core.getbbox() is None:
        core = mask.point([0, *[255] * 255])
    around, _ = percentiles(light, 50, 50, ring)
    middle, high = percentiles(light, 50, 75, core)
    low, _ = percentiles(light, 25, 25, core)
    return low if middle < around else high


def _worst(light: Image.Image, ring: Image.Image, ink: float) -> float:
    low, high = percentiles(light, TAIL, 100 - TAIL, ring)
    return min(contrast(low, ink), contrast(high, ink))


def _tiles(size: tuple[int, int], step: int) -> list[tuple[int, int, int, int]]:
    return [
        (left, top, min(left + step, size[0]), min(top + step, size[1]))
        for top in range(0, size[1], step)
        for left in range(0, size[0], step)
    ]


def _kept(picture: Image.Image, proof: Proof) -> float:
    """The share of the product that the canvas shows, less the cells that look otherwise than in the source."""
    placing = proof.placing
    seen = placing.product.overlap(placing.canvas)
    if not placing.product.area or not seen.area:
        return 0.0
    grid = (_count(seen.width), _count(seen.height))
    if grid[0] * grid[1] < TELLING:
        return round(placing.product_kept, 4)
    expected, solid = _cells(proof.source, placing, grid)
    canvas = seen.moved(proof.frame.left, proof.frame.top)
    box = (canvas.left, canvas.top, canvas.right, canvas.bottom)
    found = picture.resize(grid, Image.Resampling.BOX, box=box, reducing_gap=2.0)
    off = ImageChops.lighter(
        ImageChops.subtract(expected.filter(ImageFilter.MinFilter(3)), found),
        ImageChops.subtract(found, expected.filter(ImageFilter.MaxFilter(3))),
    )
    pairs = zip(_largest(off).tobytes(), solid.tobytes(), strict=True)
    cells, strange = grid[0] * grid[1], sum(level > ALIKE and full > _SOLID for level, full in pairs)
    lost = strange / cells if strange > max(2, FEW * cells) else 0.0
    return round(placing.product_kept * (1 - lost), 4)


def _count(span: float) -> int:
    return max(3, min(GRID, round(span / CELL)))


def _cells(source: SourcePicture, placing: Placing, grid: tuple[int, int]) -> tuple[Image.Image, Image.Image]:
    """The product in its source, as a grid of colours and of how opaque they are; kept with the source."""
    seen = placing.product.overlap(placing.canvas).moved(-placing.photo.left, -placing.photo.top)
    across, down = source.image.width / placing.photo.width, source.image.height / placing.photo.height
    exact = seen.scaled(across, down).overlap(Box(0, 0, *source.image.size))
    box = (exact.left, exact.top, exact.right, exact.bottom)
    key = (*(round(edge) for edge in box), *grid)
    with _LOCK:
        known = _CELLS.setdefault(source, {}).get(key)
    if known is None:
        colours = source.image.resize(grid, Image.Resampling.BOX, box=box, reducing_gap=2.0)
        full = Image.new("L", grid, 255)
        solid = (
            source.alpha.resize(grid, Image.Resampling.BOX, box=box, reducing_gap=2.0) if source.alpha else full
        )
        known = (colours, solid)
        with _LOCK:
            _CELLS[source][key] = known
    return known


def _sharpness(picture: Image.Image, proof: Proof) -> float:
    """Compare the edges in the middle of the product with those that the source would have there."""
    placing, product = proof.placing, proof.placing.product.overlap(proof.placing.canvas)
    x, y = product.centre
    part = Box(x - SAMPLE / 2, y - SAMPLE / 2, x + SAMPLE / 2, y + SAMPLE / 2).overlap(product).inwards()
    scale = placing.photo.width / _full_width(proof.source)
    if part.width < GRID or part.height < GRID:
        return round(min(1.0, 1 / scale), 3)
    across, down = proof.source.image.width / placing.photo.width, proof.source.image.height / placing.photo.height
    there = part.moved(-placing.photo.left, -placing.photo.top).scaled(across, down)
    there = there.overlap(Box(0, 0, *proof.source.image.size))
    found = picture.crop(part.moved(proof.frame.left, proof.frame.top).pixels())
    expected = scaled(proof.source.image, found.size, there)
    best, got = _edges(expected), _edges(found)
    detail = 1.0 if best < FLAT else min(1.0, got / best)
    return round(min(1.0, 1 / scale) * detail, 3)


def _full_width(source: SourcePicture) -> int:
    """The photo's own width, whatever fraction of it was decoded."""
    return max(source.image.width, source.info.width)


def _edges(image: Image.Image) -> float:
    return float(ImageStat.Stat(image.convert("L").filter(ImageFilter.FIND_EDGES)).stddev[0])


_SOLID = 200
_LOCK = Lock()
_CELLS: WeakKeyDictionary[SourcePicture, dict[tuple[int, ...], tuple[Image.Image, Image.Image]]] = (
    WeakKeyDictionary()
)
