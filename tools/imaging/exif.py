"""Reads the few EXIF tags that matter here; whatever else a camera wrote is left alone."""

import re
import struct
from collections.abc import Iterator
from itertools import islice

from tools.imaging.container import Container

ORIENTATION = 0x0112
ARTIST = 0x013B
COPYRIGHT = 0x8298


def tags(container: Container) -> dict[int, int | bytes]:
    """The short numbers and the texts of the first directory; empty where there is none, or a broken one."""
    for block in _blocks(container):
        found = dict(_entries(block))
        if found:
            return found
    return {}


def _blocks(container: Container) -> Iterator[bytes]:
    yield from container.payloads("APP1", _PREFIX)
    yield from container.payloads("eXIf")
    for block in container.payloads("EXIF"):
        yield block.removeprefix(_PREFIX)
    if container.kind in ("HEIF", "AVIF"):  # an item, with or without that prefix
        for found in islice(_HEADER.finditer(container.data), _MOST_HEADERS):
            yield container.data[found.start() : found.start() + _LONGEST]


def _entries(block: bytes) -> Iterator[tuple[int, int | bytes]]:
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(block[:4])
    if order is None:
        return
    try:
        start = struct.unpack_from(f"{order}I", block, 4)[0]
        count = struct.unpack_from(f"{order}H", block, start)[0]
        for at in range(start + 2, start + 2 + 12 * min(count, _MOST_TAGS), 12):
            yield from _entry(block, at, order)
    except struct.error:
        return


def _entry(block: bytes, at: int, order: str) -> Iterator[tuple[int, int | bytes]]:
    tag, kind, length = struct.unpack_from(f"{order}HHI", block, at)
    if kind == _SHORT:
        yield tag, struct.unpack_from(f"{order}H", block, at + 8)[0]
    elif kind in _TEXTS and length:
        place = struct.unpack_from(f"{order}I", block, at + 8)[0] if length > _INLINE else at + 8
        yield tag, block[place : place + min(length, _LONGEST)]


_PREFIX = b"Exif\0\0"
_HEADER = re.compile(rb"II\*\0|MM\0\*")
_MOST_HEADERS = 20
_SHORT, _TEXTS, _INLINE = 3, (1, 2, 7), 4
_MOST_TAGS = 200
_LONGEST = 65_536
