"""Writes a colour profile anew with what makes colours, and without who made it, when, and on whose screen.

Layout: ICC.1:2022, 7.2 (header) and 7.3 (tag table). Screens' own profiles name their serial number.
"""

import io
import struct
from typing import Final

from PIL import ImageCms

LARGEST: Final = 4_000_000
"""Bytes of a profile that is looked at."""


def lean(profile: bytes) -> bytes | None:
    """The profile with its curves, primaries and tables alone; None for one that nobody could use."""
    name = _name(profile)
    if name is None:
        return None
    bodies = {tag: body for tag, body in _tags(profile) if tag in _COLOUR}
    return _written(profile[:_HEADER], {b"desc": _described(name), **bodies})


def _name(profile: bytes) -> str | None:
    """What the profile is called from now on: readers go by whether it is sRGB."""
    if len(profile) > LARGEST:
        return None
    try:
        said = ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(profile)))
    except (ImageCms.PyCMSError, OSError):
        return None
    return "sRGB" if "sRGB" in said else "Colours"


def _tags(profile: bytes) -> list[tuple[bytes, bytes]]:
    count = int.from_bytes(profile[_HEADER : _HEADER + 4], "big")
    rows = [
        struct.unpack_from(">4sII", profile, _HEADER + 4 + 12 * at)
        for at in range(min(count, _MOST_TAGS))
        if _HEADER + 16 + 12 * at <= len(profile)
    ]
    return [(tag, profile[start : start + length]) for tag, start, length in rows]


def _described(name: str) -> bytes:
    """A `textDescriptionType`, which has room for two scripts more."""
    return b"desc\0\0\0\0" + struct.pack(">I", len(name) + 1) + name.encode("ascii") + bytes(1 + 8 + 3 + 67)


def _written(header: bytes, bodies: dict[bytes, bytes]) -> bytes:
    at = _HEADER + 4 + 12 * len(bodies)
    table, kept, places = struct.pack(">I", len(bodies)), b"", dict[bytes, int]()
    for tag, body in bodies.items():
        if body not in places:  # one curve serves three colours
            kept += bytes(-(at + len(kept)) % 4)
            places[body] = at + len(kept)
            kept += body
        table += tag + struct.pack(">II", places[body], len(body))
    clean = bytearray(header)
    for start, end in _PERSONAL:
        clean[start:end] = bytes(end - start)
    clean[24:36] = struct.pack(">6H", 2000, 1, 1, 0, 0, 0)
    clean[:4] = struct.pack(">I", at + len(kept))
    return bytes(clean) + table + kept


_HEADER = 128
_MOST_TAGS = 100
_COLOUR = frozenset(
    {
        b"wtpt", b"chad", b"rXYZ", b"gXYZ", b"bXYZ", b"rTRC", b"gTRC", b"bTRC", b"kTRC", b"cicp",
        b"A2B0", b"A2B1", b"A2B2", b"B2A0", b"B2A1", b"B2A2",
    }
)  # fmt: skip
_PERSONAL = ((4, 8), (40, 44), (48, 56), (80, 100))
"""Of the header: software, platform, the device's maker and model, who wrote it, and its checksum."""
