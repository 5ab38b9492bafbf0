"""Text in every script, shaped, fitted and complete."""

import os
import shutil
import subprocess
import sys
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageStat

from tools.imaging.glyphs import is_visible, missing_glyphs
from tools.imaging.typeset import Direction, Setting, TextBlock, fit, set_text

HEADLINES: list[tuple[str, Direction, str]] = [
    ("en", "ltr", "Silence, wherever you are"),
    ("de", "ltr", "Geräuschunterdrückung für größere Ruhe – überall"),
    ("vi", "ltr", "Sự yên tĩnh ở bất cứ nơi đâu"),
    ("el", "ltr", "Ησυχία, όπου κι αν βρίσκεσαι"),
    ("ru", "ltr", "Тишина, которая всегда с вами"),
    ("ar", "rtl", "هدوء يرافقك أينما كنت"),
    ("fa", "rtl", "سکوتی که همه‌جا با شماست"),
    ("he", "rtl", "שקט שהולך איתך לכל מקום"),
    ("hi", "ltr", "जहाँ भी जाएँ, सुकून आपके साथ"),
    ("th", "ltr", "ความเงียบที่ไปกับคุณทุกที่"),
    ("ja", "ltr", "どこにいても、静けさと一緒に。"),
    ("ko", "ltr", "어디서나 고요함을"),
    ("zh-Hans", "ltr", "无论身在何处，都能享受宁静"),
    ("zh-Hant", "ltr", "無論身在何處，都能享受寧靜"),
]


@pytest.mark.parametrize(("language", "direction", "text"), HEADLINES)
def test_a_headline_fits_its_box_without_a_missing_glyph(language: str, direction: Direction, text: str) -> None:
    block = fit(text, Setting(language, direction, "Bold"), width=900, height=300, largest=96, smallest=22)
    assert missing_glyphs(text) == set()
    assert block.fits
    assert block.width <= 900
    assert block.height <= 300
    assert block.size >= 48


def test_a_missing_glyph_is_named() -> None:
    assert missing_glyphs("한국 ok 🎧 ქ") == {"🎧", "ქ"}
    assert missing_glyphs(unicodedata.normalize("NFD", "한국 é जहाँ")) == set()
    assert missing_glyphs("joined\u200d\u2060 and\u00a0spaced\n") == set()


def test_the_character_map_agrees_with_what_is_drawn() -> None:
    """What no font has is drawn as an empty box, and as nothing else."""
    box, unknown = set_text("□", Setting(), size=40), set_text("\ua0b5", Setting(), size=40)
    assert missing_glyphs("ш\ua0b5") == {"\ua0b5"}
    assert unknown.mask.tobytes() == box.mask.tobytes()


@pytest.mark.parametrize(("language", "direction", "text"), HEADLINES)
def test_no_letter_of_a_headline_is_drawn_as_a_box(language: str, direction: Direction, text: str) -> None:
    setting = Setting(language, direction, "Bold")
    boxes = {set_text(box, setting, size=40).mask.tobytes() for box in ("□", "\ufffd\ua0b5")}
    letters = {character for character in text if unicodedata.category(character)[0] == "L"}
    assert not boxes & {set_text(letter, setting, size=40).mask.tobytes() for letter in letters}


def test_each_region_has_its_own_form_of_a_character() -> None:
    def drawn(language: str, character: str) -> bytes:
        return set_text(character, Setting(language), size=80).mask.tobytes()

    assert len({drawn(language, "骨") for language in ("ja", "zh-Hans", "zh-Hant")}) == 3
    assert drawn("zh-Hans", "直") != drawn("ja", "直")
    assert drawn("zh-Hans", "刃") != drawn("ja", "刃")
    assert drawn("zh-Hant", "今") != drawn("ja", "今")
    assert drawn("zh-TW", "骨") == drawn("zh-Hant", "骨")
    assert drawn("ko", "，") != drawn("zh-Hant", "，")


def test_bold_is_a_weight_of_its_own_in_every_script() -> None:
    for language, direction, text in HEADLINES:
        thin, fat = (set_text(text, Setting(language, direction, w), size=64) for w in ("Regular", "Bold"))
        assert _ink(fat) > _ink(thin) * 1.15


