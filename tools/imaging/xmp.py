"""Puts an XMP packet into a finished JPEG, PNG, WebP or AVIF; the picture's own bytes stay as they are.

Where each format keeps it: XMP specification part 3 (JPEG, PNG), the WebP container specification, and
ISO/IEC 23008-12 (AVIF, as an item that describes the primary one).
"""

import struct
import zlib
from collections.abc import Mapping
from itertools import accumulate
from typing import Final
from xml.sax.saxutils import escape, quoteattr

from tools.imaging.container import kind_of

LONGEST: Final = 400
"""Bytes of one value, as it is written; what is longer is cut, so that a packet stays short."""
WRAPPING: Final = 160
"""Bytes that a file grows by at most beyond those of the packet."""

_NAMESPACES: Final = {
    "dc": "http://purl.org/dc/elements/1.1/",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
}


def packet(properties: Mapping[str, str], *, rights: str | None = None) -> bytes:
    """Write a packet of plain properties, as "xmp:CreatorTool", and of a rights notice."""
    used = {name.partition(":")[0] for name in properties} | ({"dc"} if rights else set[str]())
    spaces = " ".join(f'xmlns:{name}="{uri}"' for name, uri in _NAMESPACES.items() if name in used)
    plain = " ".join(f"{name}={quoteattr(_legal(value))}" for name, value in properties.items())
    said = f'<rdf:li xml:lang="x-default">{escape(_legal(rights))}</rdf:li>' if rights else ""
    body = f"<dc:rights><rdf:Alt>{said}</rdf:Alt></dc:rights>" if said else ""
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description rdf:about="" {spaces} {plain}>{body}</rdf:Description>'
        '</rdf:RDF></x:xmpmeta><?xpacket end="r"?>'
    ).encode()


def embed(data: bytes, packet: bytes) -> bytes:
    """Put a packet into a picture that has none; raises ValueError for other formats and layouts."""
    match kind_of(data):
        case "JPEG":
            return _into_jpeg(data, packet)
        case "PNG":
            return _into_png(data, packet)
        case "WEBP":
            return _into_webp(data, packet)
        case "AVIF":
            return _into_avif(data, packet)
        case _:
            raise ValueError("An XMP packet can be put into a JPEG, PNG, WebP or AVIF only.")


def _legal(value: str) -> str:
    """Drop what XML cannot hold, and what is too long."""
    printable = [letter for letter in value if letter.isprintable()]
    lengths = accumulate(len(escape(letter, {'"': "&quot;"}).encode()) for letter in printable)
    return "".join(letter for letter, length in zip(printable, lengths, strict=True) if length <= LONGEST)


def _into_jpeg(data: bytes, packet: bytes) -> bytes:
    """As an APP1 segment behind the JFIF header, which must come first."""
    body = b"http://ns.adobe.com/xap/1.0/\0" + packet
    at = 4 + int.from_bytes(data[4:6], "big") if data[2:4] == b"\xff\xe0" else 2
    return data[:at] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + data[at:]


def _into_png(data: bytes, packet: bytes) -> bytes:
    """As an uncompressed iTXt chunk behind IHDR, which has a fixed length."""
    chunk = b"iTXtXML:com.adobe.xmp\0\0\0\0\0" + packet
    at = 8 + 25
    return data[:at] + struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) + data[at:]


def _into_webp(data: bytes, packet: bytes) -> bytes:
    """As the last chunk, announced in the extended header, which a simple file is given first."""
    chunks = data[12:] if data[12:16] == b"VP8X" else _extended(data) + data[12:]
    announced = chunks[:8] + bytes([chunks[8] | _WEBP_HAS_XMP]) + chunks[9:]
    said = b"XMP " + struct.pack("<I", len(packet)) + packet + b"\0" * (len(packet) & 1)
    body = b"WEBP" + announced + said
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _extended(data: bytes) -> bytes:
    """Make the VP8X chunk of a simple lossy or lossless WebP."""
    if data[12:16] == b"VP8 ":
        width, height = (value & 0x3FFF for value in struct.unpack("<HH", data[26:30]))
        flags = 0
    elif data[12:16] == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        flags = _WEBP_HAS_ALPHA if bits >> 28 & 1 else 0
    else:
        raise ValueError("This WebP begins with neither a picture nor an extended header.")
    size = struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    return b"VP8X" + struct.pack("<I", 10) + bytes([flags, 0, 0, 0]) + size


