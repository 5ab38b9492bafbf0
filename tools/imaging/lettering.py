"""Arranges headline, subline and button in the room that a composition leaves for them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final, Literal, NamedTuple

from tools.imaging.box import Box
from tools.imaging.compose import Composition
from tools.imaging.pieces import Piece, lettered
from tools.imaging.templates import Anchor, Part, Template
from tools.imaging.typeface import Typeface
from tools.imaging.typeset import Direction, Setting, TextBlock

LEGIBLE: Final = 11  # pixels below which no words are set
LABEL: Final = 9  # pixels below which no button's label is set
HIERARCHY: Final = 0.62  # the largest subline, in headline sizes
HANGING: Final = 0.45  # share of a gap that stays free below what hangs under the baseline
SIDES: Final = 1.15  # room at either end of a button's label, in label sizes
HEAD: Final = 0.66  # room above and below it, likewise
PLATE: Final = 0.042  # room around the words on a plate, of the root of the canvas's area
PARTED: Final = 0.3  # distance of a button at the end of a line, of the strip's height
BUTTON: Final = 0.42  # the widest button at the end of a line, of the line


@dataclass(frozen=True)
class Words:
    """What is written on a creative."""

    headline: str | None
    call_to_action: str | None
    language: str
    direction: Direction
    subline: str | None = None
    names: tuple[str, ...] = ()
    typeface: Typeface | None = None
    bold: Typeface | None = None

    @property
    def parts(self) -> frozenset[Part]:
        """What there is to write."""
        told: dict[Part, str | None] = {
            "headline": self.headline,
            "subline": self.subline,
            "button": self.call_to_action,
        }
        return frozenset(part for part, text in told.items() if text)

    def without(self, parts: Sequence[Part]) -> "Words":
        """Leave some parts out."""
        return replace(
            self,
            headline=None if "headline" in parts else self.headline,
            subline=None if "subline" in parts else self.subline,
            call_to_action=None if "button" in parts else self.call_to_action,
        )


@dataclass(frozen=True, eq=False)
class Placed:
    """A block of text with the place of its ink, in canvas pixels, and the shape that it stands on, if on one."""

    block: TextBlock
    box: Box
    shape: Box | None = None


@dataclass(frozen=True, eq=False)
class Lettering:
    """All that is written on a canvas; fits is false when something is cut or too small.

    The pill is the button's shape, the plate a card behind all of the words.
    """

    headline: Placed | None = None
    subline: Placed | None = None
    label: Placed | None = None
    pill: Box | None = None
    plate: Box | None = None
    fits: bool = True
    left_out: tuple[Part, ...] = ()

    @property
    def boxes(self) -> tuple[Box, ...]:
        """The places that a background must make readable."""
        words = tuple(placed.box for placed in (self.headline, self.subline) if placed)
        return (*words, self.pill) if self.pill else words

    @property
    def extent(self) -> Box | None:
        """The least box around all of it."""
        boxes = (*self.boxes, self.plate) if self.plate else self.boxes
        return _around(boxes) if boxes else None


class _Body(NamedTuple):
    """The height of something to stack, and where in it capitals begin and the last baseline is."""

    height: float
    top: float
    base: float


@dataclass(frozen=True, eq=False)
class _Button:
    piece: Piece
    width: float
    height: float

    @property
    def body(self) -> _Body:
        return _Body(self.height, 0.0, self.height)


@dataclass(frozen=True, eq=False)
class _Desk:
    """One attempt: the words, how they are laid out, and the room that they have."""

    words: Words
    layout: Template
    room: Box
    unit: float

    def sizes(self, shares: tuple[float, float], least: int) -> tuple[int, int]:
        """The smallest and the largest type size in pixels."""
        smallest = max(least, round(self.unit * shares[0]))
        return smallest, max(smallest, round(self.unit * shares[1]))

    def setting(self, *, bold: bool) -> Setting:
        """How the words are set."""
        weight: Literal["Regular", "Bold"] = "Bold" if bold else "Regular"
        words = self.words
        return Setting(
            words.language,
            words.direction,
            weight,
            align=self.layout.align,
            names=words.names,
            typeface=(words.bold or words.typeface) if bold else words.typeface,
        )


def arrange(words: Words, composition: Composition, canvas: tuple[int, int]) -> Lettering:
    """Set the words in the composition's room, leaving out what its template says where not all of them fit."""
    if composition.text is None or not words.parts:
        return Lettering()
    unit = math.sqrt(canvas[0] * canvas[1])
    tried = Lettering()
    for missing in _attempts(words, composition.template):
        desk = _Desk(words.without(missing), composition.template, composition.text, unit)
        tried = replace(_laid(desk), left_out=missing)
        if tried.fits:
            return tried
    return tried