def _ink(block: TextBlock) -> float:
    return sum(level * count for level, count in enumerate(block.mask.histogram())) / 255


def test_lines_of_mixed_scripts_keep_one_distance() -> None:
    for language, text in (("hi", "घर\nAg\nघर"), ("ja", "静\nAg\n静"), ("ar", "سا\nAg\nسا")):
        setting = Setting(language)
        first, all_three = set_text(text.split("\n")[0], setting, size=50), set_text(text, setting, size=50)
        assert all_three.height == first.height + 2 * setting.pitch(50)


def test_arabic_letters_join() -> None:
    setting = Setting("ar", "rtl")
    joined, apart = set_text("ببب", setting, size=80), set_text("ب\u200cب\u200cب", setting, size=80)
    assert joined.width < apart.width * 0.75


def test_right_to_left_lines_end_at_the_right() -> None:
    text, width = "هدوء يرافقك أينما كنت في المدينة وخارجها", 500
    block = set_text(text, Setting("ar", "rtl"), size=48, width=width)
    assert block.offset[0] + block.width == pytest.approx(width, abs=8)


def test_a_latin_name_does_not_turn_an_arabic_line() -> None:
    block = set_text("Aurora هدوء", Setting("ar", "rtl"), size=48, width=900)
    assert block.offset[0] > 400


@pytest.mark.parametrize(("language", "word"), [("ar", "هدوء"), ("he", "שקט")])
def test_the_first_letter_of_a_right_to_left_headline_is_on_the_right(language: str, word: str) -> None:
    """What a name after the word adds, it adds at the left; what stood at the right stays there."""
    setting = Setting(language, "rtl", "Bold")
    alone, named = (set_text(text, setting, size=60) for text in (word, f"{word} Aurora"))
    assert named.width > alone.width * 1.5
    assert _right_edge(named, alone) == _right_edge(alone, alone)


def test_a_number_in_arabic_reads_from_the_left() -> None:
    """In 40 the 4 stays left of the 0, and the number stands left of the word before it."""
    setting = Setting("ar", "rtl", "Bold")
    forty, both = set_text("40", setting, size=60), set_text("مدة 40", setting, size=60)
    left = both.mask.crop((0, 0, forty.width, both.height))
    digits = left.crop(left.getbbox()).resize(forty.mask.size)
    turned = set_text("04", setting, size=60).mask.resize(forty.mask.size)
    assert _difference(digits, forty.mask) < 0.1 < _difference(digits, turned)


@pytest.mark.parametrize(("language", "before"), [("ar", "مدة"), ("he", "משך")])
def test_a_latin_unit_stays_right_of_its_number(language: str, before: str) -> None:
    setting = Setting(language, "rtl", "Bold")
    amount, both = set_text("40 h", Setting(weight="Bold"), size=60), set_text(f"{before} 40 h", setting, size=60)
    left = both.mask.crop((0, 0, amount.width, both.height))
    assert _difference(left.crop(left.getbbox()).resize(amount.mask.size), amount.mask) < 0.1


def test_an_exclamation_mark_ends_an_arabic_line_at_the_left() -> None:
    setting = Setting("ar", "rtl", "Bold")
    mark, line = set_text("!", setting, size=60), set_text("هدوء Aurora!", setting, size=60)
    assert line.mask.crop((0, 0, mark.width, line.height)).getbbox() is not None
    first_gap = line.mask.getprojection()[0].index(0)
    assert first_gap == mark.width


def _difference(one: Image.Image, other: Image.Image) -> float:
    return ImageStat.Stat(ImageChops.difference(one, other)).mean[0] / 255


def _right_edge(block: TextBlock, like: TextBlock) -> bytes:
    """Cut off the rightmost half of a word, trimmed to its ink."""
    part = block.mask.crop((block.width - like.width // 2, 0, block.width, block.height))
    return part.crop(part.getbbox()).tobytes()


def test_a_fit_is_the_same_from_any_thread() -> None:
    def lines(item: tuple[str, Direction, str]) -> bytes:
        setting = Setting(item[0], item[1], "Bold")
        return fit(item[2], setting, width=500, height=300, largest=80, smallest=16).mask.tobytes()

    alone = [lines(item) for item in HEADLINES]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lines, HEADLINES * 3)) == alone * 3


