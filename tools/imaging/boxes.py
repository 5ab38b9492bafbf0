"""Walks the boxes of HEIC and AVIF files (ISO 14496-12, 23008-12) and reads the sizes which their streams state.

A decoder takes memory for the size in the stream, not for the one on the box around it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Literal

Size = tuple[int, int]


class Malformed(ValueError):
    """A file that contradicts its own structure, or that ends inside of it."""


@dataclass(frozen=True)
class Part:
    """A named piece of a file: its body from `start` to `end`, and where the picture is over if it is the last."""

    name: str
    start: int
    end: int
    after: int


def kind_of(data: bytes) -> Literal["HEIF", "AVIF"] | None:
    """HEIF for HEVC stills, AVIF for AV1 ones, by the brands in the first box."""
    if data[4:8] != b"ftyp":
        return None
    length = min(int.from_bytes(data[:4], "big"), 256)
    brands = {data[at : at + 4] for at in (8, *range(16, length - 3, 4))}
    if brands & {b"avif", b"avis"}:
        return "AVIF"
    return "HEIF" if brands & {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"} else None


def walk(data: bytes) -> Iterator[Part]:
    """Every box down to those that tell of sizes and places; raises Malformed when one leaves its parent."""
    yield from _within(data, 0, len(data), 0)


def sizes(data: bytes, parts: list[Part]) -> Iterator[Size]:
    """Every size that boxes and streams state."""
    places = next((part for part in parts if part.name == "iloc"), None)
    for part in parts:
        body = data[part.start : part.end] if part.name in _TELLING else b""
        if part.name == "ispe":
            yield _number(body, 4, 4), _number(body, 8, 4)
        elif part.name == "tkhd":
            yield _number(body, len(body) - 8, 2), _number(body, len(body) - 4, 2)
        elif part.name == "av1C":
            yield from _obu_sizes(body[4:])
        elif part.name == "hvcC":
            yield from _configured(body)
        elif part is places:
            for start, length in islice(_extents(body), _MOST_ITEMS):
                yield from _stream_sizes(data[start : start + min(length, _LOOKED_AT)])
        elif part.name == "stco":
            first = _number(body, 8, 4)
            yield from _stream_sizes(data[first : first + _LOOKED_AT])


def _within(data: bytes, at: int, end: int, depth: int) -> Iterator[Part]:
    while at + 8 <= end:
        length, name, head = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8], 8
        if length == 1:
            length, head = int.from_bytes(data[at + 8 : at + 16], "big"), 16
        after = at + length if length else end
        if after < at + head or (after > end and depth):
            raise Malformed
        if after > end and not _is_name(name):
            return  # something else begins where the picture ends
        yield Part(name.decode("latin-1"), at + head, min(after, end), min(after, end))
        if name in _PARENTS and depth < _DEEPEST:
            yield from _within(data, at + head + _PARENTS[name], min(after, end), depth + 1)
        at = after


def _is_name(name: bytes) -> bool:
    return name.isascii() and name.isalnum() and name.islower()


def _number(body: bytes, at: int, length: int) -> int:
    return int.from_bytes(body[at : at + length], "big")


def _extents(body: bytes) -> Iterator[tuple[int, int]]:
    """Where items lie in the file (box `iloc`); those inside of other boxes are left out."""
    version, widths = _number(body, 0, 1), _number(body, 4, 2)
    offset, length, base, index = (widths >> shift & 15 for shift in (12, 8, 4, 0))
    name = 4 if version > 1 else 2
    if not offset + length:
        return
    count, at = _number(body, 6, name), 6 + name
    for _ in range(min(count, _MOST_ITEMS)):
        method = _number(body, at + name, 2) & 15 if version else 0
        at += name + (2 if version else 0) + 2
        start, runs, at = _number(body, at, base), _number(body, at + base, 2), at + base + 2
        for _ in range(min(runs, _MOST_ITEMS)):
            at += index if version else 0
            if at >= len(body):
                return
            if method == 0:
                yield start + _number(body, at, offset), _number(body, at + offset, length)
            at += offset + length


def _stream_sizes(stream: bytes) -> Iterator[Size]:
    """The sizes at the beginning of an item, whichever codec wrote it."""
    if stream[:1] in (b"\x12", b"\x0a"):
        yield from _obu_sizes(stream)
    at = 0
    for _ in range(_FIRST_UNITS):
        length = _number(stream, at, 4)
        if at + _UNIT_HEAD >= len(stream):
            return
        if stream[at + 4] >> 1 & 63 == _SEQUENCE_PARAMETERS:
            yield _hevc_size(stream[at + 4 : at + 4 + length])
        at += 4 + length


def _configured(body: bytes) -> Iterator[Size]:
    """The sizes in the parameter sets of box `hvcC`."""
    at = 23
    for _ in range(_number(body, 22, 1)):
        kind, count, at = _number(body, at, 1) & 63, _number(body, at + 1, 2), at + 3
        for _ in range(min(count, _MOST_ITEMS)):
            length = _number(body, at, 2)
            if at + 2 >= len(body):
                return
            if kind == _SEQUENCE_PARAMETERS:
                yield _hevc_size(body[at + 2 : at + 2 + length])
            at += 2 + length


def _hevc_size(unit: bytes) -> Size:
    """Width and height of a sequence parameter set (ITU-T H.265, 7.3.2.2)."""
    bits = _Bits(unit[2:_LONGEST_HEADER].replace(b"\0\0\3", b"\0\0"))
    bits.take(4)
    layers = bits.take(3)
    bits.take(1 + 96)
    present = [(bits.take(1), bits.take(1)) for _ in range(layers)]
    bits.take(2 * (8 - layers) if layers else 0)
    for profile, level in present:
        bits.take(88 * profile + 8 * level)
    bits.golomb()
    if bits.golomb() == _FULL_CHROMA:
        bits.take(1)
    return bits.golomb(), bits.golomb()


def _obu_sizes(stream: bytes) -> Iterator[Size]:
    """Width and height of the sequence header among the first units of an AV1 stream (AV1, 5.5)."""
    at = 0
    for _ in range(_FIRST_UNITS):
        head = _number(stream, at, 1)
        at += 2 if head & 4 else 1
        length, at = _leb128(stream, at) if head & 2 else (len(stream) - at, at)
        if head >> 3 & 15 == _SEQUENCE_HEADER and length:
            yield _av1_size(stream[at : at + min(length, _LONGEST_HEADER)])
        at += length
        if at >= len(stream):
            return


def _av1_size(header: bytes) -> Size:
    bits = _Bits(header)
    bits.take(4)
    if bits.take(1):
        bits.take(5)
    else:
        _skip_operating_points(bits)
    across, down = bits.take(4) + 1, bits.take(4) + 1
    return bits.take(across) + 1, bits.take(down) + 1


def _skip_operating_points(bits: "_Bits") -> None:
    if bits.take(1):
        raise Malformed  # timing: of use to films, unknown in pictures
    delayed, points = bits.take(1), bits.take(5) + 1
    for _ in range(points):
        bits.take(12)
        bits.take(1 if bits.take(5) > _TIERLESS else 0)
        if delayed and bits.take(1):
            bits.take(4)


def _leb128(stream: bytes, at: int) -> tuple[int, int]:
    value = 0
    for step in range(8):
        byte = _number(stream, at, 1)
        value, at = value | (byte & 127) << 7 * step, at + 1
        if byte < 128:  # noqa: PLR2004 - the sign that no further byte belongs to the number
            break
    return value, at


class _Bits:
    """A reader of bits, the highest of each byte first; raises Malformed at the end."""

    def __init__(self, data: bytes) -> None:
        self._value, self._left = int.from_bytes(data, "big"), 8 * len(data)

    def take(self, count: int) -> int:
        """The number in the next bits."""
        self._left -= count
        if self._left < 0:
            raise Malformed
        return self._value >> self._left & ((1 << count) - 1)

    def golomb(self) -> int:
        """The next unsigned number in Exp-Golomb code."""
        zeros = 0
        while not self.take(1):
            zeros += 1
        return (1 << zeros) - 1 + self.take(zeros)


# Boxes that hold boxes, and how many bytes of their own come first.
_PARENTS = {
    b"meta": 4,
    b"iprp": 0,
    b"ipco": 0,
    b"moov": 0,
    b"trak": 0,
    b"mdia": 0,
    b"minf": 0,
    b"stbl": 0,
}
_TELLING = {"ispe", "tkhd", "av1C", "hvcC", "iloc", "stco"}
_DEEPEST = 8
_MOST_ITEMS = 1_000
_LOOKED_AT = 65_536
_SEQUENCE_PARAMETERS = 33
_SEQUENCE_HEADER = 1
_FIRST_UNITS = 8
_LONGEST_HEADER = 200
_UNIT_HEAD = 6
_FULL_CHROMA = 3
_TIERLESS = 7
