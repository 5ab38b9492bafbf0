"""Makes text readable: picks dark or light ink, and lays the thinnest veil behind it that suffices."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from PIL import Image

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

    The veil's opacity is 0 to 1.
    """

    image: Image.Image
    tone: Tone
    veil: float = 0.0


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
    parts = [canvas.crop(box.pixels()) for box in texts]
    low, high = _behind(parts)
    shares = {dark: veil_needed(low, dark), light: veil_needed(high, light)}
    tone = min(shares, key=lambda tone: (shares[tone], -_ratio((low, high), tone)))
    veil = _Veil(canvas.size, texts, fade, _soft(canvas.size, texts, fade, clear_of))
    laid = 0.0 if _ratio((low, high), tone) >= AIM else _strength(parts, veil, tone, shares[tone])
    return Ground(_veiled(canvas, veil, tone, laid), tone, laid)


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


@dataclass(frozen=True)
class _Veil:
    """Where a veil lies: over the texts' side of the canvas, fading towards the other."""

    size: tuple[int, int]
    texts: Sequence[Box]
    fade: Side
    soft: float

    def mask(self, opacity: float) -> Image.Image:
        turn = _turn(self.size, self.texts, self.fade)
        return fading(self.size, self.fade, turn=turn, soft=self.soft, opacity=round(255 * opacity))


def _strength(parts: Sequence[Image.Image], veil: _Veil, tone: Tone, share: float) -> float:
    """Strengthen the veil from a share on which it ought to suffice, until it does; judged on the texts' parts."""
    laid, ratio = 0.0, 0.0
    while ratio < AIM and laid < 1:
        laid = min(1.0, max(share, laid + STEP))
        mask, painted = veil.mask(laid), [part.copy() for part in parts]
        for part, box in zip(painted, veil.texts, strict=True):
            part.paste(tone.veil, (0, 0), mask.crop(box.pixels()))
        ratio = _ratio(_behind(painted), tone)
    return laid


def _veiled(canvas: Image.Image, veil: _Veil, tone: Tone, laid: float) -> Image.Image:
    mask = veil.mask(laid)
    reach = mask.getbbox()
    if reach is None:
        return canvas
    painted = canvas.copy()
    painted.paste(tone.veil, reach, mask.crop(reach))
    return painted


def _behind(parts: Sequence[Image.Image]) -> tuple[float, float]:
    """Measure the darkest and the lightest luminance behind the texts, piece by piece, but for a small tail."""
    lights = map(lightness, parts)
    spans = [percentiles(light.crop(tile), TAIL, 100 - TAIL) for light in lights for tile in _tiles(light.size)]
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
