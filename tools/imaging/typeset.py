"""Sets text in any of our scripts: shaped by Pango, broken where the language breaks, in fonts that we chose."""

import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from typing import Final, Literal

import regex  # type: ignore[import-untyped]  # it ships no stubs
from PIL import Image

from tools.imaging.glyphs import is_drawn
from tools.imaging.lines import Phrase, broken, runs_on
from tools.imaging.phrases import BREAK, bound, leading, phrases
from tools.imaging.typeface import Typeface, families
from tools.imaging.vips import Align, Wrap, text_mask

Direction = Literal["ltr", "rtl"]
Weight = Literal["Regular", "Bold"]

MARKS: Final = {"ltr": "\u200e", "rtl": "\u200f"}  # for lines that begin in another script
MISSING: Final = "□"
STEP: Final = 1.05  # ratio between neighbouring sizes that a fit of running text tries
MEASURED: Final = 40  # the size, in pixels, at which phrases are measured
APART: Final = 2.2  # em between baselines while measuring, so that no ink of two lines meets
MANY: Final = 48  # phrases from which a text is no headline
TRIES: Final = 6
YIELDING: Final = 0.8  # share of the size that is kept where the rest would buy a better break
UNITS: Final = 1024  # Pango's units in a pixel


@dataclass(frozen=True)
class Setting:
    """How a text is set; the language is a BCP 47 tag and steers shaping, fonts and line breaks.

    Air multiplies the line height, which suits headlines; running text wants about 1.15. The wrap "word-char"
    parts even a word that is too wide, as running text in a script without spaces needs. Names, of a product or
    a brand, stay on one line where they can. A typeface of the operator comes before ours.
    """

    language: str = "en"
    direction: Direction = "ltr"
    weight: Weight = "Regular"
    align: Literal["start", "centre"] = "start"
    air: float = 1.0
    wrap: Wrap = "word"
    names: tuple[str, ...] = ()
    typeface: Typeface | None = None

    def pitch(self, size: int) -> int:
        """Return the distance between baselines in pixels."""
        return max(1, round(size * leading(self.language) * self.air))

    def font(self, size: int) -> str:
        """Name the fonts as Pango wants it, in the order in which they are asked for a glyph."""
        return f"{','.join(families(self.language, self.typeface))} {self.weight} {size}"

    @property
    def alignment(self) -> Align:
        """Pango turns low round by itself in right-to-left lines."""
        return "low" if self.align == "start" else "centre"


@dataclass(frozen=True, eq=False)
class TextBlock:
    """Set text: its ink as a mask (mode L), the ink's offset in the layout, and whether it kept its box.

    Lines are given where they were chosen here, which a fit of a headline does.
    """

    mask: Image.Image
    size: int
    offset: tuple[int, int]
    fits: bool
    lines: tuple[str, ...] = ()

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
    lines = [_breakable(line, setting) for line in _drawable(text, setting)]
    mask, x, y = _drawn(lines, setting, size, setting.pitch(size), width)
    return TextBlock(mask, size, (x, y), width is None or mask.width <= width)


def fit(
    text: str,
    setting: Setting,
    *,
    width: int,
    height: int,
    largest: int,
    smallest: int,
    most_lines: int | None = None,
) -> TextBlock:
    """Set a text as large as a box in pixels lets it be, its lines evened out.

    Where not even the smallest size fits, that size comes back with fits False.
    """
    lines = _drawable(text, setting)
    box = _Box(width, height, most_lines)
    if not any(lines):
        return set_text(text, setting, size=smallest, width=width)
    for fine in (False, True):
        parts = tuple(
            tuple(phrases(line, setting.language, names=setting.names, fine=fine)) for line in lines if line
        )
        if sum(map(len, parts)) > MANY:
            break
        block = _largest(_measured(parts, setting), setting, box, smallest, largest)
        if block:
            return block
    return _poured(text, setting, box, smallest, largest)


@dataclass(frozen=True)
class _Box:
    width: int
    height: int
    most_lines: int | None

    def holds(self, mask: Image.Image) -> bool:
        return mask.width <= self.width and mask.height <= self.height


@dataclass(frozen=True)
class _Measures:
    """The phrases of each paragraph and the ink's height of one line, at the size MEASURED."""

    paragraphs: tuple[tuple[Phrase, ...], ...]
    ink: int

    def lines(self, setting: Setting, size: int, box: _Box, slack: float) -> list[str] | None:
        """Break for a size; None where the lines would leave the box."""
        room = box.width * slack * MEASURED / size
        lines: list[str] = []
        for paragraph in self.paragraphs:
            found = broken(paragraph, room)
            if found is None:
                return None
            lines += found
        too_many = box.most_lines is not None and len(lines) > box.most_lines
        ink = self.ink * size / MEASURED + setting.pitch(size) * (len(lines) - 1)
        return None if too_many or ink > box.height + 1 else lines


def _largest(measures: _Measures, setting: Setting, box: _Box, smallest: int, largest: int) -> TextBlock | None:
    """Find the largest size by bisection, then draw it, a little smaller where hinting made it wider."""
    slack = 1.0
    for _ in range(TRIES):
        most = _bisected(measures, setting, box, slack, smallest, largest)
        if not most:
            return None
        size, lines = _parted(measures, setting, box, slack, smallest, most)
        mask, x, y = _drawn([bound(line) for line in lines], setting, size, setting.pitch(size), None)
        if box.holds(mask):
            return TextBlock(mask, size, (x, y), fits=True, lines=tuple(line.strip() for line in lines))
        slack *= min(0.995, box.width / mask.width)
        largest = size - 1 if mask.height > box.height else size
    return None


