"""Makes of an uploaded photo what is kept of it: pixels, colours, and nothing of whoever took it.

An upright JPEG, PNG or WebP keeps its pixels as they are coded; of its segments and chunks only those are
copied that say how it looks. Everything else is decoded, turned upright and encoded anew.
"""

import io
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from tools.imaging import exif, profile
from tools.imaging.container import Container
from tools.imaging.fingerprint import fingerprint
from tools.imaging.provenance import SourceType, stated
from tools.imaging.rights import Reservation, reserved
from tools.imaging.source import PictureInfo, SuspectPicture, decode, glance, vetted

QUALITY: Final = 95
"""Of a JPEG that is encoded anew, without colour subsampling."""
MOST_TURNED: Final = 25_000_000
"""Pixels of a JPEG that is turned at its full size, which takes eight bytes for each."""


@dataclass(frozen=True, eq=False)
class Cleaned:
    """The bytes to keep, what they are, and what the photo said of itself before it was cleaned."""

    data: bytes
    info: PictureInfo
    reserved: Reservation | None
    source_says: SourceType | None
    fingerprint: str


def cleaned(data: bytes, *, any_shape: bool = False) -> Cleaned:
    """Clean a picture; the same one gives the same bytes. Raises UnusablePicture as `glance` does."""
    container = vetted(data, any_shape=any_shape)
    kept = _copied(container) if _is_upright(container) else None
    if kept is None:
        kept = _encoded(container)
    info, small = glance(kept, any_shape=any_shape)
    return Cleaned(kept, info, reserved(container), stated(data), fingerprint(small))


def _is_upright(container: Container) -> bool:
    return exif.tags(container).get(exif.ORIENTATION) not in range(2, 9)


def _copied(container: Container) -> bytes | None:
    """The same coded pixels with nothing beside them; None for what can only be encoded anew."""
    match container.kind:
        case "JPEG":
            return _jpeg(container)
        case "PNG":
            return _png(container)
        case "WEBP" if container.frames == 1:
            return _webp(container)
        case _:
            return None


def _encoded(container: Container) -> bytes:
    """The photo upright in sRGB, as a JPEG, or as a PNG where it is transparent; a very large JPEG at half."""
    width, height = container.size
    third = min(width, height) // 3
    halved = (third, third) if width * height > MOST_TURNED else None
    source, file = decode(container.data, need=halved), io.BytesIO()
    if source.alpha is None:
        source.image.save(file, "JPEG", quality=QUALITY, subsampling=0)
    else:
        source.image.putalpha(source.alpha)
        source.image.save(file, "PNG", compress_level=3)
    return file.getvalue()


def _jpeg(container: Container) -> bytes:
    """Tables, frame and scans, with an application segment where it changes how they are read."""
    return b"".join((b"\xff\xd8", *_jfif(container), *_jpeg_profile(container), *_coded(container)))


def _coded(container: Container) -> Iterator[bytes]:
    data, parts = container.data, container.parts
    for part, after in zip(parts, [*parts[1:], None], strict=True):
        if part.name in _JPEG_CODED or part.name.startswith("SOF"):
            yield data[part.start - 4 : part.end]
        elif part.name == "EOI":
            yield b"\xff\xd9"
        elif part.name == "APP14" and data.startswith(b"Adobe", part.start, part.end):
            yield _segment(0xEE, data[part.start : part.start + _ADOBE])
        if part.name == "SOS":  # the scan itself lies between this header and the next marker
            end = container.end if after is None else after.start - (2 if after.name == "EOI" else 4)
            yield data[part.end : end]


def _jfif(container: Container) -> Iterator[bytes]:
    """The version and density of a JFIF header, without its small picture."""
    for body in container.payloads("APP0", b"JFIF\0"):
        if len(body) >= _JFIF:
            yield _segment(0xE0, b"JFIF\0" + body[:_JFIF] + b"\0\0")
            return


def _jpeg_profile(container: Container) -> Iterator[bytes]:
    pieces = sorted(container.payloads("APP2", b"ICC_PROFILE\0"), key=lambda piece: piece[:1])
    lean = profile.lean(b"".join(piece[2:] for piece in pieces)) if pieces else None
    if lean:
        cuts = range(0, len(lean), _SEGMENT)
        for number, at in enumerate(cuts, 1):
            counted = bytes((number, len(cuts)))
            yield _segment(0xE2, b"ICC_PROFILE\0" + counted + lean[at : at + _SEGMENT])


def _segment(code: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, code, len(body) + 2) + body


def _png(container: Container) -> bytes:
    """The first picture's chunks: header, palette, colours, transparency, pixels."""
    data, out = container.data, [container.data[:8]]
    for part in container.parts:
        body = data[part.start : part.end]
        if part.name in _PNG_LOOKS:
            out.append(_chunk(part.name.encode("ascii"), body))
        elif part.name in _PNG_PACKED:
            said = _inflated(body.split(b"\0", _PNG_PACKED[part.name])[-1])
            if part.name == "iCCP" and (lean := profile.lean(said)):
                out.append(_chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(lean)))
    return b"".join(out)


def _inflated(body: bytes) -> bytes:
    """What a chunk holds once unpacked; raises SuspectPicture where that has no end."""
    try:
        said = zlib.decompressobj().decompress(body, profile.LARGEST + 1)
    except zlib.error:
        return b""
    if len(said) > profile.LARGEST:
        raise SuspectPicture("The picture carries too much metadata; export it without metadata.")
    return said


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _webp(container: Container) -> bytes:
    """The picture's chunks, the extended header claiming no more than what is left."""
    chunks = list[tuple[bytes, bytes]]()
    for part in container.parts:
        body = container.data[part.start : part.end]
        if part.name == "ICCP":
            body = profile.lean(body) or b""
        if body and part.name in _WEBP_LOOKS:
            chunks.append((part.name.encode("ascii"), body))
    claimed = 0x20 if any(name == b"ICCP" for name, _ in chunks) else 0
    body = b"WEBP" + b"".join(
        name + struct.pack("<I", len(body)) + body + bytes(len(body) & 1)
        for name, body in ((name, _extended(body, claimed) if name == b"VP8X" else body) for name, body in chunks)
    )
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _extended(body: bytes, claimed: int) -> bytes:
    return bytes((body[0] & _WEBP_ALPHA | claimed, 0, 0, 0)) + body[4:10]


_JPEG_CODED = frozenset({"C4", "CC", "DB", "DC", "DD", "SOS"})
"""Huffman and arithmetic tables, quantisation, number of lines, restart interval, scans."""
_ADOBE = 12
_JFIF = 7
_SEGMENT = 65_000
_PNG_LOOKS = frozenset(
    {"IHDR", "PLTE", "IDAT", "IEND", "tRNS", "gAMA", "cHRM", "sRGB", "sBIT", "cICP", "mDCV", "cLLI"}
)
_PNG_PACKED = {"iCCP": 2, "zTXt": 2, "iTXt": 4}
"""Chunks that may be compressed, and how many NULs come before that: ends of texts, and the method, which is 0."""
_WEBP_LOOKS = frozenset({"VP8X", "ICCP", "ALPH", "VP8 ", "VP8L"})
_WEBP_ALPHA = 0x10
