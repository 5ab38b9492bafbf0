"""Makes the two CJK collections beside this file from the packages of an npm registry.

Needs fontTools with brotli, which Fanfare itself does not:

    npm pack @fontsource/noto-sans-{jp,kr,sc,tc}@5.3.0     # and unpack each into build/fonts/{jp,kr,sc,tc}
    uv run --with 'fonttools[woff]' python tools/imaging/fonts/collect.py build/fonts

One collection is one weight: four faces with one table of outlines, because most characters look the same in two
or three of the regions.
"""

# ruff: noqa: INP001  # a script beside its data, not part of a package

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import regex  # type: ignore[import-untyped]  # it ships no stubs

ASCENT, DESCENT = 1069, 293  # those of Noto Sans: lines that mix fonts keep one distance


@dataclass(frozen=True)
class Region:
    """A face: its family, its package, and the characters that it is to hold."""

    family: str
    package: str
    wanted: frozenset[str]


@dataclass
class Outlines:
    """All outlines of a weight, each kept once; a glyph is a name, the same in every face."""

    glyphs: dict[str, Any] = field(default_factory=dict[str, Any])
    metrics: dict[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])
    names: dict[Any, str] = field(default_factory=dict[Any, str])

    def name(self, font: Any, glyph: str) -> str:
        """Give the name of a font's glyph here, after taking it in where its outline is new."""
        simple, metric = _simple(font, glyph), font["hmtx"][glyph]
        key = (metric, _fingerprint(simple))
        if key not in self.names:
            name = self.names[key] = f"g{len(self.names):05}" if self.names else ".notdef"
            self.glyphs[name], self.metrics[name] = simple, metric
        return self.names[key]


def collect(packages: Path, folder: Path) -> None:
    """Write NotoSansCJK-Regular.ttc and -Bold.ttc."""
    for style, weight in (("Regular", 400), ("Bold", 700)):
        outlines = Outlines()
        faces = [(region, *_characters(packages, region, weight, outlines)) for region in _regions()]
        collection = _library("fontTools.ttLib").TTCollection()
        collection.fonts = [
            _face(region, style, weight, donor, characters, outlines) for region, characters, donor in faces
        ]
        collection.save(folder / f"NotoSansCJK-{style}.ttc", shareTables=True)
        print(style, len(outlines.glyphs), {r.package: len(c) for r, c, _ in faces})  # noqa: T201


def _characters(packages: Path, region: Region, weight: int, outlines: Outlines) -> tuple[dict[int, str], Any]:
    """Map the wanted characters to glyphs, from the slices of one weight; the last slice lends its metrics."""
    files = packages / region.package / "package" / "files"
    found: dict[int, str] = {}
    donor: Any = None
    for slice_ in sorted(files.glob(f"noto-sans-{region.package}-*-{weight}-normal.woff2")):
        donor = _library("fontTools.ttLib").TTFont(slice_)
        outlines.name(donor, ".notdef")
        for point, glyph in sorted(donor.getBestCmap().items()):
            if chr(point) in region.wanted and point not in found:
                found[point] = outlines.name(donor, glyph)
    print(region.package, "has not", "".join(sorted(region.wanted - set(map(chr, found)))))  # noqa: T201
    return dict(sorted(found.items())), donor


def _face(
    region: Region, style: str, weight: int, donor: Any, characters: dict[int, str], outlines: Outlines
) -> Any:
    builder = _library("fontTools.fontBuilder").FontBuilder(donor["head"].unitsPerEm, isTTF=True)
    builder.setupGlyphOrder(list(outlines.glyphs))
    builder.setupCharacterMap(characters)
    builder.setupGlyf(outlines.glyphs, calcGlyphBounds=True)
    builder.setupHorizontalMetrics(outlines.metrics)
    builder.setupHorizontalHeader(ascent=ASCENT, descent=-DESCENT)
    builder.setupNameTable(
        {
            "copyright": str(donor["name"].getDebugName(0)),
            "familyName": region.family,
            "styleName": style,
            "fullName": f"{region.family} {style}",
            "psName": f"{region.family} {style}".replace(" ", ""),
            "licenseDescription": str(donor["name"].getDebugName(13)),
            "licenseInfoURL": str(donor["name"].getDebugName(14)),
        },
        mac=False,
    )
    bold = style == "Bold"
    builder.setupOS2(
        usWeightClass=weight,
        fsType=0,
        fsSelection=0x20 if bold else 0x40,
        sTypoAscender=ASCENT,
        sTypoDescender=-DESCENT,
        usWinAscent=donor["OS/2"].usWinAscent,
        usWinDescent=donor["OS/2"].usWinDescent,
        achVendID=donor["OS/2"].achVendID,
    )
    builder.setupPost(keepGlyphNames=False)
    builder.font["head"].macStyle = int(bold)
    builder.font["head"].created = builder.font["head"].modified = donor["head"].modified
    builder.font.recalcTimestamp = False
    return builder.font