def _into_avif(data: bytes, packet: bytes) -> bytes:
    """As an item of type "mime" in a media box at the end; the other items' places move by what `meta` grows."""
    start, end = _find(data, b"meta", 0, len(data))
    parts = _boxes(data, start + 12, end)
    if b"iloc" not in parts or b"iinf" not in parts:
        raise ValueError("This AVIF does not say where its items are.")
    number = 1 + max(item for item, _ in _places(parts[b"iloc"]))
    primary = int.from_bytes(parts[b"pitm"][12:14], "big")
    reference = _box(b"cdsc", struct.pack(">HHH", number, 1, primary))
    parts[b"iinf"] = _with_item(parts[b"iinf"], number)
    parts[b"iref"] = _box(b"iref", parts.get(b"iref", bytes(12))[8:] + reference)
    grown = sum(map(len, parts.values())) + 12 + _PLACE.size - (end - start)
    where = len(data) + grown + 8
    parts[b"iloc"] = _with_place(parts[b"iloc"], grown, (number, where, len(packet)))
    meta = _box(b"meta", data[start + 8 : start + 12] + b"".join(parts.values()))
    return data[:start] + meta + data[end:] + _box(b"mdat", packet)


def _box(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body) + 8) + name + body


def _boxes(data: bytes, start: int, end: int) -> dict[bytes, bytes]:
    """Whole boxes by name, in their order; a name that comes twice is not expected here."""
    found: dict[bytes, bytes] = {}
    while start + 8 <= end:
        length = int.from_bytes(data[start : start + 4], "big")
        name = data[start + 4 : start + 8]
        if length < _HEADER or start + length > end or name in found:
            raise ValueError("This AVIF is laid out in a way that is not known here.")
        found[name] = data[start : start + length]
        start += length
    return found


def _find(data: bytes, name: bytes, start: int, end: int) -> tuple[int, int]:
    while start + 8 <= end:
        length = int.from_bytes(data[start : start + 4], "big")
        if data[start + 4 : start + 8] == name:
            return start, start + length
        if length < _HEADER:
            break
        start += length
    raise ValueError(f"This AVIF has no {name.decode()} box.")


def _places(iloc: bytes) -> list[tuple[int, int]]:
    """Every item's number, and where in `iloc` its offset stands."""
    if iloc[8] != 0 or iloc[12:14] != b"\x44\x00":
        raise ValueError("This AVIF says in a way that is not known here where its items are.")
    count = int.from_bytes(iloc[14:16], "big")
    rows = [_PLACE.unpack_from(iloc, 16 + index * _PLACE.size) for index in range(count)]
    if len(iloc) != 16 + count * _PLACE.size or any(row[2] != 1 for row in rows):
        raise ValueError("This AVIF has an item in several pieces.")
    return [(row[0], 16 + index * _PLACE.size + 6) for index, row in enumerate(rows)]


def _with_place(iloc: bytes, grown: int, place: tuple[int, int, int]) -> bytes:
    moved = bytearray(iloc)
    for _, at in _places(iloc):
        struct.pack_into(">I", moved, at, int.from_bytes(iloc[at : at + 4], "big") + grown)
    struct.pack_into(">H", moved, 14, int.from_bytes(iloc[14:16], "big") + 1)
    number, where, length = place
    return _box(b"iloc", bytes(moved[8:]) + _PLACE.pack(number, 0, 1, where, length))


def _with_item(iinf: bytes, number: int) -> bytes:
    if iinf[8] != 0:
        raise ValueError("This AVIF has more items than a picture needs.")
    count = int.from_bytes(iinf[12:14], "big") + 1
    entry = b"\2\0\0\0" + struct.pack(">HH", number, 0) + b"mime" + b"XMP\0" + b"application/rdf+xml\0"
    return _box(b"iinf", iinf[8:12] + struct.pack(">H", count) + iinf[14:] + _box(b"infe", entry))


_HEADER = 8
_PLACE = struct.Struct(">HHHII")
_WEBP_HAS_XMP = 0x04
_WEBP_HAS_ALPHA = 0x10