def _attempts(words: Words, layout: Template) -> list[tuple[Part, ...]]:
    """Leave nothing out first, then what the template says; no two attempts are the same."""
    different: dict[frozenset[Part], tuple[Part, ...]] = {}
    nothing: tuple[Part, ...] = ()
    for parts in (nothing, *layout.drop):
        missing: tuple[Part, ...] = tuple(part for part in parts if part in words.parts)
        different.setdefault(frozenset[Part](missing), missing)
    return list(different.values())


def _laid(desk: _Desk) -> Lettering:
    if not desk.words.parts:
        return Lettering()
    if desk.layout.flow == "line":
        return _in_line(desk)
    if desk.layout.ground != "plate":
        return _stacked(desk)
    pad = PLATE * desk.unit
    inside = _stacked(replace(desk, room=desk.room.grown(-pad, -pad)))
    return replace(inside, plate=_around(inside.boxes).grown(pad, pad).overlap(desk.room).inwards())


def _stacked(desk: _Desk) -> Lettering:
    """Headline, subline and button below one another, on one edge or one axis."""
    room, gaps = desk.room, desk.layout.gaps
    button = _button(desk, room.width, room.height * 0.3)
    headline, subline = _texts(desk, room, button)
    size = next((piece.size for piece in (headline, subline) if piece), LEGIBLE)
    texts = [piece for piece in (headline, subline) if piece]
    bodies = [*map(_body, texts), *([button.body] if button else [])]
    between = [*([gaps[0] * size] * (len(texts) - 1)), *([gaps[1] * size] if button else [])]
    tops, total = _tops(bodies, between)
    start = _anchored(room, desk.layout.anchor, bodies, tops, total)
    edge = texts[0].stem if texts else 0.0
    placed = [_placed(desk, room, piece, start + top, edge) for piece, top in zip(texts, tops, strict=False)]
    pill = _beginning(desk, room, (button.width, button.height), start + tops[-1], edge) if button else None
    fits = total <= room.height + 1 and _fit(desk, headline, subline, button)
    return _lettering(headline, subline, placed, button, pill, fits=fits)


def _in_line(desk: _Desk) -> Lettering:
    """The button at the end of the line, headline and subline before it, all about one middle."""
    room = desk.room
    button = _button(desk, room.width * BUTTON, room.height * 0.72)
    taken = button.width + PARTED * room.height if button else 0.0
    left, right = (taken, 0.0) if desk.words.direction == "rtl" else (0.0, taken)
    before = Box(room.left + left, room.top, max(room.left + left + 1, room.right - right), room.bottom)
    headline, subline = _texts(desk, before, None)
    texts = [piece for piece in (headline, subline) if piece]
    bodies = [_body(piece) for piece in texts]
    tops, total = _tops(bodies, [desk.layout.gaps[0] * piece.size for piece in texts[:1]])
    start = _anchored(before, "middle", bodies, tops, total)
    edge = texts[0].stem if texts else 0.0
    placed = [_placed(desk, before, piece, start + top, edge) for piece, top in zip(texts, tops, strict=True)]
    pill = _ending(desk, button) if button else None
    fits = total <= room.height + 1 and _fit(desk, headline, subline, button)
    return _lettering(headline, subline, placed, button, pill, fits=fits)


def _texts(desk: _Desk, room: Box, button: _Button | None) -> tuple[Piece | None, Piece | None]:
    """Set the headline in what the others leave, twice if its first size leaves smaller gaps than thought."""
    words, layout = desk.words, desk.layout
    subline = _subline(desk, room, desk.sizes(layout.subline, LEGIBLE)) if words.subline else None
    if not words.headline:
        return None, subline
    rest = room.height - (button.height if button else 0.0) - (subline.height if subline else 0.0)
    gaps = (layout.gaps[0] if subline else 0.0) + (layout.gaps[1] if button else 0.0)
    sizes, setting = desk.sizes(layout.headline, LEGIBLE), desk.setting(bold=True)

    def headline(guess: float) -> Piece:
        height = rest - gaps * guess
        return lettered(
            words.headline or "", setting, width=room.width, height=height, sizes=sizes, lines=layout.lines
        )

    piece = headline(sizes[1])
    if gaps and piece.size < sizes[1]:
        larger = headline(piece.size * 1.08)
        if larger.size <= piece.size * 1.08 or not piece.block.fits:
            piece = larger
    most = int(HIERARCHY * piece.size)
    if subline and subline.size > most >= LEGIBLE:
        subline = _subline(desk, room, (min(desk.sizes(layout.subline, LEGIBLE)[0], most), most))
    return piece, subline


