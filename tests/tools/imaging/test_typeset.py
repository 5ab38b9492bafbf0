"""Text in every script, shaped, fitted and complete."""

import os
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from tools.imaging.glyphs import is_visible, missing_glyphs
from tools.imaging.phrases import with_phrases
from tools.imaging.typeset import Direction, Setting, fit, set_text

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
    assert missing_glyphs("한국 ok 🎧") == {"한", "국", "🎧"}
    assert missing_glyphs("joined\u200d\u2060 and\u00a0spaced\n") == set()


def test_the_character_map_agrees_with_what_is_drawn() -> None:
    """Pango draws a box with the code for what it has no glyph for, far wider than the letter."""
    known, unknown = set_text("ш", Setting(), size=40), set_text("\ua0b5", Setting(), size=40)
    assert missing_glyphs("ш\ua0b5") == {"\ua0b5"}
    assert known.mask.tobytes() != unknown.mask.tobytes()


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


def test_japanese_breaks_between_phrases() -> None:
    joined = with_phrases("どこにいても、静けさと一緒に。")
    parts = joined.replace("\u2060", "")
    assert parts == "どこにいても、静けさと一緒に。"
    assert [len(phrase) for phrase in _breakable(joined)] == [7, 4, 4]


def _breakable(joined: str) -> list[str]:
    """Split where no joiner forbids it."""
    phrases = [joined[0]]
    for before, character in pairwise(joined):
        if "\u2060" in (before, character):
            phrases[-1] += character
        else:
            phrases.append(character)
    return [phrase.replace("\u2060", "") for phrase in phrases]


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
