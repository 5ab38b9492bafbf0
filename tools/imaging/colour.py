"""Colours as people see them: relative luminance, contrast, and the tones that text is drawn in."""

import colorsys
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

RGB = tuple[int, int, int]

AIM: Final = 4.9  # WCAG 2.2 asks for 4.5 (criterion 1.4.3); lossy encoding needs a little more
VISIBLE: Final = 2.2  # a button against what lies behind it
VIVID: Final = 0.38  # saturation of a colour that may fill a button
WHITE: Final[RGB] = (255, 255, 255)
DARK_CODED: Final = 0.04045  # where the sRGB curve begins to bend
DARK_LINEAR: Final = 0.0031308
MIDDLE: Final = (0.15, 0.8)  # lightness of a colour that looks like one
HEX: Final = re.compile(r"#?([0-9a-fA-F]{2})([0-9a-fA-F]{2})([0-9a-fA-F]{2})")


@dataclass(frozen=True)
class Tone:
    """A pair: the colour of the text, and of the veil that may be needed behind it."""

    ink: RGB
    veil: RGB


def parse(colour: str) -> RGB:
    """Read #rrggbb; raises ValueError."""
    digits = HEX.fullmatch(colour)
    if digits is None:
        raise ValueError(f"{colour!r} is not a colour like #1a2b3c.")
    return int(digits[1], 16), int(digits[2], 16), int(digits[3], 16)


def luminance(colour: RGB) -> float:
    """Compute the relative luminance of WCAG 2.2, 0 to 1."""
    red, green, blue = (_linear(level / 255) for level in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: float, other: float) -> float:
    """Compute the contrast ratio of two luminances, 1 to 21."""
    return (max(one, other) + 0.05) / (min(one, other) + 0.05)


def tones(colours: Sequence[str]) -> tuple[Tone, Tone]:
    """Give dark text and light text, both tinted with the most vivid of a picture's colours."""
    hue, _, _ = max((_hls(parse(c)) for c in colours), key=lambda hls: hls[2], default=(0.62, 0.0, 0.0))
    dark = _from_hls(hue, 0.085, 0.42)
    return Tone(dark, WHITE), Tone(WHITE, dark)


def accent(colours: Sequence[str], behind: float, tone: Tone) -> tuple[RGB, RGB]:
    """Choose a button's fill and label: a vivid colour that stands out, else the text's own pair."""
    for fill in map(parse, colours):
        for label in (WHITE, tone.ink, tone.veil):
            if _is_vivid(fill) and _stands_out(fill, behind) and _reads(label, fill):
                return fill, label
    return tone.ink, tone.veil


def veil_needed(behind: float, tone: Tone) -> float:
    """Find the smallest opacity, 0 to 1, of the veil that makes the ink readable on a luminance."""
    grey, veil, ink = _coded(behind), _coded(luminance(tone.veil)), luminance(tone.ink)
    for step in range(41):
        share = step / 40
        if contrast(_linear(grey + (veil - grey) * share), ink) >= AIM:
            return share
    return 1.0


def _is_vivid(colour: RGB) -> bool:
    _, lightness, saturation = _hls(colour)
    return saturation >= VIVID and MIDDLE[0] < lightness < MIDDLE[1]


def _stands_out(fill: RGB, behind: float) -> bool:
    return contrast(luminance(fill), behind) >= VISIBLE


def _reads(label: RGB, fill: RGB) -> bool:
    return contrast(luminance(label), luminance(fill)) >= AIM


def _hls(colour: RGB) -> tuple[float, float, float]:
    return colorsys.rgb_to_hls(*(level / 255 for level in colour))


def _from_hls(hue: float, lightness: float, saturation: float) -> RGB:
    red, green, blue = (round(level * 255) for level in colorsys.hls_to_rgb(hue, lightness, saturation))
    return red, green, blue


def _linear(level: float) -> float:
    """Undo the sRGB transfer curve (IEC 61966-2-1)."""
    return level / 12.92 if level <= DARK_CODED else ((level + 0.055) / 1.055) ** 2.4


def _coded(linear: float) -> float:
    """Apply the sRGB transfer curve (IEC 61966-2-1)."""
    return linear * 12.92 if linear <= DARK_LINEAR else 1.055 * linear ** (1 / 2.4) - 0.055