def test_no_word_is_left_alone_on_the_last_line() -> None:
    for width in range(330, 700, 30):
        block = fit(
            "Silence goes wherever you go",
            Setting("en", weight="Bold"),
            width=width,
            height=400,
            largest=56,
            smallest=20,
        )
        assert len(block.lines[-1]) >= len("you go")


def test_a_name_is_parted_only_where_it_must_be() -> None:
    setting = Setting("en", names=("Aurora Studio Pro",))
    wide = fit("Meet the new Aurora Studio Pro", setting, width=400, height=200, largest=60, smallest=12)
    assert any("Aurora Studio Pro" in line for line in wide.lines)
    narrow = fit("Meet the new Aurora Studio Pro", setting, width=110, height=300, largest=60, smallest=20)
    assert narrow.fits
    assert narrow.lines[-1] == "Pro"


def test_lines_can_be_counted_out() -> None:
    text, setting = "Silence goes wherever you go, all day and all night", Setting()
    free = fit(text, setting, width=300, height=400, largest=60, smallest=10)
    short = fit(text, setting, width=300, height=400, largest=60, smallest=10, most_lines=3)
    assert len(free.lines) > 3
    assert len(short.lines) == 3
    assert short.size < free.size


def test_a_long_text_is_set_as_running_text() -> None:
    block = fit("many words " * 200, Setting(), width=600, height=900, largest=40, smallest=8)
    assert block.fits
    assert block.lines == ()


@pytest.mark.parametrize(
    "text", ["Fish & Chips", "<b>bold</b>", "a < b > c", "\"quoted\" & 'single'", "tab\there\x07"]
)
def test_markup_is_only_text(text: str) -> None:
    assert set_text(text, Setting(), size=20).width > 20


def test_what_cannot_fit_says_so() -> None:
    block = fit("Donaudampfschifffahrt", Setting(), width=60, height=40, largest=40, smallest=20)
    assert not block.fits
    assert block.size == 20


def test_lines_are_evened_out() -> None:
    setting = Setting("en", "ltr", "Bold")
    block = fit("Made for the quiet hours of day", setting, width=800, height=130, largest=60, smallest=20)
    loose = set_text("Made for the quiet hours of day", setting, size=block.size, width=800)
    assert block.width <= loose.width
    assert block.height <= 130


def test_a_sentence_begins_a_line_where_a_little_size_buys_it() -> None:
    setting = Setting("en", "ltr", "Bold")
    largest, block = (
        fit(text, setting, width=700, height=200, largest=200, smallest=20, most_lines=2)
        for text in ("Aurora, the art of detail", "Aurora. The art of detail")
    )
    assert block.lines == ("Aurora.", "The art of detail")
    assert 0.75 * largest.size <= block.size <= largest.size
    three = fit("Nova. Cold water, all day long", setting, width=480, height=400, largest=60, smallest=20)
    assert three.lines == ("Nova.", "Cold water,", "all day long")


@pytest.mark.parametrize(("text", "visible"), [("", False), (" \n\u200b\u200f", False), ("a", True), ("。", True)])
def test_the_invisible_is_known(text: str, visible: object) -> None:
    assert is_visible(text) is visible


def test_fonts_are_found_in_a_path_with_a_space(tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[3]
    home = tmp_path / "some where"
    shutil.copytree(
        root / "tools" / "imaging", home / "tools" / "imaging", ignore=shutil.ignore_patterns("__pycache__")
    )
    (home / "tools" / "__init__.py").touch()
    script = (
        "from tools.imaging.typeset import Setting, set_text; import hashlib;"
        "print(hashlib.sha256(set_text('Aurora سلام 静', Setting(), size=40).mask.tobytes()).hexdigest())"
    )
    environment = {**os.environ, "PYTHONPATH": "", "XDG_CACHE_HOME": str(tmp_path / "cache")}
    moved, here = (
        subprocess.run(
            [sys.executable, "-c", script], cwd=cwd, env=environment, capture_output=True, text=True, check=True
        ).stdout
        for cwd in (home, root)
    )
    assert moved == here
