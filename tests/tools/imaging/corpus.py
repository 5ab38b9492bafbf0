"""Every odd and hostile picture file that we could think of, made by script, and what is to become of it."""

import io
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, cast

import pillow_heif
from PIL import Image, ImageCms

from tools.imaging.source import (
    BrokenPicture,
    EmptyPicture,
    OversizedPicture,
    SuspectPicture,
    UndersizedPicture,
    UnreadablePicture,
    UnusablePicture,
)

Colour = tuple[int, int, int]
Size = tuple[int, int]

WIDE, HIGH = 192, 128
RED, GREEN, BLUE, GREY = (200, 60, 50), (60, 170, 80), (50, 70, 190), (128, 128, 128)
BLACK, WHITE = (0, 0, 0), (255, 255, 255)
FLAG = (RED, GREEN, BLUE, GREY)
SHADES = (101, 127, 78, 128)  # the luma of the four, as a greyscale picture has it


@dataclass(frozen=True)
class Accepted:
    """Read upright at this size, the middles of its quarters in these colours within so many levels."""

    make: Callable[[], bytes]
    colours: tuple[Colour, ...] = FLAG
    levels: int = 6
    size: Size = (WIDE, HIGH)
    media_type: str = "image/jpeg"


@dataclass(frozen=True)
class Refused:
    """Refused as this class, with a sentence that holds these words."""

    make: Callable[[], bytes]
    error: type[UnusablePicture]
    says: str


@dataclass(frozen=True)
class Heavy:
    """Large, legal or not: what counts is that it takes little time and memory."""

    make: Callable[[], bytes]
    accepted: bool


pillow_heif.register_heif_opener()


@cache
def flag(size: Size = (WIDE, HIGH)) -> Image.Image:
    """Red, green, blue and grey quarters."""
    return _quarters(FLAG, size)