def _simple(font: Any, glyph: str) -> Any:
    """Copy an outline with its parts put together and without instructions."""
    glyf = font["glyf"]
    coordinates, ends, flags = glyf[glyph].getCoordinates(glyf)
    made = _library("fontTools.ttLib.tables._g_l_y_f").Glyph()
    made.numberOfContours = len(ends)
    if ends:
        made.coordinates, made.endPtsOfContours, made.flags = coordinates.copy(), list(ends), flags[:]
        made.program = _library("fontTools.ttLib.tables.ttProgram").Program()
        made.program.fromBytecode(b"")
    return made


def _fingerprint(glyph: Any) -> tuple[Any, ...]:
    if not glyph.numberOfContours:
        return ()
    return (tuple(glyph.coordinates), tuple(glyph.endPtsOfContours), bytes(glyph.flags))


def _regions() -> tuple[Region, ...]:
    """List the faces; letters of other scripts come from Noto Sans, which spaces them better."""
    kanji = {*_rows("euc_jp", range(0xA1, 0xF5)), *map(chr, range(0x3041, 0x3100))}
    return (
        Region("Noto Sans JP", "jp", _without_letters({*kanji, *_MARKS, *"髙﨑神祥福靖精羽﨟"})),
        Region("Noto Sans KR", "kr", _without_letters({*_hangul(), *_MARKS})),
        Region("Noto Sans SC", "sc", _without_letters({*_rows("gb2312", range(0xA1, 0xF8)), *_MARKS})),
        Region("Noto Sans TC", "tc", _without_letters({*_rows("big5", range(0xA1, 0xC7)), *_MARKS, *_CANTONESE})),
    )


def _hangul() -> Iterator[str]:
    yield from _rows("euc_kr", range(0xA1, 0xA3))
    yield from _rows("euc_kr", range(0xB0, 0xC9))
    yield from "ㄱㄴㄷㄹㅁㅂㅅㅇㅈㅊㅋㅌㅍㅎㅏㅑㅓㅕㅗㅛㅜㅠㅡㅣ" + "똠펲햏뷁괞됬믜볌쌰쎔쓩쨰춋뜌핳힣"


def _rows(codec: str, rows: Iterable[int]) -> Iterator[str]:
    """List what the rows of a two-byte character set hold."""
    for row in rows:
        for cell in (*range(0x40, 0x7F), *range(0xA1, 0xFF)):
            decoded = bytes((row, cell)).decode(codec, "ignore")
            if len(decoded) == 1:
                yield decoded


def _without_letters(characters: Iterable[str]) -> frozenset[str]:
    foreign = regex.compile(r"[\p{Latin}\p{Greek}\p{Cyrillic}--[\uff00-\uffef]]", regex.V1)
    return frozenset(c for c in characters if c > "\u00a0" and not foreign.match(c)) | {" ", "\u3000"}


def _library(name: str) -> Any:
    return import_module(name)


_MARKS = "·–—‘’“”†•…‰′″※℃№™←↑→↓■□▲△▼▽◆◇○◎●★☆♪①②③④⑤、。〈〉《》「」『』【】〔〕〜！（），．：；？～￥￦％＋－／＆"
_CANTONESE = "嘅咗喺唔啲嘢冇佢哋咁嗰係啱嚟嘥攞揀睇瞓畀俾撳閂"

if __name__ == "__main__":
    collect(Path(sys.argv[1]), Path(__file__).resolve().parent)
