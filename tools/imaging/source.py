"""Reads the product photo: sniffed, bounded, decoded once, upright, in sRGB."""

import io
import struct
import zlib
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any, Final

from PIL import Image, UnidentifiedImageError

from tools.imaging import exif, rights, srgb, vips
from tools.imaging.boxes import Part, Size
from tools.imaging.container import Container, Kind, TooManyParts, kind_of, take_apart

MAX_BYTES: Final = 20_000_000
MAX_PIXELS: Final = 50_000_000
MIN_SIDE: Final = 64
"""Pixels of the shorter side. The smallest banner is 50 high; anything below is an icon or a tracking pixel."""
MAX_RATIO: Final = 10
"""Longer to shorter side. A telephone's panorama is 6:1; beyond 10:1 every crop for a square is a sliver."""
MAX_FRAMES: Final = 500
"""Pictures of an animation, of which the first is used."""
MEDIA_TYPES: Final[dict[Kind, str]] = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "HEIF": "image/heic",
    "AVIF": "image/avif",
}
READABLE: Final = "JPEG, PNG, WebP, HEIC or AVIF"
"""The formats that are read here, as a sentence names them."""
DECODER_ERRORS: Final = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    LookupError,
    OverflowError,
    RuntimeError,
    struct.error,
    zlib.error,
)


class UnusablePicture(ValueError):
    """A picture that cannot be used; the message tells its owner why, and what to do."""


class EmptyPicture(UnusablePicture):
    """No bytes at all."""


class UnreadablePicture(UnusablePicture):
    """Not a file of a kind that is read here."""


class BrokenPicture(UnusablePicture):
    """The right kind of file, but cut short or damaged."""


class OversizedPicture(UnusablePicture):
    """Too many bytes, pixels or frames."""


class UndersizedPicture(UnusablePicture):
    """Too few pixels, or far longer than it is wide."""


class SuspectPicture(UnusablePicture):
    """A picture that carries what no picture needs: an archive, a page, a program, or metadata without end."""


@dataclass(frozen=True)
class PictureInfo:
    """What a picture is, once upright: its size in pixels and its length in bytes.

    `frames` is above 1 for an animation, of which the first is used; `notice` is its copyright notice.
    """

    media_type: str
    width: int
    height: int
    bytes: int
    frames: int = 1
    notice: str | None = None


@dataclass(frozen=True, eq=False)
class SourcePicture:
    """A decoded photo that many renders share: RGB in sRGB on white, and its alpha (mode L) if it had any.

    `info` tells the file's size; `image` is smaller when it was read at a fraction of it.
    """

    info: PictureInfo
    image: Image.Image
    alpha: Image.Image | None


def inspect(
    data: bytes, *, max_bytes: int = MAX_BYTES, max_pixels: int = MAX_PIXELS, any_shape: bool = False
) -> PictureInfo:
    """Describe a picture after reading all of it, at the smallest scale that its format can be read at.

    Who needs the pixels too calls `decode` alone; `any_shape` is as there. Raises UnusablePicture.
    """
    container = vetted(data, max_bytes=max_bytes, max_pixels=max_pixels, any_shape=any_shape)
    with _refusals(data):
        return _read(container, scale=_SCALES[-1])[1]


