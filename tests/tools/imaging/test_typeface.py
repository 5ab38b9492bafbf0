"""An operator's own font: used where it can be, refused with a sentence where it cannot."""

import io
import struct
from pathlib import Path

import pytest
from PIL import Image

from tools.imaging.glyphs import missing_glyphs
from tools.imaging.sfnt import Face
from tools.imaging.typeface import MOST_BYTES, Typeface, UnusableTypeface, families
from tools.imaging.typeset import Setting, fit, set_text
from tools.imaging.vips import FONTS

HEBREW = (FONTS / "NotoSansHebrew-Regular.ttf").read_bytes()
COLLECTION = (FONTS / "NotoSansCJK-Regular.ttc").read_bytes()


def test_a_font_draws_what_it_has_and_ours_draw_the_rest() -> None:
    brand = Typeface.of(_marked(HEBREW))
    ours, theirs = Setting("he", "rtl"), Setting("he", "rtl", typeface=brand)
    assert _mask("שקט", ours) == _mask("שקט", theirs)
    assert _mask("Silence 静", ours) == _mask("Silence 静", theirs)
    assert fit("שקט Aurora", theirs, width=300, height=100, largest=60, smallest=10).fits


def test_a_font_is_not_made_bold() -> None:
    brand = Typeface.of(HEBREW)
    assert _mask("שקט", Setting("he", "rtl", "Bold", typeface=brand)) == _mask("שקט", Setting("he", "rtl"))
    assert _mask("שקט", Setting("he", "rtl", "Bold")) != _mask("שקט", Setting("he", "rtl"))


def test_a_font_that_bears_our_name_changes_nothing_for_others() -> None:
    """The file calls itself Noto Sans, and has Devanagari where we have Latin: nobody else may see it."""
    before = _mask("Aurora घर", Setting())
    brand = Typeface.of(
        (FONTS / "NotoSansDevanagari-Bold.ttf")
        .read_bytes()
        .replace(_name("Noto Sans Devanagari"), _name("Noto Sans\0\0\0\0\0\0\0\0\0\0\0"))
    )
    assert _mask("घर", Setting("hi", typeface=brand)) == _mask("घर", Setting("hi", weight="Bold"))
    assert _mask("Aurora घर", Setting()) == before


def test_two_fonts_of_the_same_bytes_are_one() -> None:
    assert Typeface.of(HEBREW) == Typeface.of(HEBREW)
    assert Typeface.of(HEBREW).path == Typeface.of(HEBREW).path
    assert Typeface.of(HEBREW) != Typeface.of(_marked(HEBREW))


def test_what_a_font_adds_is_not_missing() -> None:
    liberal = Typeface("0", Path(), frozenset({ord("ქ")}))
    assert missing_glyphs("ქა") == {"ქ", "ა"}
    assert missing_glyphs("ქა", liberal) == {"ა"}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "no font"),
        (b"not a font at all", "no font"),
        (b"wOF2" + HEBREW[4:], "TTF or OTF"),
        (COLLECTION, "several fonts"),
        (HEBREW[:2000], "cut short"),
        (HEBREW[:8], "cut short"),
        (b"\x00" * (MOST_BYTES + 1), "20 MB"),
    ],
    ids=["empty", "text", "web font", "collection", "cut", "header", "large"],
)
def test_a_useless_file_is_refused_with_a_sentence(data: bytes, said: str) -> None:
    with pytest.raises(UnusableTypeface, match=said) as refused:
        Typeface.of(data)
    assert str(refused.value).endswith(".")


@pytest.mark.parametrize(
    ("bits", "allowed"), [(0, True), (4, True), (8, True), (0x100, True), (2, False), (0x200, False)]
)
def test_a_font_that_forbids_embedding_is_refused(bits: int, allowed: object) -> None:
    data = bytearray(HEBREW)
    start, _ = Face.all_in(HEBREW)[0].tables["OS/2"]
    struct.pack_into(">H", data, start + 8, bits)
    if allowed:
        assert Typeface.of(bytes(data)).characters
    else:
        with pytest.raises(UnusableTypeface, match="forbids embedding"):
            Typeface.of(bytes(data))


@pytest.mark.parametrize("tag", ["cmap", "head", "glyf", "maxp", "hmtx"])
def test_a_damaged_font_is_refused_or_drawn_but_never_more(tag: str) -> None:
    data = bytearray(HEBREW)
    start, length = Face.all_in(HEBREW)[0].tables[tag]
    data[start : start + length] = b"\xff" * length
    try:
        brand = Typeface.of(bytes(data))
    except UnusableTypeface:
        return
    assert set_text("Aurora", Setting(typeface=brand), size=30).width > 30


def test_a_list_of_characters_without_end_is_a_trap() -> None:
    group = struct.pack(">III", 0, 0x10FFFF, 1)
    table = struct.pack(">HHHHI", 0, 1, 3, 10, 12) + struct.pack(">HHIII", 12, 0, 28, 0, 1) + group
    with pytest.raises(ValueError, match="more characters"):
        Face(table, {"cmap": (0, len(table))}).characters()


def test_every_family_of_ours_is_asked_in_every_language() -> None:
    assert len({frozenset(families(code)) for code in ("en", "ar", "ja", "ko", "zh-CN", "zh-Hant-HK", "yue")}) == 1
    firsts = {code: families(code)[0] for code in ("en", "ja", "ko", "zh", "zh_TW", "yue")}
    assert [name.removeprefix("Noto Sans ") for name in firsts.values()] == [
        "Noto Sans",
        "JP",
        "KR",
        "SC",
        "TC",
        "TC",
    ]


def _mask(text: str, setting: Setting) -> bytes:
    image: Image.Image = set_text(text, setting, size=50).mask
    written = io.BytesIO()
    image.save(written, "PNG")
    return written.getvalue()


def _marked(font: bytes) -> bytes:
    """Make other bytes of the same font."""
    return font + b"\0\0\0\0"


def _name(name: str) -> bytes:
    return name.encode("utf-16-be")
