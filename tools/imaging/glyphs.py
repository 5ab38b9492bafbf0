"""Which characters our fonts, and an operator's, can draw, read from the fonts themselves."""

import unicodedata
from functools import cache
from typing import Final

from tools.imaging.sfnt import Face
from tools.imaging.typeface import Typeface
from tools.imaging.vips import FONTS

INVISIBLE: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp", "Zs"})
SELECTORS: Final = range(0xFE00, 0xFE10)


def missing_glyphs(text: str, typeface: Typeface | None = None) -> set[str]:
    """Return the visible characters of a text that neither the typeface nor any of our fonts has.

    Text is composed (NFC) before it is drawn, and so it is here.
    """
    return {c for c in unicodedata.normalize("NFC", text) if not is_drawn(c, typeface)}


def is_drawn(character: str, typeface: Typeface | None = None) -> bool:
    """Whether a character has a glyph, or needs none because it is not seen."""
    point = ord(character)
    if point in _coverage() or (typeface is not None and point in typeface.characters):
        return True
    return _is_invisible(character)


def is_visible(text: str) -> bool:
    """Whether anything of a text can be seen: not only spaces, joiners and controls."""
    return not all(map(_is_invisible, text))


def _is_invisible(character: str) -> bool:
    return unicodedata.category(character) in INVISIBLE or ord(character) in SELECTORS


@cache
def _coverage() -> frozenset[int]:
    fonts = [font.read_bytes() for font in sorted(FONTS.glob("*.tt[cf]"))]
    return frozenset(point for data in fonts for face in Face.all_in(data) for point in face.characters())
