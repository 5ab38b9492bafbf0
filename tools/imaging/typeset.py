"""Sets text in any of our scripts: shaped, broken and aligned by Pango, in bundled fonts only."""

import unicodedata
from dataclasses import dataclass
from html import escape
from typing import Final, Literal

from PIL import Image

from tools.imaging.phrases import with_phrases
from tools.imaging.vips import Align, Wrap, text_mask

Direction = Literal["ltr", "rtl"]
Weight = Literal["Regular", "Bold"]

FAMILY: Final = "Noto Sans"
MARKS: Final = {"ltr": "\u200e", "rtl": "\u200f"}  # for lines that begin in another script
STEP: Final = 1.05  # ratio between neighbouring sizes that a fit tries

# Line height as a factor of the font's own, which is roomy; marks limit how far it shrinks.
USUAL: Final = 0.86
LEADING: Final = {
    "ar": 0.72,
    "fa": 0.72,
    "ur": 0.8,
    "hi": 0.98,
    "mr": 0.98,
    "th": 0.9,
    "ja": 0.92,
    "zh": 0.92,
}


@dataclass(frozen=True)
class Setting:
    """How a text is set; the language is a BCP 47 tag and steers shaping, fallback and line breaks.

    Air multiplies the line height, which suits headlines; running text wants about 1.15. The wrap "word-char"
    parts even a word that is too wide, as running text in a script without spaces needs.
    """

    language: str = "en"
    direction: Direction = "ltr"
    weight: Weight = "Regular"
    align: Literal["start", "centre"] = "start"
    air: float = 1.0
    wrap: Wrap = "word"

    def markup(self, text: str) -> str:
        """Escape a text and wrap it in its language, line height and direction."""
        script = self.language.split("-")[0].lower()
        spacing = LEADING.get(script, USUAL) * self.air
        lines = [_drawable(line) for line in text.splitlines()]
        if script == "ja":
            lines = [with_phrases(line) for line in lines]
        body = "\n".join(MARKS[self.direction] + escape(line, quote=False) for line in lines)
        return f'<span lang="{escape(self.language)}" line_height="{spacing:.3f}">{body}</span>'

    @property
    def alignment(self) -> Align:
        """Pango turns low round by itself in right-to-left lines."""
        return "low" if self.align == "start" else "centre"


@dataclass(frozen=True, eq=False)
class TextBlock:
    """Set text: its ink as a mask (mode L), the ink's offset in the layout, and whether it kept its box."""

    mask: Image.Image
    size: int
    offset: tuple[int, int]
    fits: bool

    @property
    def width(self) -> int:
        """Pixels of ink across."""
        return self.mask.width

    @property
    def height(self) -> int:
        """Pixels of ink down."""
        return self.mask.height


def set_text(text: str, setting: Setting, *, size: int, width: int | None = None) -> TextBlock:
    """Set a text at a size in pixels, broken to a width; raises ValueError when nothing is to be drawn."""
    mask, x, y = text_mask(
        setting.markup(text),
        font=f"{FAMILY} {setting.weight} {size}",
        width=width,
        align=setting.alignment,
        wrap=setting.wrap,
    )
    return TextBlock(mask, size, (x, y), width is None or mask.width <= width)


def fit(text: str, setting: Setting, *, width: int, height: int, largest: int, smallest: int) -> TextBlock:
    """Set a text as large as a box in pixels lets it be, its lines evened out.

    Where not even the smallest size fits, that size comes back with fits False.
    """
    sizes = _ladder(smallest, largest)
    low, high, best = 0, len(sizes) - 1, None
    while low <= high:
        middle = (low + high + 1) // 2
        block = set_text(text, setting, size=sizes[middle], width=width)
        if block.fits and block.height <= height:
            best, low = block, middle + 1
        else:
            high = middle - 1
    if best is None:
        block = set_text(text, setting, size=sizes[0], width=width)
        return TextBlock(block.mask, block.size, block.offset, fits=False)
    return _evened(text, setting, best, width, height)


def _drawable(line: str) -> str:
    """Compose accents, and drop what no markup may contain: control characters and lone surrogates."""
    kept = (c if unicodedata.category(c) not in ("Cc", "Cs") else " " for c in line)
    return unicodedata.normalize("NFC", "".join(kept)).strip()


def _ladder(smallest: int, largest: int) -> list[int]:
    sizes = [smallest]
    while sizes[-1] < largest:
        sizes.append(min(largest, max(sizes[-1] + 1, round(sizes[-1] * STEP))))
    return sizes


def _evened(text: str, setting: Setting, block: TextBlock, width: int, height: int) -> TextBlock:
    """Narrow a block of several lines as far as it stays as high, so that no word is left alone."""
    if block.height < block.size * 1.6:
        return block
    narrow, wide, tallest = round(width * 0.45), width, min(height, block.height + block.size * 0.3)
    while wide - narrow > width * 0.04:
        middle = (narrow + wide) // 2
        trial = set_text(text, setting, size=block.size, width=middle)
        if trial.fits and trial.height <= tallest:
            block, wide = trial, middle
        else:
            narrow = middle
    return block
