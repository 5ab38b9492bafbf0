"""Draws a campaign on one tall page: every language, every placement, its texts beside its pictures."""

import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from itertools import product
from typing import Final, Self

from PIL import Image, ImageDraw

from tools.imaging.box import Box
from tools.imaging.colour import RGB
from tools.imaging.glyphs import is_visible
from tools.imaging.pool import pool
from tools.imaging.scaling import scaled
from tools.imaging.typeset import Direction, Setting, TextBlock, Weight, set_text
from tools.imaging.vips import Pixels, joined

WIDTH: Final = 1600
MARGIN: Final = 88
CONTENT: Final = WIDTH - 2 * MARGIN
INSET: Final = 40
COLUMN: Final = 500  # the texts of a card
GUTTER: Final = 48
GALLERY: Final = CONTENT - 2 * INSET - COLUMN - GUTTER
TALLEST: Final = 340  # a thumbnail
TALLEST_PAGE: Final = 16_000  # JPEG ends at 65,535, most viewers' patience earlier
GAP: Final = 22
RADIUS: Final = 20
SQUEEZE: Final = 1.3  # how much too wide a row may be, to be made smaller as a whole
LABEL: Final = 24  # characters up to which a set text is kept
RUNNING: Final = 40  # type size up to which lines get more air

PAPER: Final[RGB] = (247, 246, 243)
CARD: Final[RGB] = (255, 255, 255)
INK: Final[RGB] = (24, 24, 32)
TEXT: Final[RGB] = (52, 52, 62)
MUTED: Final[RGB] = (124, 122, 130)
LINE: Final[RGB] = (228, 225, 218)
ACCENT: Final[RGB] = (92, 76, 168)


@dataclass(frozen=True)
class SheetHeader:
    """What stands at the top: the product, one line about it, and facts such as languages, cost and time."""

    title: str
    subtitle: str = ""
    facts: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True)
class SheetCard:
    """A placement: its texts as (label, text), its creatives as (label, encoded picture)."""

    title: str
    lines: Sequence[tuple[str, str]] = ()
    pictures: Sequence[tuple[str, bytes]] = ()


@dataclass(frozen=True)
class SheetSection:
    """A language: its name, how it is read, its headlines, and a card for each placement."""

    title: str
    direction: Direction = "ltr"
    headlines: Sequence[str] = ()
    cards: Sequence[SheetCard] = ()
    language: str = "en"


def contact_pages(header: SheetHeader, sections: Iterable[SheetSection]) -> Iterator[bytes]:
    """Draw JPEG pages, 1600 pixels wide and at most 16,000 high; a page is held as pixels, and no more.

    A section's name stays with its first card. Sixty pictures take two pages, a thousand cards about forty.
    """
    page: list[Pixels] = []
    for block in _blocks(header, sections):
        if page and sum(each.height for each in (*page, *block)) + MARGIN > TALLEST_PAGE:
            yield _page(page)
            page = []
        page += block
    yield _page(page)


def _blocks(header: SheetHeader, sections: Iterable[SheetSection]) -> Iterator[list[Pixels]]:
    """What no page may part."""
    yield [Pixels(_header(header))]
    for section in sections:
        block = [Pixels(_section_head(section))]
        for card in section.cards:
            yield [*block, Pixels(_card(card, section))]
            block = []
        if block:
            yield block


def _page(strips: Sequence[Pixels]) -> bytes:
    return joined([*strips, Pixels(_blank(MARGIN))])


@dataclass
class _Pen:
    """Writes blocks of text downwards from a corner, in one language."""

    strip: Image.Image
    x: int
    y: int
    width: int
    language: str = "en"
    direction: Direction = "ltr"

    def write(
        self,
        text: str,
        size: int,
        colour: RGB,
        *,
        weight: Weight = "Regular",
        after: int = 0,
    ) -> None:
        """Write one block, wrapped to the width, and move below it."""
        drawn = _set_label if len(text) <= LABEL else _set
        block = drawn(text, self.language, self.direction, size, weight, self.width)
        if block is None:
            return
        self.strip.paste(colour, (self.x + block.offset[0], self.y + block.offset[1]), block.mask)
        self.y += _advance(block, size) + after


def _header(header: SheetHeader) -> Image.Image:
    strip = _blank(
        400 + _room(header.title, 76, CONTENT) + _room(header.subtitle, 30, CONTENT) + _longest(header.facts)
    )
    ImageDraw.Draw(strip).rectangle((0, 0, WIDTH, 10), fill=ACCENT)
    pen = _Pen(strip, MARGIN, 84, CONTENT)
    pen.write(header.title, 76, INK, weight="Bold", after=14)
    pen.write(header.subtitle, 30, MUTED, after=40)
    bottom = _facts(strip, header.facts, pen.y) if header.facts else pen.y
    ImageDraw.Draw(strip).rectangle((MARGIN, bottom, WIDTH - MARGIN, bottom + 1), fill=LINE)
    return strip.crop((0, 0, WIDTH, bottom + 2))


