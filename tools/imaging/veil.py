"""Makes text readable: picks dark or light ink, and lays the thinnest veil behind it that suffices."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from PIL import Image, ImageStat

from tools.imaging.box import Box
from tools.imaging.brand import Brand
from tools.imaging.colour import AIM, RGB, Tone, contrast, luminance, readable, tones, veil_needed
from tools.imaging.fading import Side, fading
from tools.imaging.light import lightness, percentiles

FADE: Final = 0.30  # length of a veil's soft end, as a share of the canvas
SHORTEST: Final = 0.05  # the shortest soft end, of the shorter side
PAD: Final = 0.03  # room around the text that has the veil's full strength, of the shorter side
STEP: Final = 0.06  # by which a veil is strengthened when the measurement asks for more
TAIL: Final = 2.0  # percent of the pixels behind a text that may be worse than what is measured


@dataclass(frozen=True, eq=False)
class Ground:
    """A canvas ready to be written on, and the ink to use.

    The veil's opacity is 0 to 1; unrest is how far the lightness of the photo varies there, of 255 levels.
    """

    image: Image.Image
    tone: Tone
    veil: float = 0.0
    unrest: float = 0.0


def prepare(
    canvas: Image.Image,
    texts: Sequence[Box],
    fade: Side,
    colours: Sequence[str],
    brand: Brand | None = None,
    *,
    clear_of: Box | None = None,
) -> Ground:
    """Give ground on which the texts (boxes in pixels) read at 4.5:1 or better, measured from its pixels.

    Where there is room the veil ends before the product that it is to be clear of.
    """
    dark, light = _inks(colours, brand)
    if not texts:
        return Ground(canvas, light)
    low, high = _behind(canvas, texts)
    shares = {dark: veil_needed(low, dark), light: veil_needed(high, light)}
    tone = min(shares, key=lambda tone: (shares[tone], -_ratio((low, high), tone)))
    return _veiled(canvas, texts, fade, tone, shares[tone], _soft(canvas.size, texts, fade, clear_of))


def on_field(image: Image.Image, field: RGB, colours: Sequence[str], brand: Brand | None = None) -> Ground:
    """Give ground whose words stand on a plain field of one colour: the house's ink, or its nearest tint."""
    dark, light = _inks(colours, brand)
    level = luminance(field)
    ink = max((dark.ink, light.ink), key=lambda colour: contrast(luminance(colour), level))
    return Ground(image, Tone(readable(ink, field), field))


def _inks(colours: Sequence[str], brand: Brand | None) -> tuple[Tone, Tone]:
    """Dark words and light ones; a house's own colours where they are dark or light enough."""
    dark, light = tones(colours)
    deep = (brand and brand.dark) or dark.ink
    pale = (brand and brand.light) or light.ink
    return Tone(deep, pale), Tone(pale, deep)


def _veiled(
    canvas: Image.Image, texts: Sequence[Box], fade: Side, tone: Tone, share: float, soft: float
) -> Ground:
    """Strengthen the veil from a share on which it ought to suffice, until it does."""
    painted, ratio, laid = canvas, _ratio(_behind(canvas, texts), tone), 0.0
    while ratio < AIM and laid < 1:
        laid = min(1.0, max(share, laid + STEP))
        painted = canvas.copy()
        painted.paste(tone.veil, (0, 0), _mask(canvas.size, texts, fade, soft, round(255 * laid)))
        ratio = _ratio(_behind(painted, texts), tone)
    return Ground(painted, tone, laid, max(_unrest(canvas.crop(box.pixels())) for box in texts))


def _unrest(part: Image.Image) -> float:
    """How far the lightness of a photo varies behind words, coarsely seen: as a deviation of 255 levels."""
    coarse = (48, max(8, round(48 * part.height / part.width)))
    return float(ImageStat.Stat(part.convert("L").resize(coarse, Image.Resampling.BOX)).stddev[0])


def _behind(canvas: Image.Image, texts: Sequence[Box]) -> tuple[float, float]:
    """Measure the darkest and the lightest luminance behind the texts, part by part, but for a small tail."""
    parts = (lightness(canvas.crop(box.pixels())) for box in texts)
    spans = [percentiles(part.crop(tile), TAIL, 100 - TAIL) for part in parts for tile in _tiles(part.size)]
    return min(low for low, _ in spans), max(high for _, high in spans)


def _tiles(size: tuple[int, int]) -> Iterator[tuple[int, int, int, int]]:
    """Cut a block of words into pieces of about two letters' height."""
    step = max(12, size[1] // 2, size[0] // 8)
    for top in range(0, size[1], step):
        for left in range(0, size[0], step):
            yield left, top, min(left + step, size[0]), min(top + step, size[1])


def _ratio(behind: tuple[float, float], tone: Tone) -> float:
    ink = luminance(tone.ink)
    return min(contrast(level, ink) for level in behind)


def _soft(size: tuple[int, int], texts: Sequence[Box], fade: Side, product: Box | None) -> float:
    """How long the veil's soft end may be."""
    length = size[1] if fade in ("up", "down") else size[0]
    if product is None:
        return FADE * length
    turn = _turn(size, texts, fade)
    free = {
        "up": turn - product.bottom,
        "down": product.top - turn,
        "left": turn - product.right,
        "right": product.left - turn,
    }[fade]
    return min(FADE * length, max(SHORTEST * min(size), free))


def _turn(size: tuple[int, int], texts: Sequence[Box], fade: Side) -> float:
    """Where the veil begins to fade."""
    pad = PAD * min(size)
    return {
        "up": min(box.top for box in texts) - pad,
        "down": max(box.bottom for box in texts) + pad,
        "left": min(box.left for box in texts) - pad,
        "right": max(box.right for box in texts) + pad,
    }[fade]


def _mask(size: tuple[int, int], texts: Sequence[Box], fade: Side, soft: float, opacity: int) -> Image.Image:
    """Cover the texts' side of the canvas, fading towards the other."""
    return fading(size, fade, turn=_turn(size, texts, fade), soft=soft, opacity=opacity)
