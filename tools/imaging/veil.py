"""Makes text readable: picks dark or light ink, and lays the thinnest veil behind it that suffices."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from PIL import Image

from tools.imaging.box import Box
from tools.imaging.colour import AIM, Tone, contrast, luminance, tones, veil_needed
from tools.imaging.fading import Side, fading
from tools.imaging.vips import luminance_percentiles

FADE: Final = 0.30  # length of a veil's soft end, as a share of the canvas
PAD: Final = 0.03  # room around the text that has the veil's full strength, of the shorter side
STEP: Final = 0.06  # by which a veil is strengthened when the measurement asks for more
TAIL: Final = 2.0  # percent of the pixels behind a text that may be worse than what is measured


@dataclass(frozen=True, eq=False)
class Ground:
    """A canvas ready to be written on, the ink to use, and its measured contrast."""

    image: Image.Image
    tone: Tone
    contrast: float | None


def prepare(canvas: Image.Image, texts: Sequence[Box], fade: Side, colours: Sequence[str]) -> Ground:
    """Give ground on which the texts (boxes in pixels) read at 4.5:1 or better, measured from its pixels."""
    dark, light = tones(colours)
    if not texts:
        return Ground(canvas, light, None)
    low, high = _behind(canvas, texts)
    shares = {dark: veil_needed(low, dark), light: veil_needed(high, light)}
    tone = min(shares, key=lambda tone: (shares[tone], -_ratio((low, high), tone)))
    return _veiled(canvas, texts, fade, tone, shares[tone])


def _veiled(canvas: Image.Image, texts: Sequence[Box], fade: Side, tone: Tone, share: float) -> Ground:
    painted, ratio = canvas, _ratio(_behind(canvas, texts), tone)
    while ratio < AIM and share <= 1:
        painted = canvas.copy()
        painted.paste(tone.veil, (0, 0), _mask(canvas.size, texts, fade, round(255 * share)))
        ratio = _ratio(_behind(painted, texts), tone)
        share += STEP
    return Ground(painted, tone, ratio)


def _behind(canvas: Image.Image, texts: Sequence[Box]) -> tuple[float, float]:
    """Measure the darkest and the lightest luminance behind the texts, but for a small tail."""
    spans = [luminance_percentiles(canvas.crop(box.pixels()), TAIL, 100 - TAIL) for box in texts]
    return min(low for low, _ in spans), max(high for _, high in spans)


def _ratio(behind: tuple[float, float], tone: Tone) -> float:
    ink = luminance(tone.ink)
    return min(contrast(level, ink) for level in behind)


def _mask(size: tuple[int, int], texts: Sequence[Box], fade: Side, opacity: int) -> Image.Image:
    """Cover the texts' side of the canvas, fading towards the other."""
    pad = PAD * min(size)
    turn = {
        "up": min(box.top for box in texts) - pad,
        "down": max(box.bottom for box in texts) + pad,
        "left": min(box.left for box in texts) - pad,
        "right": max(box.right for box in texts) + pad,
    }[fade]
    soft = FADE * (size[1] if fade in ("up", "down") else size[0])
    return fading(size, fade, turn=turn, soft=soft, opacity=opacity)