def _longest(facts: Sequence[tuple[str, str]]) -> int:
    return max((_room(value, 27, CONTENT // len(facts) - GAP) for _, value in facts), default=0)


def _facts(strip: Image.Image, facts: Sequence[tuple[str, str]], top: int) -> int:
    """Write the facts side by side; returns where the next thing may begin."""
    width, bottom = CONTENT // len(facts), top
    for at, (label, value) in enumerate(facts):
        pen = _Pen(strip, MARGIN + at * width, top, width - GAP)
        pen.write(label.upper(), 17, MUTED, weight="Bold", after=6)
        pen.write(value, 27, INK, after=44)
        bottom = max(bottom, pen.y)
    return bottom


def _section_head(section: SheetSection) -> Image.Image:
    strip = _blank(400 + sum(_room(text, 30, CONTENT) for text in section.headlines))
    pen = _Pen(strip, MARGIN, 76, CONTENT, section.language, section.direction)
    x = WIDTH - MARGIN - 56 if section.direction == "rtl" else MARGIN
    ImageDraw.Draw(strip).rectangle((x, 56, x + 55, 61), fill=ACCENT)
    pen.write(section.title, 46, INK, weight="Bold", after=18)
    for headline in section.headlines:
        pen.write(headline, 30, TEXT, after=6)
    return strip.crop((0, 0, WIDTH, pen.y + 28))


def _card(card: SheetCard, section: SheetSection) -> Image.Image:
    """Draw a card on a tall strip, then cut the strip to what it needed."""
    rows = _rows([_Thumb.of(label, data) for label, data in card.pictures])
    height = 400 + sum(_room(text, 23, COLUMN) for _, text in card.lines) + _tall(rows)
    strip = Image.new("RGB", (CONTENT, height), CARD)
    mirrored = section.direction == "rtl"
    width = COLUMN if rows else CONTENT - 2 * INSET
    left = CONTENT - INSET - width if mirrored else INSET
    pen = _Pen(strip, left, INSET, width, section.language, section.direction)
    pen.write(card.title, 28, INK, weight="Bold", after=26)
    for label, text in card.lines:
        pen.write(label.upper(), 15, MUTED, weight="Bold", after=3)
        pen.write(text, 23, TEXT, after=24)
    bottom = _gallery(strip, rows, INSET if mirrored else INSET + COLUMN + GUTTER, section.direction)
    return _framed(strip.crop((0, 0, CONTENT, max(pen.y, bottom) + INSET - 16)))


def _room(text: str, size: int, width: int) -> int:
    """Pixels down that a text needs at most, with what stands around it."""
    lines = len(text) * size * 1.3 / width + len(text.splitlines()) + 1
    return round(lines * size * 2.2) + 80


@dataclass(frozen=True)
class _Thumb:
    """A picture that will be shown at a size, with its label below."""

    label: str
    data: bytes
    width: int
    height: int

    @classmethod
    def of(cls, label: str, data: bytes) -> Self:
        """Measure a picture without decoding it."""
        picture = _opened(data)
        scale = min(1.0, TALLEST / picture.height, GALLERY / picture.width)
        return cls(label, data, *_times(picture.size, scale))

    @property
    def cell(self) -> int:
        """Its width, or its label's if that needs more."""
        return max(self.width, 96)

    def pixels(self) -> Image.Image:
        """Decode at about the size that is shown."""
        picture, size = _opened(self.data), (self.width, self.height)
        picture.draft("RGB", (size[0] * 2, size[1] * 2))
        rgb = picture if picture.mode == "RGB" else picture.convert("RGB")
        return scaled(rgb, size, Box(0, 0, *rgb.size))


def _gallery(strip: Image.Image, rows: Sequence[Sequence[_Thumb]], left: int, direction: Direction) -> int:
    """Lay out thumbnails in rows, each with its label below; returns where they end."""
    y, drawn = INSET, iter(pool().run(thumb.pixels for row in rows for thumb in row))
    for row in rows:
        x = left if direction == "ltr" else left + GALLERY - _wide(row)
        for thumb in row:
            strip.paste(next(drawn), (x, y))
            ImageDraw.Draw(strip).rectangle((x, y, x + thumb.width - 1, y + thumb.height - 1), outline=LINE)
            _Pen(strip, x, y + thumb.height + 8, thumb.cell).write(thumb.label, 16, MUTED)
            x += thumb.cell + GAP
        y += max(thumb.height for thumb in row) + 54
    return y


def _rows(thumbs: Sequence[_Thumb]) -> list[list[_Thumb]]:
    """Put each thumbnail into the first row that has room, then narrow rows that are a little too wide."""
    rows: list[list[_Thumb]] = []
    for thumb in thumbs:
        home = next((row for row in rows if _wide([*row, thumb]) <= GALLERY * SQUEEZE), None)
        if home is None:
            rows.append([thumb])
        else:
            home.append(thumb)
    return [_narrowed(row) for row in rows]


def _narrowed(row: list[_Thumb]) -> list[_Thumb]:
    spaces = GAP * (len(row) - 1)
    share = (GALLERY - spaces) / (_wide(row) - spaces)
    if share >= 1:
        return row
    sizes = [_times((thumb.width, thumb.height), share) for thumb in row]
    return [replace(thumb, width=w, height=h) for thumb, (w, h) in zip(row, sizes, strict=True)]


def _times(size: tuple[int, int], share: float) -> tuple[int, int]:
    return max(1, int(size[0] * share)), max(1, int(size[1] * share))


def _wide(row: Sequence[_Thumb]) -> int:
    return sum(thumb.cell for thumb in row) + GAP * (len(row) - 1)


def _tall(rows: Sequence[Sequence[_Thumb]]) -> int:
    return sum(max(thumb.height for thumb in row) + 54 for row in rows)


def _opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data), formats=["JPEG", "PNG", "WEBP", "AVIF"])


def _framed(card: Image.Image) -> Image.Image:
    """Round a card's corners, draw its border, and put it on the paper."""
    strip, (width, height), side = _blank(card.height + 28), card.size, RADIUS + 1
    strip.paste(LINE, (MARGIN, 0, MARGIN + width, height))
    strip.paste(card.crop((1, 1, width - 1, height - 1)), (MARGIN + 1, 1))
    for across, down in product((0, 1), repeat=2):
        left, top = across * (width - side), down * (height - side)
        corner = _cornered(card.crop((left, top, left + side, top + side)), across, down)
        strip.paste(corner, (MARGIN + left, top))
    return strip


def _cornered(part: Image.Image, across: int, down: int) -> Image.Image:
    """A corner of a card with its border, on the paper: the right one where `across`, the lower where `down`."""
    side = RADIUS + 1
    whole, inside = _rounded(2 * side, 2 * side), Image.new("L", (2 * side, 2 * side), 0)
    inside.paste(_rounded(2 * side - 2, 2 * side - 2), (1, 1))
    quarter = (across * side, down * side, (across + 1) * side, (down + 1) * side)
    corner = Image.new("RGB", (side, side), PAPER)
    corner.paste(LINE, (0, 0), whole.crop(quarter))
    corner.paste(part, (0, 0), inside.crop(quarter))
    return corner


def _rounded(width: int, height: int) -> Image.Image:
    """A mask with round corners, of which only the corners are drawn."""
    mask, corner = Image.new("L", (width, height), 255), _corner()
    far = (width - RADIUS, height - RADIUS)
    mask.paste(corner, (0, 0))
    mask.paste(corner.transpose(Image.Transpose.FLIP_LEFT_RIGHT), (far[0], 0))
    mask.paste(corner.transpose(Image.Transpose.FLIP_TOP_BOTTOM), (0, far[1]))
    mask.paste(corner.transpose(Image.Transpose.ROTATE_180), far)
    return mask


@cache
def _corner() -> Image.Image:
    large = Image.new("L", (RADIUS * 2, RADIUS * 2), 0)
    ImageDraw.Draw(large).rounded_rectangle((0, 0, RADIUS * 8, RADIUS * 8), radius=RADIUS * 2, fill=255)
    return large.reduce(2)


def _set(
    text: str, language: str, direction: Direction, size: int, weight: Weight, width: int
) -> TextBlock | None:
    """Set a text, or give None when nothing of it is visible."""
    if not is_visible(text):
        return None
    setting = Setting(language, direction, weight, air=1.0 if size > RUNNING else 1.16, wrap="word-char")
    return set_text(text, setting, size=size, width=width)


_set_label = lru_cache(maxsize=256)(_set)  # labels come again on every card


def _advance(block: TextBlock, size: int) -> int:
    """Go down by the ink, or by one line's usual height where the ink is less."""
    return max(block.offset[1] + block.height, round(size * 1.25))


def _blank(height: int) -> Image.Image:
    return Image.new("RGB", (WIDTH, height), PAPER)
