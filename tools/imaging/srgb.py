"""Brings the pixels of any mode and profile to eight bits of sRGB, in as little memory as it can."""

import io
from functools import cache
from typing import Final

from PIL import Image, ImageChops, ImageCms

OPAQUE: Final = 255
WHITE: Final = (255, 255, 255)


def on_white(picture: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """The picture in sRGB on white, and its transparency (mode L) if a pixel has any; it may reuse `picture`."""
    alpha = _alpha(picture)
    image = _in_srgb(picture)
    if alpha is not None:
        image.paste(WHITE, mask=ImageChops.invert(alpha))
    return image, alpha


def _alpha(picture: Image.Image) -> Image.Image | None:
    if not picture.has_transparency_data or picture.mode.startswith("I"):
        return None
    with_alpha = picture if picture.mode in ("RGBA", "LA") else picture.convert("RGBA")
    alpha = with_alpha.getchannel("A")
    return None if alpha.getextrema() == (OPAQUE, OPAQUE) else alpha


def _in_srgb(picture: Image.Image) -> Image.Image:
    """Convert through the embedded profile; a profile that does not fit its picture is ignored."""
    base = _eight_bit(picture)
    embedded = picture.info.get("icc_profile")
    if not isinstance(embedded, bytes) or len(embedded) > _LARGEST_PROFILE:
        return base.convert("RGB") if base.mode != "RGB" else base
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(embedded))
        if base.mode == "RGB" and "sRGB" in ImageCms.getProfileDescription(profile):
            return base
        in_place = base.mode == "RGB"
        converted = ImageCms.profileToProfile(base, profile, _srgb(), outputMode="RGB", inPlace=in_place)
    except (ImageCms.PyCMSError, OSError):
        return base.convert("RGB")
    return converted or base


def _eight_bit(picture: Image.Image) -> Image.Image:
    """Give L, RGB or CMYK: the modes that a profile can speak about."""
    if picture.mode.startswith("I"):
        return picture.convert("I").point(lambda level: level * (1 / 257)).convert("L")
    if picture.mode in ("L", "RGB", "CMYK"):
        return picture
    if picture.mode in ("LA", "1"):
        return picture.convert("L")
    if picture.mode == "P" and picture.has_transparency_data:
        return picture.convert("RGBA").convert("RGB")
    return picture.convert("RGB")


@cache
def _srgb() -> ImageCms.ImageCmsProfile:
    profile = ImageCms.createProfile("sRGB")  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return ImageCms.ImageCmsProfile(profile)  # pyright: ignore[reportUnknownArgumentType]


_LARGEST_PROFILE = 4_000_000
