"""Reads the tables of a TrueType or OpenType font: just enough to know what it holds and what it permits."""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Self

COLLECTION: Final = b"ttcf"
KINDS: Final = (b"\x00\x01\x00\x00", b"OTTO", b"true")
SEGMENTS: Final = 4
LAST: Final = 0x10FFFF
GROUPS: Final = 12
MOST_CHARACTERS: Final = 400_000  # Unicode has fewer; a table that lists more is a trap


@dataclass(frozen=True)
class Face:
    """One font of a file: where each of its tables begins and how long it is."""

    data: bytes
    tables: Mapping[str, tuple[int, int]]

    @classmethod
    def all_in(cls, data: bytes) -> list[Self]:
        """Open a font, or every font of a collection; raises ValueError where it is none or is damaged."""
        try:
            starts = _collected(data) if data.startswith(COLLECTION) else (0,)
            return [cls(data, _tables(data, start)) for start in starts]
        except struct.error as error:
            raise ValueError("This font is cut short.") from error

    def table(self, tag: str) -> bytes:
        """Copy a table; empty where there is none."""
        start, length = self.tables.get(tag, (0, 0))
        return self.data[start : start + length]

    def characters(self) -> frozenset[int]:
        """Return the code points that have a glyph (formats 4 and 12 of the cmap table); raises ValueError."""
        table = self.table("cmap")
        points: set[int] = set()
        try:
            for offset in set(_subtables(table)):
                for point in _points(table, offset):
                    points.add(point)
                    if len(points) > MOST_CHARACTERS:
                        raise ValueError("This font claims more characters than there are.")
        except struct.error as error:
            raise ValueError("This font's list of characters is damaged.") from error
        return frozenset(points)

    def permissions(self) -> int:
        """Return the embedding bits, fsType of the OS/2 table; 0 where nothing is restricted."""
        table = self.table("OS/2")
        return int.from_bytes(table[8:10], "big")


def _collected(data: bytes) -> tuple[int, ...]:
    (count,) = struct.unpack_from(">I", data, 8)
    return struct.unpack_from(f">{min(count, 64)}I", data, 12)


def _tables(data: bytes, start: int) -> dict[str, tuple[int, int]]:
    kind, count = struct.unpack_from(">4sH", data, start)
    if kind not in KINDS:
        raise ValueError("This is no TrueType or OpenType font.")
    tables: dict[str, tuple[int, int]] = {}
    for at in range(count):
        tag, _, offset, length = struct.unpack_from(">4sIII", data, start + 12 + 16 * at)
        if offset + length > len(data):
            raise ValueError("This font is cut short.")
        tables[tag.decode("latin-1")] = (offset, length)
    return tables


def _subtables(table: bytes) -> Iterator[int]:
    """List where the character maps for Unicode begin: those of platform 0, and encodings 1 and 10 of 3."""
    (count,) = struct.unpack_from(">H", table, 2)
    for at in range(count):
        platform, encoding, offset = struct.unpack_from(">HHI", table, 4 + 8 * at)
        if platform == 0 or (platform, encoding) in ((3, 1), (3, 10)):
            yield offset


def _points(table: bytes, offset: int) -> Iterator[int]:
    (layout,) = struct.unpack_from(">H", table, offset)
    if layout == SEGMENTS:
        yield from _segments(table, offset)
    elif layout == GROUPS:
        yield from _groups(table, offset)


def _segments(table: bytes, at: int) -> Iterator[int]:
    """Walk a map of format 4, leaving out characters that lead to glyph 0."""
    count = struct.unpack_from(">H", table, at + 6)[0] // 2
    ends = struct.unpack_from(f">{count}H", table, at + 14)
    starts = struct.unpack_from(f">{count}H", table, at + 16 + 2 * count)
    shifts = struct.unpack_from(f">{count}H", table, at + 16 + 4 * count)
    ranges = at + 16 + 6 * count
    offsets = struct.unpack_from(f">{count}H", table, ranges)
    following = 0
    for index, (first, last, shift, offset) in enumerate(zip(starts, ends, shifts, offsets, strict=True)):
        if first < following:
            raise ValueError("This font's list of characters is damaged.")
        following = last
        for point in range(first, min(last, 0xFFFE) + 1):
            glyph = point
            if offset:
                (glyph,) = struct.unpack_from(">H", table, ranges + 2 * index + offset + 2 * (point - first))
                if glyph == 0:
                    continue
            if (glyph + shift) & 0xFFFF:
                yield point


def _groups(table: bytes, at: int) -> Iterator[int]:
    (count,) = struct.unpack_from(">I", table, at + 12)
    following = 0
    for group in range(count):
        first, last, glyph = struct.unpack_from(">III", table, at + 16 + 12 * group)
        if first < following or last > LAST:
            raise ValueError("This font's list of characters is damaged.")
        following = last
        yield from range(first + (glyph == 0), last + 1)
