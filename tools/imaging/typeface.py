"""Which fonts a text is set in: the operator's own first, ours for whatever it lacks."""

import hashlib
import io
import struct
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock, get_ident
from typing import Final, Self

from PIL import ImageFont

from tools.imaging.sfnt import COLLECTION, KINDS, Face

MOST_BYTES: Final = 20 * 1024 * 1024
RESTRICTED: Final = 0x0002  # fsType, OpenType specification, OS/2 table: no embedding at all
BITMAPS_ONLY: Final = 0x0200
NEEDED: Final = ("cmap", "head", "hhea", "hmtx", "maxp", "name", "OS/2")
OUTLINES: Final = ("glyf", "CFF ", "CFF2")
WEB_FONTS: Final = (b"wOFF", b"wOF2")

SCRIPTS: Final = ("Noto Sans", *(f"Noto Sans {name}" for name in ("Arabic", "Hebrew", "Devanagari", "Thai")))
# By region, because the same character is drawn otherwise in each; then what comes nearest to it.
REGIONS: Final = {
    "ja": ("JP", "TC", "SC", "KR"),
    "ko": ("KR", "TC", "JP", "SC"),
    "zh-hans": ("SC", "TC", "JP", "KR"),
    "zh-hant": ("TC", "JP", "SC", "KR"),
}


class UnusableTypeface(ValueError):
    """A font file cannot be used; the message says why and what to do."""


@dataclass(frozen=True)
class Typeface:
    """An operator's font, ready for Pango; two of the same bytes are equal."""

    sha256: str
    path: Path = field(compare=False)
    characters: frozenset[int] = field(compare=False, repr=False)

    @classmethod
    def of(cls, data: bytes) -> Self:
        """Check a TrueType or OpenType file and make it known under a name of its own.

        Raises UnusableTypeface. The font is used as it is: it is not made bold where bold is asked for.
        """
        if len(data) > MOST_BYTES:
            raise UnusableTypeface("The font file is larger than 20 MB. Send a font for fewer scripts.")
        characters = _characters(_face(data))
        digest = hashlib.sha256(data).hexdigest()
        return cls(digest, _kept(digest, data), characters)


def is_font(data: bytes) -> bool:
    """Whether a file begins like a font of any kind, one that is read here or not."""
    return data[:4] in (*KINDS, COLLECTION, *WEB_FONTS)


def media_type(data: bytes) -> str:
    """The media type of a font that `Typeface.of` takes: by the curves of its outlines."""
    return "font/otf" if data[:4] == b"OTTO" else "font/ttf"


def families(language: str, typeface: Typeface | None = None) -> tuple[str, ...]:
    """List the families for a language, the first choice first; every one of ours is among them."""
    region = region_of(language)
    regional = tuple(f"Noto Sans {name}" for name in REGIONS[region or "ja"])
    ours = (regional[0], *SCRIPTS, *regional[1:]) if region else (*SCRIPTS, *regional)
    return (str(typeface.path), *ours) if typeface else ours


def region_of(language: str) -> str | None:
    """Return ja, ko, zh-hans or zh-hant for a language that is written with Han characters or Hangul."""
    tag = language.replace("_", "-").lower()
    base = tag.split("-")[0]
    if base in ("zh", "yue", "cmn"):
        traditional = base == "yue" or any(part in ("hant", "tw", "hk", "mo") for part in tag.split("-"))
        return "zh-hant" if traditional else "zh-hans"
    return base if base in REGIONS else None


def _face(data: bytes) -> Face:
    if data[:4] == COLLECTION:
        raise UnusableTypeface("This file holds several fonts. Send the one that you want as TTF or OTF.")
    if data[:4] in WEB_FONTS:
        raise UnusableTypeface("This is a web font (WOFF). Send the same font as TTF or OTF.")
    if data[:4] not in KINDS:
        raise UnusableTypeface("This is no font that can be read. Send a TTF or OTF file.")
    try:
        (face,) = Face.all_in(data)
    except ValueError as error:
        raise UnusableTypeface(f"{error} Send the file again, or another one.") from error
    missing = [tag for tag in NEEDED if not face.table(tag)]
    if missing or not any(face.table(tag) for tag in OUTLINES):
        raise UnusableTypeface("This font lacks tables that drawing needs. Export it again as TTF or OTF.")
    if face.permissions() & (RESTRICTED | BITMAPS_ONLY):
        raise UnusableTypeface("This font forbids embedding (fsType). Ask its maker for a licence that allows it.")
    return face


def _characters(face: Face) -> frozenset[int]:
    try:
        characters = face.characters()
        ImageFont.truetype(io.BytesIO(face.data), 32, layout_engine=ImageFont.Layout.BASIC).getmask("Ag")
    except (ValueError, OSError, struct.error) as error:
        raise UnusableTypeface("This font is damaged and cannot be drawn. Export it again.") from error
    if not characters:
        raise UnusableTypeface("This font has no character that it could draw. Send another one.")
    return characters


def _kept(digest: str, data: bytes) -> Path:
    """Write a font into a folder of its own, where fonts.conf gives it its path for a name."""
    with _LOCK:  # two folders made at once would be one too many: the loser is deleted
        path = Path(_folder().name) / digest / "font"
    path.parent.mkdir(mode=0o700, exist_ok=True)
    if not path.exists():
        whole = path.with_name(f"font.{get_ident()}")
        whole.write_bytes(data)
        whole.replace(path)
    return path


@cache
def _folder() -> TemporaryDirectory[str]:
    return TemporaryDirectory(prefix="fanfare-typeface-")


_LOCK = Lock()