def _subline(desk: _Desk, room: Box, sizes: tuple[int, int]) -> Piece:
    text, setting = desk.words.subline or "", desk.setting(bold=False)
    return lettered(text, setting, width=room.width, height=room.height * 0.5, sizes=sizes, lines=2)


def _button(desk: _Desk, widest: float, tallest: float) -> _Button | None:
    if not desk.words.call_to_action:
        return None
    smallest, largest = desk.sizes(desk.layout.button, LABEL)
    largest = max(LABEL, min(largest, int(tallest / (2 * HEAD + 0.75))))
    sizes = (min(smallest, largest), largest)
    setting, width = replace(desk.setting(bold=True), align="start"), widest - 2 * SIDES * largest
    piece = lettered(desk.words.call_to_action, setting, width=width, height=tallest, sizes=sizes, lines=1)
    height = max(piece.base - piece.top + 2 * HEAD * piece.size, piece.height + 0.5 * piece.size)
    return _Button(piece, math.ceil(piece.width + 2 * SIDES * piece.size), math.ceil(height))


def _fit(desk: _Desk, headline: Piece | None, subline: Piece | None, button: _Button | None) -> bool:
    """Whether every piece has its room, and the headline its rank above the subline."""
    pieces = [piece for piece in (headline, subline, button.piece if button else None) if piece]
    within = all(piece.block.fits for piece in pieces) and (not button or button.width <= desk.room.width)
    if headline and subline and subline.size > headline.size * HIERARCHY + 1:
        return False
    return within


def _body(piece: Piece) -> _Body:
    return _Body(piece.height, piece.top, piece.base)


def _tops(bodies: Sequence[_Body], gaps: Sequence[float]) -> tuple[list[float], float]:
    """Stack bodies at their gaps; gives the top of each, from the first one's, and the height of all."""
    tops = [0.0]
    for (upper, lower), gap in zip(pairwise(bodies), gaps, strict=False):
        tops.append(tops[-1] + max(upper.base + gap - lower.top, upper.height + gap * HANGING))
    ends = [top + body.height for top, body in zip(tops, bodies, strict=False)]
    return tops, max(ends, default=0.0)


def _anchored(room: Box, anchor: Anchor, bodies: Sequence[_Body], tops: Sequence[float], total: float) -> float:
    """Where the first top lies: at an end of the room, or so that the bodies' middle is the room's."""
    if anchor == "top" or not bodies:
        return room.top
    if anchor == "bottom":
        return room.bottom - total
    middle = (bodies[0].top + tops[-1] + bodies[-1].base) / 2
    return max(room.top, min(room.bottom - total, room.centre[1] - middle))


def _placed(desk: _Desk, room: Box, piece: Piece, top: float, edge: float) -> Placed:
    return Placed(piece.block, _beginning(desk, room, (piece.width, piece.height), top, edge - piece.stem))


def _beginning(desk: _Desk, room: Box, size: tuple[float, float], top: float, indent: float) -> Box:
    """Put something at the beginning of a line, indented as far as the room allows, or on the axis."""
    width, height = size
    if desk.layout.align == "centre":
        left = room.centre[0] - width / 2
    elif desk.words.direction == "rtl":
        left = room.right - width
    else:
        left = max(room.left, min(room.left + indent, room.right - width))
    return _whole(Box(left, top, left + width, top + height))


def _ending(desk: _Desk, button: _Button) -> Box:
    room = desk.room
    left = room.left if desk.words.direction == "rtl" else room.right - button.width
    top = room.centre[1] - button.height / 2
    return _whole(Box(left, top, left + button.width, top + button.height))


def _lettering(
    headline: Piece | None,
    subline: Piece | None,
    placed: Sequence[Placed],
    button: _Button | None,
    pill: Box | None,
    *,
    fits: bool,
) -> Lettering:
    told = iter(placed)
    first, second = next(told) if headline else None, next(told) if subline else None
    label = _in_pill(button.piece, pill) if button and pill else None
    return Lettering(first, second, label, pill, fits=fits)


def _in_pill(piece: Piece, pill: Box) -> Placed:
    """Centre a label by its body, so that a descender does not lift it."""
    left = pill.centre[0] - piece.width / 2
    top = pill.centre[1] - (piece.top + piece.base) / 2
    return Placed(piece.block, _whole(Box(left, top, left + piece.width, top + piece.height)), pill)


def _around(boxes: Sequence[Box]) -> Box:
    return Box(
        min(box.left for box in boxes),
        min(box.top for box in boxes),
        max(box.right for box in boxes),
        max(box.bottom for box in boxes),
    )


def _whole(box: Box) -> Box:
    """Move to whole pixels without changing the size of the ink."""
    left, top = math.floor(box.left), math.floor(box.top)
    return Box(left, top, left + math.floor(box.width), top + math.floor(box.height))
