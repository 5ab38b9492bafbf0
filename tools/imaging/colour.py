"""Colours as people see them: relative luminance, contrast, and the tones that text is drawn in."""

import colorsys
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

RGB = tuple[int, int, int]

AIM: Final = 5.4  # WCAG 2.2 asks for 4.5 (criterion 1.4.3); small type in a lossy format needs more
VISIBLE: Final = 2.2  # a button against what lies behind it
VISIBLE_TYPE: Final = 2.8  # white on a fill that a little shading makes readable
VIVID: Final = 0.38  # saturation of a colour that may fill a button
WHITE: Final[RGB] = (255, 255, 255)
BLACK: Final[RGB] = (0, 0, 0)
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
    red, green, blue = (linear(level / 255) for level in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: float, other: float) -> float:
    """Compute the contrast ratio of two luminances, 1 to 21."""
    return (max(one, other) + 0.05) / (min(one, other) + 0.05)


def tones(colours: Sequence[str]) -> tuple[Tone, Tone]:
    """Give dark text and light text, both tinted with the most vivid of a picture's colours."""
    hue, saturation = _flavour(colours)
    dark = _from_hls(hue, 0.085, min(0.42, saturation))
    return Tone(dark, WHITE), Tone(WHITE, dark)


def fields(colours: Sequence[str]) -> tuple[RGB, RGB]:
    """Give a light and a dark colour for a plain field, both tinted likewise."""
    hue, saturation = _flavour(colours)
    return _from_hls(hue, 0.93, min(0.45, saturation)), _from_hls(hue, 0.12, min(0.38, saturation))


def readable(colour: RGB, on: RGB, *, aim: float = AIM) -> RGB:
    """Give the nearest tint of a colour that reads on another: lighter or darker, whichever is the smaller step.

    Where even white and black do not reach the aim, the better of these.
    """
    hue, lightness, saturation = _hls(colour)
    ground = luminance(on)
    for step in range(101):
        for level in (lightness - step / 100, lightness + step / 100):
            tint = _from_hls(hue, min(1.0, max(0.0, level)), saturation)
            if contrast(luminance(tint), ground) >= aim:
                return tint
    return max((WHITE, BLACK), key=lambda end: contrast(luminance(end), ground))


def accent(colours: Sequence[str], behind: float, tone: Tone, favourites: Sequence[RGB] = ()) -> tuple[RGB, RGB]:
    """Choose a button's fill and label: a favourite or vivid colour that stands out, else the text's own pair.

    A favourite of middle lightness is shaded a little rather than given up.
    """
    for fill in favourites:
        label = _label(fill, tone)
        shaded = readable(fill, label)
        if _stands_out(shaded, behind):
            return shaded, label
    for fill in map(parse, colours):
        for label in (WHITE, tone.ink, tone.veil):
            if _is_vivid(fill) and _stands_out(fill, behind) and _reads(label, fill):
                return fill, label
    return tone.ink, tone.veil


def _label(fill: RGB, tone: Tone) -> RGB:
    """White on anything that is not too light, as people expect of a button."""
    if contrast(1.0, luminance(fill)) >= VISIBLE_TYPE:
        return WHITE
    return max((tone.ink, tone.veil), key=lambda ink: contrast(luminance(ink), luminance(fill)))


def veil_needed(behind: float, tone: Tone) -> float:
    """Find the smallest opacity, 0 to 1, of the veil that makes the ink readable on a luminance."""
    grey, veil, ink = coded(behind), coded(luminance(tone.veil)), luminance(tone.ink)
    for step in range(41):
        share = step / 40
        if contrast(linear(grey + (veil - grey) * share), ink) >= AIM:
            return share
    return 1.0


def _flavour(colours: Sequence[str]) -> tuple[float, float]:
    """The hue and the saturation of the most vivid colour; a picture in greys stays grey."""
    hls = max((_hls(parse(c)) for c in colours), key=lambda each: each[2], default=(0.62, 0.0, 0.3))
    return hls[0], hls[2]


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


def linear(level: float) -> float:
    """Undo the sRGB transfer curve (IEC 61966-2-1)."""
    return level / 12.92 if level <= DARK_CODED else ((level + 0.055) / 1.055) ** 2.4


def coded(linear: float) -> float:
    """Apply the sRGB transfer curve (IEC 61966-2-1)."""
    return linear * 12.92 if linear <= DARK_LINEAR else 1.055 * linear ** (1 / 2.4) - 0.055
