"""Reads how a picture file is built, without decoding a pixel: its kind, its parts, every size it states."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Literal

from tools.imaging import boxes
from tools.imaging.boxes import Malformed, Part, Size

Kind = Literal["JPEG", "PNG", "WEBP", "HEIF", "AVIF"]

MOST_PARTS: Final = 10_000
"""Segments, chunks or boxes of one file: twenty megabytes in pieces of four kilobytes have half as many."""


class TooManyParts(ValueError):
    """A file in so many pieces that only somebody who means harm writes it."""


@dataclass(frozen=True, eq=False)
class Container:
    """A picture file taken apart: what it is called, what it states of itself, and where its picture ends."""

    kind: Kind
    data: bytes = field(repr=False)
    parts: tuple[Part, ...]
    sizes: tuple[Size, ...]
    end: int

    def payloads(self, name: str, prefix: bytes = b"") -> Iterator[bytes]:
        """The bodies of all parts of that name which begin with `prefix`, without it."""
        for part in self.parts:
            if part.name == name and self.data.startswith(prefix, part.start, part.end):
                yield self.data[part.start + len(prefix) : part.end]

    @property
    def size(self) -> Size:
        """Width and height before the picture is turned upright; of HEIC and AVIF, the largest of many."""
        if self.kind in ("HEIF", "AVIF"):
            return max(self.sizes, key=lambda size: size[0] * size[1])
        return self.sizes[0]

    @property
    def frames(self) -> int:
        """How many pictures a PNG or WebP says it shows one after the other; 1 for a still."""
        if self.kind == "PNG":
            return max([1, *(int.from_bytes(body[:4], "big") for body in self.payloads("acTL"))])
        return max(1, sum(part.name == "ANMF" for part in self.parts))

    @property
    def trailer(self) -> bytes:
        """What lies behind the picture."""
        return self.data[self.end :]


def kind_of(data: bytes) -> Kind | None:
    """What the first bytes say a file is; its name and its sender's word count for nothing."""
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "WEBP"
    return boxes.kind_of(data)


def take_apart(data: bytes) -> Container | None:
    """Walk through a file; None for other kinds. Raises Malformed or TooManyParts."""
    kind = kind_of(data)
    if kind is None:
        return None
    parts: list[Part] = []
    for part in _WALKS[kind](data):
        parts.append(part)
        if len(parts) > MOST_PARTS:
            raise TooManyParts
    sizes = tuple(_SIZES[kind](data, parts))
    return Container(kind, data, tuple(parts), sizes, parts[-1].after if parts else len(data))


def _jpeg_parts(data: bytes) -> Iterator[Part]:
    at = 2
    while marker := _MARKER.search(data, at):
        code, at = data[marker.start() + 1], marker.end()
        if code == _END_OF_IMAGE:
            yield Part("EOI", at, at, at)
            return
        if code in _LONELY:
            continue
        end = at + int.from_bytes(data[at : at + 2], "big")
        if end < at + 2 or end > len(data):
            raise Malformed
        yield Part(_JPEG_NAMES.get(code, f"{code:02X}"), at + 2, end, len(data))
        at = end


def _png_parts(data: bytes) -> Iterator[Part]:
    at = 8
    while at + 12 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        name, start = data[at + 4 : at + 8].decode("latin-1"), at + 8
        at = start + length + 4
        last = name == "IEND" and at <= len(data)
        yield Part(name, start, min(start + length, len(data)), at if last else len(data))
        if last:
            return


def _webp_parts(data: bytes) -> Iterator[Part]:
    end = min(len(data), int.from_bytes(data[4:8], "little") + 8)
    at = 12
    while at + 8 <= end:
        name, length = data[at : at + 4].decode("latin-1"), int.from_bytes(data[at + 4 : at + 8], "little")
        yield Part(name, at + 8, min(at + 8 + length, end), end)
        at += 8 + length + (length & 1)


def _jpeg_sizes(data: bytes, parts: list[Part]) -> Iterator[Size]:
    for part in parts:
        if part.name.startswith("SOF"):
            body = data[part.start : part.end]
            yield int.from_bytes(body[3:5], "big"), int.from_bytes(body[1:3], "big")


def _png_sizes(data: bytes, parts: list[Part]) -> Iterator[Size]:
    for part in parts:
        if part.name == "IHDR":
            body = data[part.start : part.end]
            yield int.from_bytes(body[:4], "big"), int.from_bytes(body[4:8], "big")


def _webp_sizes(data: bytes, parts: list[Part]) -> Iterator[Size]:
    for part in parts:
        body = data[part.start : min(part.end, part.start + 40)]
        if part.name == "VP8X":
            yield 1 + int.from_bytes(body[4:7], "little"), 1 + int.from_bytes(body[7:10], "little")
        if part.name == "ANMF":
            yield 1 + int.from_bytes(body[6:9], "little"), 1 + int.from_bytes(body[9:12], "little")
            yield from _coded(body[16:20], body[24:])
        yield from _coded(part.name.encode("latin-1"), body)


def _coded(name: bytes, body: bytes) -> Iterator[Size]:
    """The size that a VP8 or VP8L stream itself begins with."""
    if name == b"VP8 " and body[3:6] == b"\x9d\x01\x2a":
        yield int.from_bytes(body[6:8], "little") & 0x3FFF, int.from_bytes(body[8:10], "little") & 0x3FFF
    if name == b"VP8L" and body[:1] == b"\x2f":
        bits = int.from_bytes(body[1:5], "little")
        yield (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1


# A marker is never 00 (a stuffed byte), RST0 to RST7 or FF (filling).
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_END_OF_IMAGE = 0xD9
_LONELY = (0x01, 0xD8)
_JPEG_NAMES = (
    {code: f"SOF{code - 0xC0}" for code in range(0xC0, 0xD0) if code not in (0xC4, 0xC8, 0xCC)}
    | {code: f"APP{code - 0xE0}" for code in range(0xE0, 0xF0)}
    | {0xDA: "SOS"}
)
_WALKS = {
    "JPEG": _jpeg_parts,
    "PNG": _png_parts,
    "WEBP": _webp_parts,
    "HEIF": boxes.walk,
    "AVIF": boxes.walk,
}
_SIZES = {
    "JPEG": _jpeg_sizes,
    "PNG": _png_sizes,
    "WEBP": _webp_sizes,
    "HEIF": boxes.sizes,
    "AVIF": boxes.sizes,
}