def _parted(
    measures: _Measures, setting: Setting, box: _Box, slack: float, smallest: int, most: int
) -> tuple[int, list[str]]:
    """Give up a little of the size where sentences then have lines of their own, and no more of these."""
    largest = measures.lines(setting, most, box, slack) or []
    if len(largest) > 1 and any(map(runs_on, largest)):
        for size in range(most - 1, max(smallest, round(most * YIELDING)) - 1, -1):
            lines = measures.lines(setting, size, box, slack) or []
            if len(lines) == len(largest) and not any(map(runs_on, lines)):
                return size, lines
    return most, largest


def _bisected(
    measures: _Measures, setting: Setting, box: _Box, slack: float, smallest: int, largest: int
) -> int | None:
    best, low, high = None, smallest, max(smallest, largest)
    while low <= high:
        middle = (low + high + 1) // 2
        if measures.lines(setting, middle, box, slack):
            best, low = middle, middle + 1
        else:
            high = middle - 1
    return best


@lru_cache(maxsize=1024)
def _measured(paragraphs: tuple[tuple[str, ...], ...], setting: Setting) -> _Measures:
    """Draw every phrase on a line of its own, and read their widths off the one picture."""
    texts = [phrase for paragraph in paragraphs for phrase in paragraph]
    wholes = ["".join(paragraph) for paragraph in paragraphs]
    rows = [*texts, *wholes, "x x", "xx"]
    pitch = round(MEASURED * APART)
    mask, _, y = _drawn([bound(row) for row in rows], setting, MEASURED, pitch, None)
    boxes = [_ink(mask, row * pitch - y, pitch) for row in range(len(rows))]
    widths = [box[2] - box[0] for box in boxes]
    space = widths[-2] - widths[-1]
    made: list[tuple[Phrase, ...]] = []
    for paragraph, whole in zip(paragraphs, widths[len(texts) : -2], strict=True):
        at = sum(map(len, made))
        made.append(_spaced(paragraph, widths[at : at + len(paragraph)], whole, space))
    tallest = max(box[3] - box[1] for box in boxes[:-2])
    return _Measures(tuple(made), tallest)


def _spaced(texts: tuple[str, ...], widths: list[int], whole: int, space: int) -> tuple[Phrase, ...]:
    """Give each phrase its gap, so that all of them together are as wide as the whole line was."""
    spaces = [space if text[-1:].isspace() else 0 for text in texts]
    rest = (whole - sum(widths) - sum(spaces[:-1])) / max(1, len(texts) - 1)
    return tuple(
        Phrase(text, width, gap + max(0.0, rest)) for text, width, gap in zip(texts, widths, spaces, strict=True)
    )


def _ink(mask: Image.Image, top: int, pitch: int) -> tuple[int, int, int, int]:
    """Find the ink of one row; marks may rise and fall beyond the line itself."""
    box = mask.crop((0, top, mask.width, top + pitch)).getbbox()
    return box or (0, 0, 0, 0)


def _poured(text: str, setting: Setting, box: _Box, smallest: int, largest: int) -> TextBlock:
    """Set what is no headline, or fits no box as one: Pango breaks the lines as it goes."""
    sizes = _ladder(smallest, largest)
    low, high, best = 0, len(sizes) - 1, None
    while low <= high:
        middle = (low + high + 1) // 2
        block = set_text(text, setting, size=sizes[middle], width=box.width)
        if box.holds(block.mask):
            best, low = block, middle + 1
        else:
            high = middle - 1
    if best and box.most_lines is None:
        return best
    block = set_text(text, setting, size=smallest, width=box.width)
    return TextBlock(block.mask, block.size, block.offset, fits=False)


def _ladder(smallest: int, largest: int) -> list[int]:
    sizes = [smallest]
    while sizes[-1] < largest:
        sizes.append(min(largest, max(sizes[-1] + 1, round(sizes[-1] * STEP))))
    return sizes


def _drawn(
    lines: list[str], setting: Setting, size: int, pitch: int, width: int | None
) -> tuple[Image.Image, int, int]:
    """Draw lines that are ready for it: in their language, escaped, each beginning in its direction."""
    if setting.direction == "rtl":
        lines = [_AMOUNT.sub(MARKS["ltr"], line) for line in lines]
    body = "\n".join(MARKS[setting.direction] + escape(line, quote=False) for line in lines)
    markup = f'<span lang="{escape(setting.language)}" line_height="{pitch * UNITS}">{body}</span>'
    return text_mask(
        markup,
        font=setting.font(size),
        width=width,
        align=setting.alignment,
        wrap=setting.wrap,
        file=setting.typeface.path if setting.typeface else None,
    )


def _drawable(text: str, setting: Setting) -> list[str]:
    """Compose accents, drop what no markup may contain, and show a box for what no font of ours can draw.

    Pango would otherwise look for a glyph in every font that the process knows, another operator's too.
    """
    lines = unicodedata.normalize("NFC", text).splitlines()
    return ["".join(_character(c, setting.typeface) for c in line).strip() for line in lines]


def _character(character: str, typeface: Typeface | None) -> str:
    if unicodedata.category(character) in ("Cc", "Cs"):
        return " "
    return character if is_drawn(character, typeface) else MISSING


def _breakable(line: str, setting: Setting) -> str:
    """Let a line break where its language does, and nowhere else."""
    pieces = phrases(line, setting.language, names=setting.names)
    return "".join(bound(piece) + (" " if piece[-1].isspace() else BREAK) for piece in pieces).strip(f" {BREAK}")


# Before a number with a Latin unit, which between right-to-left words would turn into "h 40".
_AMOUNT = regex.compile(r"(?<![\p{Nd}\p{Latin}.,])(?=\p{Nd}[\p{Nd}.,]{0,20}[\s\u2060]?\p{Latin})", regex.V1)