def glance(
    data: bytes, *, max_bytes: int = MAX_BYTES, max_pixels: int = MAX_PIXELS, any_shape: bool = False
) -> tuple[PictureInfo, Image.Image]:
    """Describe a picture as `inspect` does, and give a small copy of it, in sRGB on white, to compare it by.

    The copy has at most 256 pixels a side. Raises UnusablePicture, also for what `decode` would refuse.
    """
    container = vetted(data, max_bytes=max_bytes, max_pixels=max_pixels, any_shape=any_shape)
    with _refusals(data):
        upright, info = _read(container, scale=_enough(container, (_GLANCE // 2, _GLANCE // 2)))
        if upright.mode in _SMOOTH:
            upright.thumbnail((_GLANCE, _GLANCE), Image.Resampling.BOX, reducing_gap=2.0)
        small, _ = srgb.on_white(upright)
        small.thumbnail((_GLANCE, _GLANCE), Image.Resampling.BOX, reducing_gap=2.0)
        return info, small


def decode(
    data: bytes,
    *,
    need: Size | None = None,
    max_bytes: int = MAX_BYTES,
    max_pixels: int = MAX_PIXELS,
    any_shape: bool = False,
) -> SourcePicture:
    """Decode the first frame, upright, in sRGB, transparency on white; raises UnusablePicture.

    `need` is the largest width and height that will be asked of it: a JPEG is then read at the fraction
    which still leaves half as many pixels again, in a half or a quarter of the memory. With `any_shape` a
    picture that is only looked at may be as small or as long as it is.
    """
    container = vetted(data, max_bytes=max_bytes, max_pixels=max_pixels, any_shape=any_shape)
    with _refusals(data):
        upright, info = _read(container, scale=_enough(container, need))
        image, alpha = srgb.on_white(upright)
        return SourcePicture(info, image, alpha)


def vetted(
    data: bytes, *, max_bytes: int = MAX_BYTES, max_pixels: int = MAX_PIXELS, any_shape: bool = False
) -> Container:
    """Take apart, refusing by structure alone what would cost time or memory to refuse later."""
    if not data:
        raise EmptyPicture("The picture is empty; upload it again.")
    if len(data) > max_bytes:
        raise OversizedPicture(
            f"The picture has {len(data):,} bytes and the limit is {max_bytes:,}; export a smaller one."
        )
    with _refusals(data):
        container = take_apart(data)
        if container is None:
            raise UnreadablePicture(
                f"This is not a picture Fanfare can read ({READABLE}); export it as one of these."
            )
        if not container.sizes:
            raise _broken_at_the_start(data)
    _refuse_size(container, max_pixels=max_pixels, any_shape=any_shape)
    _refuse_hollow(container)
    _refuse_number(container)
    _refuse_stowaways(container)
    return container


def _refuse_size(container: Container, *, max_pixels: int, any_shape: bool) -> None:
    width, height = max(container.sizes, key=lambda size: size[0] * size[1])
    limit = min(max_pixels, _MOST_PIXELS.get(container.kind, max_pixels))
    if width * height > limit:
        raise OversizedPicture(
            f"The picture is {width:,} × {height:,} pixels and the limit is {limit // 1_000_000} megapixels"
            f"{_of_kind(container, max_pixels)}; export a smaller one."
        )
    if not any_shape:
        refuse_shape(*container.size)


def refuse_shape(width: int, height: int) -> None:
    """Raise UndersizedPicture for what is too small or too long to be cropped."""
    if min(width, height) < MIN_SIDE:
        raise UndersizedPicture(
            f"The picture is {width:,} × {height:,} pixels and no side may be under {MIN_SIDE}; "
            "use a larger one, best of 1,200 pixels or more."
        )
    if max(width, height) > MAX_RATIO * min(width, height):
        raise UndersizedPicture(
            f"The picture is {width:,} × {height:,} pixels, too long for its width to be cropped; "
            f"use one whose sides are at most {MAX_RATIO} to 1."
        )


def _of_kind(container: Container, max_pixels: int) -> str:
    if container.kind not in _MOST_PIXELS or max_pixels <= _MOST_PIXELS[container.kind]:
        return ""
    return f" for {container.kind.replace('HEIF', 'HEIC').replace('WEBP', 'WebP')}"


def _refuse_hollow(container: Container) -> None:
    """Refuse a header that announces more than its format could squeeze into so few bytes."""
    (width, height), kept = container.size, container.parts
    if container.kind == "PNG":
        depth, colour = container.data[24:26]
        least = height * width * depth * _CHANNELS.get(colour, 1) // 8 // _DEFLATED_AT_MOST
        stored = sum(part.end - part.start for part in kept if part.name == "IDAT")
    elif container.kind == "JPEG" and {part.name for part in kept} & _HUFFMAN_CODED:
        least = width * height // 64 // 8  # each block takes a bit
        stored = container.end - next((part.start for part in kept if part.name == "SOS"), container.end)
    else:
        return
    if stored < least:
        raise BrokenPicture(
            f"The picture ends too early: {len(container.data):,} bytes cannot hold {width:,} × {height:,} "
            "pixels; upload it again."
        )


def _refuse_number(container: Container) -> None:
    """Refuse animations and progressive JPEGs whose number of passes is meant to tire us."""
    if container.frames > MAX_FRAMES:
        raise OversizedPicture(
            f"The file has {container.frames:,} pictures and the limit is {MAX_FRAMES}; export one picture of it."
        )
    width, height = container.size
    if container.frames > 1 and container.kind == "WEBP" and width * height > _HALVED_WEBP:
        raise OversizedPicture(
            f"The animation is {width:,} × {height:,} pixels and the limit is {_HALVED_WEBP // 1_000_000} "
            "megapixels; export one picture of it."
        )
    if sum(part.name == "SOS" for part in container.parts) > _MOST_SCANS:
        raise SuspectPicture("The picture is stored in far too many passes; export it again as a plain JPEG.")


def _refuse_stowaways(container: Container) -> None:
    extra = sum(part.end - part.start for part in container.parts if _is_extra(part.name))
    if extra > _MOST_METADATA:
        raise SuspectPicture(
            f"The picture carries {extra:,} bytes of metadata and the limit is {_MOST_METADATA:,}; "
            "export it without metadata."
        )
    for sign, what in _STOWAWAYS.items():
        if sign in container.trailer.lower():
            raise SuspectPicture(
                f"The file goes on behind the picture with {what}; export the picture again and upload that alone."
            )


def _is_extra(name: str) -> bool:
    return name.startswith("APP") or name in _EXTRAS


def _read(container: Container, *, scale: int) -> tuple[Image.Image, PictureInfo]:
    """Decode at 1/`scale` where the format can, and turn upright; the size in the answer is the file's own."""
    picture, frames = _pixels(container, scale)
    turn = _turn(picture, container)
    width, height = picture.size if container.kind in ("HEIF", "AVIF") else container.size
    if turn in _SIDEWAYS:
        width, height = height, width
    info = PictureInfo(
        MEDIA_TYPES[container.kind], width, height, len(container.data), frames, rights.notice(container)
    )
    return (picture.transpose(turn) if turn is not None else picture), info


def _pixels(container: Container, scale: int) -> tuple[Image.Image, int]:
    if _is_halved(container):
        return vips.reduced(container.data), container.frames
    if container.kind == "HEIF":
        _open_heif()
    picture = Image.open(io.BytesIO(_lean(container)), formats=[container.kind])
    frames = max(container.frames, getattr(picture, "n_frames", 1))
    if frames > MAX_FRAMES:
        raise OversizedPicture(
            f"The file has {frames:,} pictures and the limit is {MAX_FRAMES}; export one picture of it."
        )
    if scale > 1:
        picture.draft(picture.mode, (-(-picture.width // scale), -(-picture.height // scale)))
    picture.load()
    return picture, frames


def _lean(container: Container) -> bytes:
    """A JPEG without the metadata that its decoder would read: only what says how its pixels look."""
    if container.kind != "JPEG":
        return container.data
    scan = next((part.start - 4 for part in container.parts if part.name == "SOS"), container.end)
    kept = (
        container.data[part.start - 4 : part.end]
        for part in container.parts
        if part.start < scan and (part.name in _LOOKS or not _is_extra(part.name) or _is_profile(container, part))
    )
    return b"".join((b"\xff\xd8", *kept, container.data[scan : container.end]))


def _is_profile(container: Container, part: Part) -> bool:
    return part.name == "APP2" and container.data.startswith(b"ICC_PROFILE\0", part.start, part.end)


def _is_halved(container: Container) -> bool:
    """Tell what is read at half its size, because the whole would take too much memory."""
    pixels = container.size[0] * container.size[1]
    if container.kind == "WEBP":
        return pixels > _HALVED_WEBP
    if container.kind != "PNG" or pixels <= _HALVED_PNG:
        return False
    if container.data[_PNG_INTERLACED]:
        raise OversizedPicture(
            f"The picture is an interlaced PNG of more than {_HALVED_PNG // 1_000_000} megapixels; "
            "export it without interlacing, or smaller."
        )
    return True


def _enough(container: Container, need: Size | None) -> int:
    """The scale at which a JPEG fits into memory, and at most the one that leaves `need` its detail."""
    if container.kind != "JPEG":
        return 1
    wanted = _spare(container, need) if need else 1
    for scale in _SCALES:
        if scale >= wanted and _memory(container, scale) <= _MOST_MEMORY:
            return scale
    raise OversizedPicture("The picture is a progressive JPEG of too many pixels; export a smaller one.")


def _spare(container: Container, need: Size) -> int:
    """The largest scale that leaves 1.5 pixels for each that is needed."""
    sideways = _stated_turn(exif.tags(container)) in _SIDEWAYS
    width, height = reversed(container.size) if sideways else container.size
    left = min(width / need[0], height / need[1])
    return max(scale for scale in _SCALES if scale == 1 or left / scale >= _SPARE)


def _memory(container: Container, scale: int) -> int:
    """The bytes that decoding a JPEG takes: its pixels, and all coefficients where it has several passes."""
    width, height = container.size
    pixels = 4 * width * height // scale**2
    if sum(part.name == "SOS" for part in container.parts) < _SEVERAL:
        return pixels
    frame = next(container.data[part.start : part.end] for part in container.parts if part.name.startswith("SOF"))
    factors = [(byte >> 4) * (byte & 15) for byte in frame[7::3]]
    return pixels + 2 * width * height * sum(factors) // max([1, *factors])


def _turn(picture: Image.Image, container: Container) -> Image.Transpose | None:
    """What stands a photo upright; libheif has done so already."""
    if container.kind == "HEIF":
        return None
    return _stated_turn(picture.getexif() if container.kind == "AVIF" else exif.tags(container))


def _stated_turn(tags: Mapping[int, Any]) -> Image.Transpose | None:
    orientation = tags.get(exif.ORIENTATION)
    return _UPRIGHT.get(orientation) if isinstance(orientation, int) else None


@cache
def _open_heif() -> None:
    try:
        plugin = import_module("pillow_heif")
    except ImportError:
        raise UnreadablePicture(
            "HEIC photos are not read here without the extra `heic`; export the photo as JPEG."
        ) from None
    plugin.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False, decode_threads=1)


@contextmanager
def _refusals(data: bytes) -> Generator[None]:
    """Turn whatever a decoder raises into a sentence."""
    try:
        yield
    except UnusablePicture:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise OversizedPicture("The picture has too many pixels; export a smaller one.") from error
    except TooManyParts as error:
        raise SuspectPicture("The picture is stored in far too many pieces; export it again.") from error
    except UnidentifiedImageError as error:
        raise _broken_at_the_start(data) from error
    except DECODER_ERRORS as error:
        raise _broken(data, error) from error


def _broken_at_the_start(data: bytes) -> BrokenPicture:
    return BrokenPicture(f"The picture is damaged near its beginning ({len(data):,} bytes); upload it again.")


def _broken(data: bytes, error: Exception) -> UnusablePicture:
    announced = int.from_bytes(data[4:8], "little") + 8 if kind_of(data) == "WEBP" else 0
    if announced > len(data):
        return BrokenPicture(f"The picture ends too early: {len(data):,} bytes of {announced:,}; upload it again.")
    if "too large" in str(error):
        return SuspectPicture("The picture carries too much metadata; export it without metadata.")
    if isinstance(error, EOFError) or "truncated" in str(error):
        return BrokenPicture(f"The picture ends too early, after {len(data):,} bytes; upload it again.")
    return BrokenPicture(f"The picture is damaged ({len(data):,} bytes); export it again and upload that.")


_SCALES = (1, 2, 4, 8)
_GLANCE = 256
# Modes whose pixels can be averaged as they are.
_SMOOTH = ("RGB", "RGBA", "L", "LA", "CMYK")
_SPARE = 1.5
_SEVERAL = 2
_MOST_SCANS = 100
_MOST_MEMORY = 190_000_000
_MOST_METADATA = 8_000_000
# Decoders that hold all of a picture, twice and thrice, are not given as many pixels as the others.
_MOST_PIXELS: dict[Kind, int] = {"WEBP": 25_000_000, "AVIF": 20_000_000, "HEIF": 25_000_000}
_HALVED_WEBP = 12_500_000
_HALVED_PNG = 25_000_000
_PNG_INTERLACED = 28
_CHANNELS = {2: 3, 4: 2, 6: 4}
_DEFLATED_AT_MOST = 1032
_HUFFMAN_CODED = {"SOF0", "SOF1", "SOF2"}
_LOOKS = {"APP0", "APP14"}
_EXTRAS = {"FE", "iCCP", "zTXt", "iTXt", "tEXt", "eXIf", "caBX", "ICCP", "EXIF", "XMP ", "C2PA", "uuid", "idat"}
_STOWAWAYS = {
    b"pk\x05\x06": "an archive",
    b"rar!\x1a\x07": "an archive",
    b"7z\xbc\xaf\x27\x1c": "an archive",
    b"<html": "a web page",
    b"<script": "a script",
    b"<svg": "a drawing",
    b"<?php": "a script",
    b"%pdf-": "a document",
    b"\x7felf": "a program",
    b"this program cannot be run in dos mode": "a program",
}
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SIDEWAYS = (
    Image.Transpose.TRANSPOSE,
    Image.Transpose.ROTATE_270,
    Image.Transpose.TRANSVERSE,
    Image.Transpose.ROTATE_90,
)
