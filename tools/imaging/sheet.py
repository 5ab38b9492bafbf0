"""Draws a campaign on one tall page: every language, every placement, its texts beside its pictures."""

import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from PIL import Image, ImageDraw

from tools.imaging.colour import RGB
from tools.imaging.glyphs import is_visible
from tools.imaging.typeset import Direction, Setting, TextBlock, set_text
from tools.imaging.vips import stack

WIDTH: Final = 1600
MARGIN: Final = 88
CONTENT: Final = WIDTH - 2 * MARGIN
INSET: Final = 40
COLUMN: Final = 500  # the texts of a card
GUTTER: Final = 48
GALLERY: Final = CONTENT - 2 * INSET - COLUMN - GUTTER
TALLEST: Final = 340  # a thumbnail
GAP: Final = 22
RADIUS: Final = 20
SQUEEZE: Final = 1.3  # how much too wide a row may be, to be made smaller as a whole
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


def contact_sheet(header: SheetHeader, sections: Iterable[SheetSection]) -> bytes:
    """Draw the page as PNG, 1600 pixels wide; one card at a time is held as pixels."""
    strips = [_png(_header(header))]
    for section in sections:
        strips.extend(_png(strip) for strip in _section(section))
    strips.append(_png(_blank(MARGIN)))
    return stack(strips)


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
        weight: Literal["Regular", "Bold"] = "Regular",
        after: int = 0,
    ) -> None:
        """Write one block, wrapped to the width, and move below it."""
        block = _set(text, self.language, self.direction, size, weight, self.width)
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


def _section(section: SheetSection) -> Iterator[Image.Image]:
    yield _section_head(section)
    for card in section.cards:
        yield _card(card, section)


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
    rows = _rows([(label, _thumbnail(data)) for label, data in card.pictures])
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


def _gallery(
    strip: Image.Image, rows: Sequence[Sequence[tuple[str, Image.Image]]], left: int, direction: Direction
) -> int:
    """Lay out thumbnails in rows, each with its label below; returns where they end."""
    y = INSET
    for row in rows:
        x = left if direction == "ltr" else left + GALLERY - _wide(row)
        for label, thumb in row:
            strip.paste(thumb, (x, y))
            ImageDraw.Draw(strip).rectangle((x, y, x + thumb.width - 1, y + thumb.height - 1), outline=LINE)
            _Pen(strip, x, y + thumb.height + 8, _cell(thumb)).write(label, 16, MUTED)
            x += _cell(thumb) + GAP
        y += max(thumb.height for _, thumb in row) + 54
    return y


def _rows(thumbs: Sequence[tuple[str, Image.Image]]) -> list[list[tuple[str, Image.Image]]]:
    """Put each thumbnail into the first row that has room, then narrow rows that are a little too wide."""
    rows: list[list[tuple[str, Image.Image]]] = []
    for thumb in thumbs:
        home = next((row for row in rows if _wide([*row, thumb]) <= GALLERY * SQUEEZE), None)
        if home is None:
            rows.append([thumb])
        else:
            home.append(thumb)
    return [_narrowed(row) for row in rows]


def _narrowed(row: list[tuple[str, Image.Image]]) -> list[tuple[str, Image.Image]]:
    spaces = GAP * (len(row) - 1)
    share = (GALLERY - spaces) / (_wide(row) - spaces)
    if share >= 1:
        return row
    return [(label, thumb.resize(_times(thumb.size, share))) for label, thumb in row]


def _times(size: tuple[int, int], share: float) -> tuple[int, int]:
    return max(1, int(size[0] * share)), max(1, int(size[1] * share))


def _cell(thumb: Image.Image) -> int:
    """Give a thumbnail's width, or its label's if that needs more."""
    return max(thumb.width, 96)


def _wide(row: Sequence[tuple[str, Image.Image]]) -> int:
    return sum(_cell(thumb) for _, thumb in row) + GAP * (len(row) - 1)


def _tall(rows: Sequence[Sequence[tuple[str, Image.Image]]]) -> int:
    return sum(max(thumb.height for _, thumb in row) + 54 for row in rows)


def _thumbnail(data: bytes) -> Image.Image:
    """Decode at about the size that is shown."""
    picture = Image.open(io.BytesIO(data), formats=["JPEG", "PNG", "WEBP"])
    scale = min(1.0, TALLEST / picture.height, GALLERY / picture.width)
    size = _times(picture.size, scale)
    picture.draft("RGB", (size[0] * 2, size[1] * 2))
    return picture.convert("RGB").resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)


def _framed(card: Image.Image) -> Image.Image:
    """Round a card's corners, draw its border, and put it on the paper."""
    strip = _blank(card.height + 28)
    large = Image.new("L", (card.width * 2, card.height * 2), 0)
    edges = (0, 0, card.width * 2 - 1, card.height * 2 - 1)
    ImageDraw.Draw(large).rounded_rectangle(edges, radius=RADIUS * 2, fill=255)
    outer = large.reduce(2)
    inner = Image.new("L", card.size, 0)
    inner.paste(outer.resize((card.width - 2, card.height - 2)), (1, 1))
    strip.paste(LINE, (MARGIN, 0), outer)
    strip.paste(card, (MARGIN, 0), inner)
    return strip


def _set(
    text: str, language: str, direction: Direction, size: int, weight: Literal["Regular", "Bold"], width: int
) -> TextBlock | None:
    """Set a text, or give None when nothing of it is visible."""
    if not is_visible(text):
        return None
    setting = Setting(language, direction, weight, air=1.0 if size > RUNNING else 1.16, wrap="word-char")
    return set_text(text, setting, size=size, width=width)


def _advance(block: TextBlock, size: int) -> int:
    """Go down by the ink, or by one line's usual height where the ink is less."""
    return max(block.offset[1] + block.height, round(size * 1.25))


def _blank(height: int) -> Image.Image:
    return Image.new("RGB", (WIDTH, height), PAPER)


def _png(strip: Image.Image) -> bytes:
    file = io.BytesIO()
    strip.save(file, "PNG", compress_level=1)
    return file.getvalue()
