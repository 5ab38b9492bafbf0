"""Which characters our fonts can draw, read from the fonts themselves."""

import struct
import unicodedata
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

from tools.imaging.vips import FONTS

INVISIBLE: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp", "Zs"})
SEGMENTS: Final = 4
GROUPS: Final = 12
SELECTORS: Final = range(0xFE00, 0xFE10)


def missing_glyphs(text: str) -> set[str]:
    """Return the visible characters of a text that no bundled font has."""
    return {c for c in text if ord(c) not in _coverage() and not _is_invisible(c)}


def is_visible(text: str) -> bool:
    """Whether anything of a text can be seen: not only spaces, joiners and controls."""
    return not all(map(_is_invisible, text))


def _is_invisible(character: str) -> bool:
    return unicodedata.category(character) in INVISIBLE or ord(character) in SELECTORS


@cache
def _coverage() -> frozenset[int]:
    return frozenset(point for font in sorted(FONTS.glob("*.ttf")) for point in _characters(font))


def _characters(font: Path) -> Iterator[int]:
    """Walk a font's character map, formats 4 and 12 of the OpenType specification's cmap table."""
    data = font.read_bytes()
    start = _table(data, b"cmap")
    (count,) = struct.unpack_from(">H", data, start + 2)
    for at in range(count):
        (offset,) = struct.unpack_from(">I", data, start + 4 + 8 * at + 4)
        (layout,) = struct.unpack_from(">H", data, start + offset)
        if layout == SEGMENTS:
            yield from _segments(data, start + offset)
        elif layout == GROUPS:
            yield from _groups(data, start + offset)


def _table(data: bytes, tag: bytes) -> int:
    (count,) = struct.unpack_from(">H", data, 4)
    for at in range(count):
        name, _, offset, _ = struct.unpack_from(">4sIII", data, 12 + 16 * at)
        if name == tag:
            return int(offset)
    raise ValueError(f"The font has no {tag.decode()} table.")


def _segments(data: bytes, at: int) -> Iterator[int]:
    (doubled,) = struct.unpack_from(">H", data, at + 6)
    ends = struct.unpack_from(f">{doubled // 2}H", data, at + 14)
    starts = struct.unpack_from(f">{doubled // 2}H", data, at + 16 + doubled)
    for first, last in zip(starts, ends, strict=True):
        yield from range(first, min(last, 0xFFFE) + 1)


def _groups(data: bytes, at: int) -> Iterator[int]:
    (count,) = struct.unpack_from(">I", data, at + 12)
    for group in range(count):
        first, last, _ = struct.unpack_from(">III", data, at + 16 + 12 * group)
        yield from range(first, last + 1)
