"""A house's look, ready to be drawn with: its colours, its logo with its transparency, its letters."""

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from tools.imaging.brand import Brand
from tools.imaging.shelf import Shelf
from tools.imaging.source import PictureInfo, SourcePicture, UndersizedPicture, decode
from tools.imaging.typeface import Typeface

LEAST_SIDE: Final = 16
"""Pixels of a logo's shorter side: a picture of fewer is a tracking pixel or a favicon."""
MAX_RATIO: Final = 24
"""A logo's longer to its shorter side: a wordmark may be long, a line is none."""


@dataclass(frozen=True, eq=False)
class House:
    """What a creative takes from the house whose product it shows."""

    brand: Brand | None = None
    logo: SourcePicture | None = None


PLAIN: Final = House()
"""No house's look: colours are taken from the photo, letters are ours."""


async def furnished(
    colours: Mapping[str, str | None],
    *,
    logo: bytes | None = None,
    font: bytes | None = None,
    bold_font: bytes | None = None,
) -> House:
    """The look made of `colours` (the fields of `Brand`) and of files that were vetted when they came.

    Raises `UnusablePicture` or `UnusableTypeface` for those that were not.
    """
    return await asyncio.to_thread(_furnished, colours, logo, font, bold_font)


def refuse_no_logo(info: PictureInfo) -> None:
    """Raise `UndersizedPicture` for what is neither a photo nor a logo, which may be smaller and longer."""
    short, long = sorted((info.width, info.height))
    if short < LEAST_SIDE or long > MAX_RATIO * short:
        raise UndersizedPicture(
            f"The picture is {info.width:,} × {info.height:,} pixels. A photo has at least 64 on each side, a "
            f"logo {LEAST_SIDE}, and no logo is longer than {MAX_RATIO} to 1; upload a larger one."
        )


def _furnished(
    colours: Mapping[str, str | None], logo: bytes | None, font: bytes | None, bold_font: bytes | None
) -> House:
    regular, bold = (_typeface(data) for data in (font, bold_font))
    brand = Brand(**colours, typeface=regular or bold, bold=bold)
    return House(brand if brand != Brand() else None, _logo(logo) if logo else None)


def _typeface(data: bytes | None) -> Typeface | None:
    return _TYPEFACES.get(hashlib.sha256(data).digest(), lambda: Typeface.of(data)) if data else None


def _logo(data: bytes) -> SourcePicture:
    return _LOGOS.get(hashlib.sha256(data).digest(), lambda: decode(data, any_shape=True))


_LOGOS: Final = Shelf[SourcePicture](64_000_000, weigh=lambda logo: logo.image.width * logo.image.height * 5)
_TYPEFACES: Final = Shelf[Typeface](16_000_000, weigh=lambda face: 64 * len(face.characters))
