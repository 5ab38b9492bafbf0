"""The picture of each language that a web page can use: at three widths, in AVIF, WebP and JPEG.

A browser takes the first format that it knows, at the width that it needs. The hero is the campaign's widest
picture of about 1.91:1, the shape of shared links, in its first variant.
"""

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from PIL import Image

from tools.imaging.encode import Encoded, responsive
from tools.imaging.pool import pool
from tools.imaging.xmp import embed

JSON = dict[str, Any]
WIDTHS: Final = (1200, 600, 300)
SHAPE: Final = 1.91


@dataclass(frozen=True)
class Hero:
    """A picture's copies by path, and the picture that they were made from."""

    language: str
    alt_text: str
    files: tuple[tuple[str, Encoded], ...]

    @property
    def fallback(self) -> tuple[str, Encoded]:
        """The largest JPEG, for browsers that know nothing newer."""
        return next((path, file) for path, file in self.files if file.format == "jpeg")

    @property
    def sources(self) -> list[tuple[str, str]]:
        """The media type and the srcset of each format, the smallest files first."""
        kinds = dict.fromkeys(file.media_type for _, file in self.files)
        return [
            (kind, ", ".join(f"{at} {one.width}w" for at, one in self.files if one.media_type == kind))
            for kind in kinds
        ]


def heroes(made: Sequence[JSON], pictures: Mapping[str, bytes], packets: Mapping[str, bytes]) -> list[Hero]:
    """The hero of each language in `made`: creatives as the manifest describes them, and bytes by SHA-256.

    `packets` is the XMP of a creative by its path: its copies say the same of themselves.
    """
    chosen: dict[str, JSON] = {}
    for one in made:
        if one["variant"] == "a" and _rank(one) < _rank(chosen.get(one["language"])):
            chosen[one["language"]] = one
    copies = pool().run(partial(_copies, pictures[one["sha256"]]) for one in chosen.values())
    told = zip(chosen.values(), copies, strict=True)
    return [_hero(one, files, packets.get(one["path"])) for one, files in told]


def _rank(one: JSON | None) -> tuple[bool, float, int]:
    """The lower the better: wide enough, then the shape, then the width."""
    if one is None:
        return (True, math.inf, 0)
    return (one["width"] < WIDTHS[0], round(abs(math.log(one["width"] / one["height"] / SHAPE)), 3), -one["width"])


def _copies(data: bytes) -> list[Encoded]:
    with Image.open(io.BytesIO(data)) as picture:
        return responsive(picture.convert("RGB"), WIDTHS)


def _hero(one: JSON, copies: Sequence[Encoded], packet: bytes | None) -> Hero:
    said = [replace(copy, data=embed(copy.data, packet)) if packet else copy for copy in copies]
    files = tuple((f"responsive/{one['language']}/{_name(copy)}", copy) for copy in said)
    return Hero(one["language"], one["alt_text"], files)


def _name(copy: Encoded) -> str:
    return f"hero-{copy.width}w.{'jpg' if copy.format == 'jpeg' else copy.format}"