def _quarters(colours: tuple[Any, ...], size: Size = (WIDE, HIGH), mode: str = "RGB") -> Image.Image:
    image = Image.new(mode, size)
    wide, high = size[0] // 2, size[1] // 2
    for at, colour in enumerate(colours):
        image.paste(colour, (at % 2 * wide, at // 2 * high, at % 2 * wide + wide, at // 2 * high + high))
    return image


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    """The image as a file."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def jpeg(image: Image.Image | None = None, **options: Any) -> bytes:
    """A JPEG without colour subsampling, the flag unless another image is given."""
    return saved(image or flag(), "JPEG", **{"quality": 95, "subsampling": 0, **options})


def png(image: Image.Image | None = None, **options: Any) -> bytes:
    """A PNG, of the flag unless another image is given."""
    return saved(image or flag(), "PNG", **options)


def heic(image: Image.Image | None = None, **options: Any) -> bytes:
    """An HEIC file, of the flag unless another image is given."""
    return saved(image or flag(), "HEIF", **{"quality": 95, "chroma": 444, **options})


def chunk(kind: bytes, body: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def raw_png(size: Size, depth: int, colour: int, rows: bytes, *extra: bytes, interlaced: bool = False) -> bytes:
    """A PNG of rows that are filtered already."""
    header = struct.pack(">IIBBBBB", *size, depth, colour, 0, 0, interlaced)
    body = chunk(b"IDAT", zlib.compress(rows, 1))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(extra) + body + chunk(b"IEND", b"")


def _deep_png(colour: int, channels: Callable[[Colour], tuple[int, ...]], *extra: bytes) -> bytes:
    """A PNG with sixteen bits a channel; each row is cut of two quarters."""
    rows = [
        b"\0" + b"".join(struct.pack(f">{len(channels(half))}H", *channels(half)) * (WIDE // 2) for half in halves)
        for halves in (FLAG[:2], FLAG[2:])
    ]
    return raw_png((WIDE, HIGH), 16, colour, rows[0] * (HIGH // 2) + rows[1] * (HIGH // 2), *extra)


def _interlaced_png() -> bytes:
    """Adam7: the seven passes of the flag."""
    image, rows = flag(), b""
    for left, top, across, down in _ADAM7:
        for y in range(top, HIGH, down):
            rows += b"\0" + b"".join(bytes(_pixel(image, x, y)) for x in range(left, WIDE, across))
    return raw_png((WIDE, HIGH), 8, 2, rows, interlaced=True)


def _pixel(image: Image.Image, x: int, y: int) -> Colour:
    red, green, blue = cast("Colour", image.getpixel((x, y)))
    return red, green, blue


def _turned(orientation: int, kind: str = "JPEG", **options: Any) -> bytes:
    """The flag as a camera stores it that was held in this way."""
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}
    stored = flag().transpose(Image.Transpose(undo[orientation])) if orientation > 1 else flag()
    exif = Image.Exif()
    exif[0x0112] = orientation
    return saved(stored, kind, exif=exif.tobytes(), **options)


def profile(red: Any, green: Any, blue: Any, gamma: float | None = None) -> bytes:
    """An ICC profile of these primaries (XYZ under D50), with the curve of sRGB or a plain power."""
    srgb: Any = ImageCms.createProfile("sRGB")  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    made = bytearray(ImageCms.ImageCmsProfile(srgb).tobytes())
    for at in range(132, 132 + 12 * int.from_bytes(made[128:132], "big"), 12):
        name, place = bytes(made[at : at + 4]), int.from_bytes(made[at + 4 : at + 8], "big")
        if primary := {b"rXYZ": red, b"gXYZ": green, b"bXYZ": blue}.get(name):
            made[place + 8 : place + 20] = struct.pack(">3i", *(round(value * 65536) for value in primary))
        if gamma and name in (b"rTRC", b"gTRC", b"bTRC"):
            made[place + 12 : place + 32] = struct.pack(">5i", *(round(v * 65536) for v in (gamma, 1, 0, 0, 0)))
    return bytes(made).replace("sRGB".encode("utf-16-be"), "test".encode("utf-16-be"))


def through(colour: Colour, matrix: tuple[tuple[float, ...], ...], gamma: float | None = None) -> Colour:
    """A colour of another space in sRGB, by the linear-light matrix between the two."""
    levels = [(one / 255) ** gamma if gamma else _linear(one / 255) for one in colour]
    mixed = (sum(part * level for part, level in zip(row, levels, strict=True)) for row in matrix)
    red, green, blue = (round(255 * min(1.0, max(0.0, _curved(one)))) for one in mixed)
    return red, green, blue


def _linear(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4


def _curved(value: float) -> float:
    return value * 12.92 if value <= 0.0031308 else 1.055 * value ** (1 / 2.4) - 0.055


def _seen_through(alpha: int) -> Image.Image:
    """The flag, its last quarter as transparent as that."""
    return _quarters((*((*colour, 255) for colour in FLAG[:3]), (*GREY, alpha)), mode="RGBA")


def _animated(kind: str, frames: int = 3, **options: Any) -> bytes:
    more = [Image.new("RGB", (WIDE, HIGH), (at % 250, 0, 0)) for at in range(1, frames)]
    return saved(flag(), kind, save_all=True, append_images=more, duration=40, **options)


def _with_segments(count: int, size: int) -> bytes:
    """A JPEG with so many application segments of that size."""
    made = jpeg()
    return made[:2] + (b"\xff\xea" + struct.pack(">H", size + 2) + bytes(size)) * count + made[2:]


def _with_scans(count: int) -> bytes:
    """A progressive JPEG whose last pass is there many times."""
    made = jpeg(progressive=True)
    starts = [at for at in range(len(made) - 1) if made[at : at + 2] == b"\xff\xda"]
    return made[: starts[-1]] + made[starts[-1] : -2] * count + b"\xff\xd9"


def _bomb(megabytes: int) -> bytes:
    """Zeros, squeezed a thousandfold."""
    squeeze = zlib.compressobj(9)
    return b"".join(squeeze.compress(bytes(1_000_000)) for _ in range(megabytes)) + squeeze.flush()


def _with_chunk(name: bytes, body: bytes) -> bytes:
    made = png()
    return made[:33] + chunk(name, body) + made[33:]


def _huge_png(size: Size, megabytes: int) -> bytes:
    """A header that announces a size, and zeros that fill some of it."""
    header = struct.pack(">IIBBBBB", *size, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", _bomb(megabytes)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def _restated_jpeg(size: Size) -> bytes:
    """A small JPEG whose frame header claims another size."""
    made = bytearray(jpeg())
    at = made.index(b"\xff\xc0")
    made[at + 5 : at + 9] = struct.pack(">HH", size[1], size[0])
    return bytes(made)


def _webp_with_canvas(width: int, height: int, payload: bytes | None = None) -> bytes:
    """An extended WebP of that canvas around a small picture, or around that payload."""
    still = saved(flag(), "WEBP", lossless=True)[12:] if payload is None else payload
    flags = b"\x02\0\0\0" if payload else b"\0\0\0\0"
    canvas = flags + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body = b"WEBPVP8X" + struct.pack("<I", len(canvas)) + canvas + still
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _webp_frames(count: int) -> bytes:
    """An animation of so many frames, each the same."""
    still = saved(Image.new("RGB", (WIDE, HIGH)), "WEBP", lossless=True)[12:]
    place = bytes(6) + (WIDE - 1).to_bytes(3, "little") + (HIGH - 1).to_bytes(3, "little") + b"\x28\0\0\0"
    frame = place + still
    looped = b"ANIM" + struct.pack("<I", 6) + bytes(6)
    return _webp_with_canvas(WIDE, HIGH, looped + (b"ANMF" + struct.pack("<I", len(frame)) + frame) * count)


def box(name: bytes, *parts: bytes) -> bytes:
    """A box of an ISO base media file."""
    body = b"".join(parts)
    return struct.pack(">I", len(body) + 8) + name + body


def _boxed(brand: bytes, stated: Size, codec: bytes, stream: bytes) -> bytes:
    """A still of one item that states a size, with a codec's settings and its stream."""
    shown = box(b"ispe", bytes(4), struct.pack(">II", *stated))

    def file(offset: int) -> bytes:
        place = struct.pack(">BBHBBHHHHII", 0, 0, 0, 0x44, 0, 1, 1, 0, 1, offset, len(stream))
        meta = box(b"meta", bytes(4), box(b"iloc", place), box(b"iprp", box(b"ipco", shown, codec)))
        return box(b"ftyp", brand, bytes(4), brand, b"mif1") + meta + box(b"mdat", stream)

    return file(len(file(0)) - len(stream))


def _bits(*fields: tuple[int, int]) -> bytes:
    """Numbers of so many bits each, filled up to whole bytes."""
    text = "".join(f"{value:0{width}b}" for value, width in fields)
    text += "0" * (-len(text) % 8)
    return int(text, 2).to_bytes(len(text) // 8, "big")


def _av1_header(width: int, height: int) -> bytes:
    """The sequence header of an AV1 still, as a unit."""
    made = _bits((0, 3), (1, 1), (1, 1), (0, 5), (15, 4), (15, 4), (width - 1, 16), (height - 1, 16), (0, 16))
    return b"\x0a" + bytes([len(made)]) + made


def _hevc_parameters(width: int, height: int) -> bytes:
    """The sequence parameter set of an HEVC still, as a unit."""
    head = ((0, 4), (0, 3), (1, 1), (0, 96))
    return b"\x42\x01" + _bits(*head, *map(_golomb, (0, 1, width, height, 0))).replace(b"\0\0", b"\0\0\3")


def _golomb(value: int) -> tuple[int, int]:
    return value + 1, 2 * (value + 1).bit_length() - 1


def _cut(whole: bytes, share: float = 0.6) -> bytes:
    return whole[: int(len(whole) * share)]


def _noise(size: Size = (400, 300)) -> Image.Image:
    return Image.merge("RGB", [Image.effect_noise(size, 60 + 20 * at) for at in range(3)])


def _zip() -> bytes:
    """A small archive, as zipfile writes it."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("Main.class", b"\xca\xfe\xba\xbe")
    return file.getvalue()


def _gradient(size: Size) -> Image.Image:
    ramp = Image.linear_gradient("L")
    bands = [ramp, ramp.rotate(90), ramp.rotate(180)]
    return Image.merge("RGB", [band.resize(size) for band in bands])


def _drawn(text: str) -> bytes:
    return text.encode()


_ADAM7 = (
    (0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2),
)  # fmt: skip
P3 = ((0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407))
P3_TO_SRGB = ((1.22494, -0.22494, 0.0), (-0.04206, 1.04206, 0.0), (-0.01964, -0.07864, 1.09828))
ADOBE = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))
ADOBE_TO_SRGB = ((1.39836, -0.39836, 0.0), (0.0, 1.0, 0.0), (0.0, -0.04293, 1.04293))
GREYS: tuple[Colour, ...] = tuple((shade, shade, shade) for shade in SHADES)
ON_WHITE = (RED, GREEN, BLUE, (255, 255, 255))
HALF_ON_WHITE = (RED, GREEN, BLUE, (191, 191, 191))

ACCEPTED: dict[str, Accepted] = {
    "jpeg": Accepted(jpeg),
    "jpeg, progressive": Accepted(lambda: jpeg(progressive=True)),
    "jpeg, greyscale": Accepted(lambda: jpeg(flag().convert("L")), GREYS),
    "jpeg, CMYK": Accepted(lambda: jpeg(flag().convert("CMYK"))),
    "jpeg, of two pictures": Accepted(
        lambda: saved(flag(), "MPO", save_all=True, append_images=[_noise()], quality=95, subsampling=0)
    ),
    "jpeg, with a film behind it": Accepted(lambda: jpeg() + box(b"ftyp", b"mp42") + box(b"mdat", bytes(9000))),
    "jpeg, with rubbish behind it": Accepted(lambda: jpeg() + b"\xa5" * 5000),
    "jpeg, with broken EXIF": Accepted(lambda: jpeg(exif=b"Exif\0\0II*\0\xff\xff\xff\x7f")),
    "jpeg, Display P3": Accepted(
        lambda: jpeg(icc_profile=profile(*P3)), tuple(through(colour, P3_TO_SRGB) for colour in FLAG)
    ),
    **{f"jpeg, orientation {at}": Accepted(partial(_turned, at, quality=95, subsampling=0)) for at in range(1, 9)},
    "png": Accepted(png, levels=0, media_type="image/png"),
    "png, Adobe RGB": Accepted(
        lambda: png(icc_profile=profile(*ADOBE, gamma=2.19921875)),
        tuple(through(colour, ADOBE_TO_SRGB, 2.19921875) for colour in FLAG),
        3,
        media_type="image/png",
    ),
    "png, no profile under that name": Accepted(
        lambda: png(icc_profile=b"rubbish" * 40), levels=0, media_type="image/png"
    ),
    "png, 16-bit RGB": Accepted(
        lambda: _deep_png(2, lambda colour: tuple(257 * one for one in colour)), levels=1, media_type="image/png"
    ),
    "png, 16-bit RGBA": Accepted(
        lambda: _deep_png(6, lambda colour: (*(257 * one for one in colour), 0 if colour == GREY else 65535)),
        ON_WHITE,
        1,
        media_type="image/png",
    ),
    "png, 16-bit greyscale": Accepted(
        lambda: _deep_png(0, lambda colour: (257 * SHADES[FLAG.index(colour)],)), GREYS, 1, media_type="image/png"
    ),
    "png, 16-bit greyscale with a transparent grey": Accepted(
        lambda: _deep_png(0, lambda colour: (257 * SHADES[FLAG.index(colour)],), chunk(b"tRNS", b"\0\7")),
        GREYS,
        1,
        media_type="image/png",
    ),
    "png, greyscale with alpha": Accepted(
        lambda: png(_seen_through(0).convert("LA")),
        (*GREYS[:3], (255, 255, 255)),
        1,
        media_type="image/png",
    ),
    "png, transparent": Accepted(lambda: png(_seen_through(0)), ON_WHITE, 0, media_type="image/png"),
    "png, half transparent": Accepted(lambda: png(_seen_through(128)), HALF_ON_WHITE, 1, media_type="image/png"),
    "png, palette": Accepted(lambda: png(flag().quantize(16)), levels=2, media_type="image/png"),
    "png, palette with a transparent entry": Accepted(
        lambda: png(_seen_through(0).quantize(16)), ON_WHITE, 2, media_type="image/png"
    ),
    "png, black and white": Accepted(
        lambda: png(_quarters((0, 255, 255, 0), mode="L").convert("1")),
        (BLACK, WHITE, WHITE, BLACK),
        0,
        media_type="image/png",
    ),
    "png, interlaced": Accepted(_interlaced_png, levels=0, media_type="image/png"),
    "png, animated": Accepted(lambda: _animated("PNG"), levels=0, media_type="image/png"),
    "png, orientation 6": Accepted(lambda: _turned(6, "PNG"), levels=0, media_type="image/png"),
    "webp": Accepted(lambda: saved(flag(), "WEBP", quality=95), levels=9, media_type="image/webp"),
    "webp, lossless": Accepted(lambda: saved(flag(), "WEBP", lossless=True), levels=0, media_type="image/webp"),
    "webp, transparent": Accepted(
        lambda: saved(_seen_through(0), "WEBP", lossless=True), ON_WHITE, 0, media_type="image/webp"
    ),
    "webp, animated": Accepted(lambda: _animated("WEBP", lossless=True), levels=0, media_type="image/webp"),
    "webp, orientation 8": Accepted(
        lambda: _turned(8, "WEBP", lossless=True),
        levels=0,
        media_type="image/webp",
    ),
    "avif": Accepted(
        lambda: saved(flag(), "AVIF", quality=90, speed=10, subsampling="4:4:4"), media_type="image/avif"
    ),
    "avif, transparent": Accepted(
        lambda: saved(_seen_through(0), "AVIF", quality=90, speed=10, subsampling="4:4:4"),
        ON_WHITE,
        media_type="image/avif",
    ),
    "avif, orientation 6": Accepted(
        lambda: _turned(6, "AVIF", quality=90, speed=10, subsampling="4:4:4"),
        media_type="image/avif",
    ),
    "avif, animated": Accepted(
        lambda: _animated("AVIF", quality=90, speed=10, subsampling="4:4:4"), media_type="image/avif"
    ),
    "heic": Accepted(heic, media_type="image/heic"),
    "heic, transparent": Accepted(lambda: heic(_seen_through(0)), ON_WHITE, media_type="image/heic"),
    "heic, Display P3": Accepted(
        lambda: heic(icc_profile=profile(*P3)),
        tuple(through(colour, P3_TO_SRGB) for colour in FLAG),
        media_type="image/heic",
    ),
    "heic, orientation 6": Accepted(lambda: _turned(6, "HEIF", quality=95, chroma=444), media_type="image/heic"),
}


REFUSED: dict[str, Refused] = {
    "nothing": Refused(bytes, EmptyPicture, "upload it again"),
    "text": Refused(lambda: b"Our new headphones, photographed.", UnreadablePicture, "export it as one of these"),
    "svg": Refused(lambda: _drawn('<svg xmlns="http://www.w3.org/2000/svg"/>'), UnreadablePicture, "HEIC or AVIF"),
    "xml bomb": Refused(
        lambda: _drawn('<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><a>&b;</a>'),
        UnreadablePicture,
        "not a picture",
    ),
    "pdf": Refused(lambda: b"%PDF-1.7\n" + jpeg(), UnreadablePicture, "not a picture"),
    "html": Refused(lambda: b"<html><img src=x></html>", UnreadablePicture, "not a picture"),
    "gif": Refused(lambda: saved(flag(), "GIF"), UnreadablePicture, "not a picture"),
    "gif that is a program, too": Refused(
        lambda: saved(flag(), "GIF") + _zip(), UnreadablePicture, "not a picture"
    ),
    "tiff": Refused(lambda: saved(flag(), "TIFF"), UnreadablePicture, "not a picture"),
    "bmp": Refused(lambda: saved(flag(), "BMP"), UnreadablePicture, "not a picture"),
    "ico": Refused(lambda: saved(flag(), "ICO"), UnreadablePicture, "not a picture"),
    "mp4": Refused(
        lambda: box(b"ftyp", b"isom", bytes(4), b"mp42") + box(b"mdat", bytes(99)), UnreadablePicture, "not"
    ),
    "archive": Refused(_zip, UnreadablePicture, "not a picture"),
    "jpeg and archive": Refused(lambda: jpeg() + _zip(), SuspectPicture, "an archive; export"),
    "jpeg and page": Refused(lambda: jpeg() + b"<HTML><script>alert(1)</script>", SuspectPicture, "a web page"),
    "jpeg and document": Refused(lambda: jpeg() + b"\n%PDF-1.4\n", SuspectPicture, "a document"),
    "png and script": Refused(lambda: png() + b"<?php system($_GET[0]);", SuspectPicture, "a script"),
    "png and program": Refused(lambda: png() + b"\x7fELF\2\1\1", SuspectPicture, "a program"),
    "webp and archive": Refused(lambda: saved(flag(), "WEBP") + _zip(), SuspectPicture, "an archive"),
    "avif and archive": Refused(lambda: saved(flag(), "AVIF", speed=10) + _zip(), SuspectPicture, "an archive"),
    "heic and archive": Refused(lambda: heic() + _zip(), SuspectPicture, "an archive"),
    "one pixel": Refused(lambda: png(Image.new("RGB", (1, 1))), UndersizedPicture, "1 × 1 pixels"),
    "a line": Refused(lambda: png(Image.new("RGB", (1, 20_000))), UndersizedPicture, "under 64; use a larger"),
    "a ribbon": Refused(lambda: jpeg(Image.new("RGB", (80, 4000))), UndersizedPicture, "10 to 1"),
    **{
        f"{name}, cut short": Refused(make, BrokenPicture, "upload")
        for name, make in {
            "jpeg": lambda: _cut(jpeg(_noise())),
            "png": lambda: _cut(png(_noise())),
            "webp": lambda: _cut(saved(_noise(), "WEBP")),
            "avif": lambda: _cut(saved(_noise(), "AVIF", speed=10)),
            "heic": lambda: _cut(heic(_noise())),
            "png after its header": lambda: png()[:40],
            "jpeg after its tables": lambda: jpeg()[:300],
        }.items()
    },
    "png, damaged": Refused(
        lambda: png(_noise())[:3000] + b"\xff" * 64 + png(_noise())[3064:], BrokenPicture, "damaged"
    ),
    "jpeg, no frame": Refused(
        lambda: b"\xff\xd8\xff\xe0\0\4\0\0\xff\xd9", BrokenPicture, "damaged near its beginning"
    ),
    "png, no header": Refused(
        lambda: b"\x89PNG\r\n\x1a\n" + bytes(400), BrokenPicture, "damaged near its beginning"
    ),
    "webp, no picture": Refused(lambda: b"RIFF\x04\0\0\0WEBP", BrokenPicture, "damaged"),
    "png bomb": Refused(lambda: _huge_png((50_000, 50_000), 60), OversizedPicture, "50,000 × 50,000"),
    "jpeg that claims too much": Refused(lambda: _restated_jpeg((65_000, 65_000)), OversizedPicture, "smaller"),
    "webp that claims too much": Refused(
        lambda: _webp_with_canvas(16_383, 16_383), OversizedPicture, "megapixels for WebP"
    ),
    "webp whose canvas is not its picture": Refused(
        lambda: _webp_with_canvas(3000, 3000), BrokenPicture, "damaged"
    ),
    "avif that claims too much": Refused(
        lambda: _boxed(b"avif", (60_000, 60_000), box(b"av1C", b"\x81\0\0\0"), b""), OversizedPicture, "for AVIF"
    ),
    "avif whose stream is larger than its box": Refused(
        lambda: _boxed(b"avif", (200, 200), box(b"av1C", b"\x81\0\0\0"), b"\x12\0" + _av1_header(40_000, 40_000)),
        OversizedPicture,
        "40,000 × 40,000",
    ),
    "avif whose settings are larger than its box": Refused(
        lambda: _boxed(b"avif", (200, 200), box(b"av1C", b"\x81\0\0\0", _av1_header(40_000, 30_000)), b""),
        OversizedPicture,
        "40,000 × 30,000",
    ),
    "heic whose settings are larger than its box": Refused(
        lambda: _boxed(b"heic", (200, 200), _hevc_settings(_hevc_parameters(16_384, 8_640)), b""),
        OversizedPicture,
        "16,384 × 8,640",
    ),
    "heic whose stream is larger than its box": Refused(
        lambda: _boxed(b"heic", (200, 200), _hevc_settings(b""), _long(_hevc_parameters(30_000, 30_000))),
        OversizedPicture,
        "30,000 × 30,000",
    ),
    "png, a profile without end": Refused(
        lambda: _with_chunk(b"iCCP", b"icc\0\0" + _bomb(200)), SuspectPicture, "without metadata"
    ),
    "png, a text without end": Refused(
        lambda: _with_chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + _bomb(200)),
        SuspectPicture,
        "without metadata",
    ),
    "png, a comment without end": Refused(
        lambda: _with_chunk(b"zTXt", b"Comment\0\0" + _bomb(200)), SuspectPicture, "without metadata"
    ),
    "jpeg of twenty thousand segments": Refused(
        lambda: _with_segments(20_000, 4), SuspectPicture, "too many pieces"
    ),
    "jpeg of ten megabytes of segments": Refused(lambda: _with_segments(160, 65_000), SuspectPicture, "metadata"),
    "jpeg of too many passes": Refused(lambda: _with_scans(400), SuspectPicture, "too many passes"),
    "webp of a thousand frames": Refused(lambda: _webp_frames(1000), OversizedPicture, "1,000 pictures"),
    "png of a million frames": Refused(
        lambda: _with_chunk(b"acTL", struct.pack(">II", 1_000_000, 0)), OversizedPicture, "export one picture"
    ),
}


def _hevc_settings(parameters: bytes) -> bytes:
    """Box `hvcC` with one array of one parameter set."""
    return box(b"hvcC", bytes(22), b"\x01\x21\0\1", struct.pack(">H", len(parameters)), parameters)


def _long(unit: bytes) -> bytes:
    return struct.pack(">I", len(unit)) + unit


HEAVY: dict[str, Heavy] = {
    "jpeg of 24 megapixels": Heavy(lambda: saved(_gradient((6000, 4000)), "JPEG", quality=85), accepted=True),
    "jpeg of 24 megapixels in Display P3": Heavy(
        lambda: saved(_gradient((6000, 4000)), "JPEG", icc_profile=profile(*P3)), accepted=True
    ),
    "progressive jpeg of 24 megapixels": Heavy(
        lambda: saved(_gradient((6000, 4000)), "JPEG", progressive=True, subsampling=0), accepted=True
    ),
    "jpeg of 50 megapixels": Heavy(lambda: saved(_gradient((8600, 5800)), "JPEG"), accepted=True),
    "png of 50 megapixels": Heavy(lambda: _rows_png((8600, 5800), b"\x40\x80\xc0"), accepted=True),
    "transparent png of 50 megapixels": Heavy(lambda: _rows_png((8600, 5800), b"\x40\x80\xc0\x80"), accepted=True),
    "webp of 20 megapixels": Heavy(
        lambda: saved(Image.new("RGB", (5000, 4000), RED), "WEBP", method=0), accepted=True
    ),
    "png that says 49 megapixels and has one row": Heavy(lambda: _huge_png((7000, 7000), 1), accepted=False),
    "jpeg that says 49 megapixels and has few": Heavy(lambda: _restated_jpeg((7000, 7000)), accepted=False),
    "png bomb": Heavy(REFUSED["png bomb"].make, accepted=False),
    "png, a text without end": Heavy(REFUSED["png, a text without end"].make, accepted=False),
    "jpeg of twenty thousand segments": Heavy(REFUSED["jpeg of twenty thousand segments"].make, accepted=False),
    "jpeg of too many passes": Heavy(REFUSED["jpeg of too many passes"].make, accepted=False),
    "webp that claims too much": Heavy(REFUSED["webp that claims too much"].make, accepted=False),
    "avif whose stream is larger than its box": Heavy(
        REFUSED["avif whose stream is larger than its box"].make, accepted=False
    ),
    "heic whose stream is larger than its box": Heavy(
        REFUSED["heic whose stream is larger than its box"].make, accepted=False
    ),
    "twenty megabytes of FF": Heavy(lambda: b"\xff\xd8" + b"\xff" * 19_000_000, accepted=False),
    "twenty megabytes of boxes": Heavy(
        lambda: box(b"ftyp", b"heic", bytes(4), b"heic") + box(b"free") * 2_000_000, accepted=False
    ),
}


def _rows_png(size: Size, pixel: bytes) -> bytes:
    row = b"\0" + pixel * size[0]
    squeeze = zlib.compressobj(1)
    body = b"".join(squeeze.compress(row) for _ in range(size[1])) + squeeze.flush()
    header = struct.pack(">IIBBBBB", *size, 8, 2 if len(pixel) == 3 else 6, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


CASES: dict[str, Accepted | Refused] = {**ACCEPTED, **REFUSED}
"""Each file of usual weight."""
