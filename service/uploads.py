"""What strangers upload: weighed, judged by what it is, cleaned, and kept."""

import asyncio
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Final

from graph.state import Picture
from service.identity import Caller
from service.problems import Problem, invalid
from service.tables import SeenPicture, now
from service.wiring import Fanfare
from tools.assets import AssetNotFound, identified
from tools.house import refuse_no_logo
from tools.imaging.cleaning import Cleaned, cleaned
from tools.imaging.container import Kind, kind_of
from tools.imaging.source import UnusablePicture, refuse_shape
from tools.imaging.typeface import Typeface, UnusableTypeface, is_font, media_type

JSON = dict[str, Any]


@dataclass(frozen=True)
class Upload:
    """A file as it came: its bytes, and what its sender says of its type and name, which counts for nothing."""

    data: bytes
    media_type: str | None = None
    name: str | None = None


async def keep(fanfare: Fanfare, caller: Caller, upload: Upload) -> Picture:
    """Clean an uploaded photo, then keep it. Raises a 413 or 422 problem."""
    if len(upload.data) > fanfare.settings.upload_max_bytes:
        raise too_large(fanfare)
    _refuse_mislabelled(upload)
    try:
        made = await asyncio.to_thread(cleaned, upload.data)
    except UnusablePicture as error:
        raise _unusable(str(error)) from None
    return await _kept(fanfare, caller, made)


async def keep_any(fanfare: Fanfare, caller: Caller, upload: Upload) -> JSON:
    """Keep a photo, a logo or a font, as `AssetBody` shows it. Raises a 413 or 422 problem.

    A logo may be smaller and longer than a photo; whether a picture will do as one is asked when it is used.
    """
    if len(upload.data) > fanfare.settings.upload_max_bytes:
        raise too_large(fanfare)
    if is_font(upload.data):
        return await _font(fanfare, caller, upload.data)
    _refuse_mislabelled(upload)
    try:
        made = await asyncio.to_thread(cleaned, upload.data, any_shape=True)
        refuse_no_logo(made.info)
    except UnusablePicture as error:
        raise _unusable(str(error)) from None
    return (await _kept(fanfare, caller, made)).model_dump(mode="json")


async def _kept(fanfare: Fanfare, caller: Caller, made: Cleaned) -> Picture:
    picture = await asyncio.to_thread(picture_of, made)
    told = await fanfare.assets.put_photo(made.data, tenant=caller.tenant, told=picture.model_dump(mode="json"))
    await fanfare.pictures.remember(
        SeenPicture(
            tenant=caller.tenant, sha256=picture.sha256, fingerprint=made.fingerprint, width=picture.width,
            height=picture.height, media_type=picture.media_type, bytes=picture.bytes, notice=picture.notice,
            created_at=now(),
        )
    )  # fmt: skip
    return Picture.model_validate(told)


async def _font(fanfare: Fanfare, caller: Caller, data: bytes) -> JSON:
    try:
        await asyncio.to_thread(Typeface.of, data)
    except UnusableTypeface as error:
        raise invalid(str(error), [{"loc": ["file"], "msg": str(error)}]) from None
    kept = await fanfare.assets.put(data, media_type(data), tenant=caller.tenant)
    nothing = dict.fromkeys(("width", "height", "notice", "source_says", "reserved"))
    return {**kept.as_json(), **nothing}


async def known(fanfare: Fanfare, caller: Caller, sha256: str) -> Picture:
    """A photo that was uploaded before. Raises a 422 problem when it is not there."""
    try:
        told = await fanfare.assets.photo(sha256, tenant=caller.tenant)
        if told is None:  # a picture of our own making, or one from before photos were written down
            return await keep(fanfare, caller, Upload(await fanfare.assets.get(sha256, tenant=caller.tenant)))
        picture = Picture.model_validate(told)
        refuse_shape(picture.width, picture.height)
        if (await fanfare.assets.find(sha256, tenant=caller.tenant)).bytes == picture.bytes:
            return picture
    except UnusablePicture as error:
        raise _unusable(str(error)) from None
    except AssetNotFound:
        pass
    raise _unusable(f"No asset {sha256} is stored; upload it with POST /v1/assets first.")


def picture_of(made: Cleaned) -> Picture:
    """A cleaned photo as an order carries it."""
    info, reservation = made.info, made.reserved
    return Picture(
        width=info.width,
        height=info.height,
        notice=reservation.notice if reservation else None,
        source_says=made.source_says,
        reserved=str(reservation) if reservation else None,
        **identified(made.data, info.media_type).as_json(),
    )


def too_large(fanfare: Fanfare) -> Problem:
    """413: the photo is over the limit."""
    limit = fanfare.settings.upload_max_bytes / 1e6
    return Problem(413, "too-large", "Too large", f"The photo is over {limit:g} MB; send a smaller one.")


def _refuse_mislabelled(upload: Upload) -> None:
    """Refuse a picture that is sent as a picture of another kind; any other label means nothing."""
    found = kind_of(upload.data)
    if found is None:
        return
    label = (upload.media_type or "").partition(";")[0].strip().lower()
    if label.startswith("image/") and found not in _CALLED.get(label, ()):
        raise _unusable(
            f"The file is sent as {label[:40]} and is {_NAMES[found]}; send it as what it is, or export it again."
        )
    suffix = PurePath(upload.name or "").suffix.lower()
    if suffix in _SUFFIXES and found not in _SUFFIXES[suffix]:
        raise _unusable(
            f"The file's name ends in {suffix} and it is {_NAMES[found]}; rename it, or export it again."
        )


def _unusable(detail: str) -> Problem:
    return invalid(detail, [{"loc": ["image"], "msg": detail}])


_NAMES: Final[dict[Kind, str]] = {
    "JPEG": "a JPEG", "PNG": "a PNG", "WEBP": "a WebP", "HEIF": "an HEIC photo", "AVIF": "an AVIF"
}  # fmt: skip
_CALLED: Final[dict[str, tuple[Kind, ...]]] = {
    "image/jpeg": ("JPEG",), "image/jpg": ("JPEG",), "image/pjpeg": ("JPEG",),
    "image/png": ("PNG",), "image/x-png": ("PNG",), "image/apng": ("PNG",), "image/vnd.mozilla.apng": ("PNG",),
    "image/webp": ("WEBP",), "image/avif": ("AVIF",), "image/avif-sequence": ("AVIF",),
    "image/heic": ("HEIF",), "image/heic-sequence": ("HEIF",),
    "image/heif": ("HEIF", "AVIF"), "image/heif-sequence": ("HEIF", "AVIF"),
    "image/*": ("JPEG", "PNG", "WEBP", "HEIF", "AVIF"),
}  # fmt: skip
_SUFFIXES: Final[dict[str, tuple[Kind, ...]]] = {
    ".jpg": ("JPEG",), ".jpeg": ("JPEG",), ".jpe": ("JPEG",), ".jfif": ("JPEG",), ".png": ("PNG",),
    ".apng": ("PNG",), ".webp": ("WEBP",), ".avif": ("AVIF",), ".heic": ("HEIF",), ".hif": ("HEIF",),
    ".heif": ("HEIF", "AVIF"), ".gif": (), ".bmp": (), ".tif": (), ".tiff": (), ".svg": (),
}  # fmt: skip
