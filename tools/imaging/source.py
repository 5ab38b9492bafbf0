"""Reads the product photo: sniffed, bounded, decoded once, upright, in sRGB."""

import io
import struct
import zlib
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Final

from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

MAX_BYTES: Final = 20_000_000
MAX_PIXELS: Final = 50_000_000
MEDIA_TYPES: Final = {"JPEG": "image/jpeg", "MPO": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}
OPAQUE: Final = 255
WHITE: Final = (255, 255, 255)
DECODER_ERRORS: Final = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    LookupError,
    OverflowError,
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
    """Too many bytes, or too many pixels."""


@dataclass(frozen=True)
class PictureInfo:
    """What a picture is, once upright: its size in pixels and its length in bytes."""

    media_type: str
    width: int
    height: int
    bytes: int


@dataclass(frozen=True, eq=False)
class SourcePicture:
    """A decoded photo that many renders share: RGB in sRGB on white, and its alpha (mode L) if it had any."""

    info: PictureInfo
    image: Image.Image
    alpha: Image.Image | None


def inspect(data: bytes, *, max_bytes: int = MAX_BYTES, max_pixels: int = MAX_PIXELS) -> PictureInfo:
    """Describe a picture after decoding all of it; raises UnusablePicture."""
    return _load(data, max_bytes=max_bytes, max_pixels=max_pixels)[1]


def decode(data: bytes, *, max_bytes: int = MAX_BYTES, max_pixels: int = MAX_PIXELS) -> SourcePicture:
    """Decode the first frame, upright, in sRGB, transparency on white; raises UnusablePicture."""
    picture, info = _load(data, max_bytes=max_bytes, max_pixels=max_pixels)
    with _refusals(data):
        return _flattened(picture, info)


def _load(data: bytes, *, max_bytes: int, max_pixels: int) -> tuple[Image.Image, PictureInfo]:
    if not data:
        raise EmptyPicture("The picture is empty; upload it again.")
    if len(data) > max_bytes:
        raise OversizedPicture(
            f"The picture has {len(data):,} bytes and the limit is {max_bytes:,}; export a smaller one."
        )
    with _refusals(data):
        picture = Image.open(io.BytesIO(data), formats=["JPEG", "PNG", "WEBP"])
        media_type = MEDIA_TYPES[picture.format or ""]
        _refuse_large(picture.size, max_pixels)
        picture.load()
        upright = ImageOps.exif_transpose(picture)
    return upright, PictureInfo(media_type, upright.width, upright.height, len(data))


def _refuse_large(size: tuple[int, int], max_pixels: int) -> None:
    if size[0] * size[1] > max_pixels:
        raise OversizedPicture(
            f"The picture is {size[0]:,} × {size[1]:,} pixels and the limit is {max_pixels // 1_000_000} "
            "megapixels; export a smaller one."
        )


@contextmanager
def _refusals(data: bytes) -> Generator[None]:
    """Turn whatever a decoder raises into a sentence."""
    try:
        yield
    except UnusablePicture:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise OversizedPicture("The picture has too many pixels; export a smaller one.") from error
    except UnidentifiedImageError as error:
        raise _unidentified(data) from error
    except DECODER_ERRORS as error:
        raise _broken(data, error) from error


def _unidentified(data: bytes) -> UnusablePicture:
    if _is_kind_we_read(data):
        return BrokenPicture(f"The picture is damaged near its beginning ({len(data):,} bytes); upload it again.")
    return UnreadablePicture(
        "This is not a picture Fanfare can read (JPEG, PNG or WebP); export it as one of these."
    )


def _is_kind_we_read(data: bytes) -> bool:
    return data.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")) or (data[:4], data[8:12]) == (
        b"RIFF",
        b"WEBP",
    )


def _broken(data: bytes, error: Exception) -> BrokenPicture:
    announced = int.from_bytes(data[4:8], "little") + 8 if data.startswith(b"RIFF") else 0
    if announced > len(data):
        return BrokenPicture(f"The picture ends too early: {len(data):,} bytes of {announced:,}; upload it again.")
    if isinstance(error, EOFError) or "truncated" in str(error):
        return BrokenPicture(f"The picture ends too early, after {len(data):,} bytes; upload it again.")
    return BrokenPicture(f"The picture is damaged ({len(data):,} bytes); export it again and upload that.")


def _flattened(picture: Image.Image, info: PictureInfo) -> SourcePicture:
    alpha = _alpha(picture)
    image = _in_srgb(picture)
    if alpha is None:
        return SourcePicture(info, image, None)
    white = Image.new("RGB", image.size, WHITE)
    white.paste(image, mask=alpha)
    return SourcePicture(info, white, alpha)


def _alpha(picture: Image.Image) -> Image.Image | None:
    """Give the transparency, or None when every pixel is opaque."""
    if not picture.has_transparency_data:
        return None
    alpha = picture.convert("RGBA").getchannel("A")
    return None if alpha.getextrema() == (OPAQUE, OPAQUE) else alpha


def _in_srgb(picture: Image.Image) -> Image.Image:
    """Convert through the embedded profile; a profile that does not fit its picture is ignored."""
    base = _eight_bit(picture)
    embedded = picture.info.get("icc_profile")
    if not isinstance(embedded, bytes):
        return base.convert("RGB")
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(embedded))
        if base.mode == "RGB" and "sRGB" in ImageCms.getProfileDescription(profile):
            return base
        converted = ImageCms.profileToProfile(base, profile, _srgb(), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError):
        converted = None
    return converted or base.convert("RGB")


def _eight_bit(picture: Image.Image) -> Image.Image:
    """Give L, RGB or CMYK: the modes that a profile can speak about."""
    if picture.mode.startswith("I;16"):
        return picture.convert("I").point(lambda level: level * (1 / 257)).convert("L")
    if picture.mode in ("L", "RGB", "CMYK"):
        return picture
    if picture.mode in ("LA", "1"):
        return picture.convert("L")
    return (picture.convert("RGBA") if picture.has_transparency_data else picture).convert("RGB")


@cache
def _srgb() -> ImageCms.ImageCmsProfile:
    profile = ImageCms.createProfile("sRGB")  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return ImageCms.ImageCmsProfile(profile)  # pyright: ignore[reportUnknownArgumentType]
