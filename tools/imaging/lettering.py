"""Arranges a headline and a button in the room that a composition leaves for them."""

import math
from dataclasses import dataclass
from typing import Final

from tools.imaging.box import Box
from tools.imaging.compose import Composition
from tools.imaging.glyphs import missing_glyphs
from tools.imaging.typeset import Direction, Setting, TextBlock, fit

LABEL: Final = 0.030  # a button's type size, as a share of the root of the canvas's area
HEADLINE: Final = 0.092  # the largest headline, likewise
SMALLEST: Final = 0.021  # the smallest headline, likewise
LEGIBLE: Final = 11  # pixels below which no headline is set


@dataclass(frozen=True)
class Words:
    """What is written on a creative."""

    headline: str | None
    call_to_action: str | None
    language: str
    direction: Direction

    @property
    def any(self) -> bool:
        """Whether there is anything to write."""
        return bool(self.headline or self.call_to_action)


@dataclass(frozen=True, eq=False)
class Placed:
    """A block of text with the place of its ink, in canvas pixels."""

    block: TextBlock
    box: Box


@dataclass(frozen=True, eq=False)
class Lettering:
    """All that is written on a canvas; fits is false when something is cut, too small or has no glyph."""

    headline: Placed | None
    label: Placed | None
    pill: Box | None
    fits: bool

    @property
    def boxes(self) -> tuple[Box, ...]:
        """The places that a background must make readable."""
        return tuple(box for box in (self.headline.box if self.headline else None, self.pill) if box)


@dataclass(frozen=True, eq=False)
class _Button:
    block: TextBlock
    width: float
    height: float


def arrange(words: Words, composition: Composition, canvas: tuple[int, int]) -> Lettering:
    """Fit the words into the composition's text box, the button under the headline or after it."""
    room = composition.text
    if room is None or not words.any:
        return Lettering(None, None, None, fits=True)
    unit = math.sqrt(canvas[0] * canvas[1])
    in_line = composition.template == "strip"
    button = _button(words, room, unit, in_line=in_line)
    headline = _headline(words, _beside(room, button) if in_line else _above(room, button), unit)
    drawn = _in_line if in_line else _stacked
    placed, label, pill = drawn(words, room, composition.anchor, headline, button)
    return Lettering(placed, label, pill, fits=_all_fit(words, headline, button))


def _all_fit(words: Words, headline: TextBlock | None, button: _Button | None) -> bool:
    text = f"{words.headline or ''}{words.call_to_action or ''}"
    blocks = (headline, button.block if button else None)
    return all(block.fits for block in blocks if block) and not missing_glyphs(text)


def _button(words: Words, room: Box, unit: float, *, in_line: bool) -> _Button | None:
    if not words.call_to_action:
        return None
    largest = max(9, round(min(unit * LABEL, room.height * (0.26 if in_line else 0.16))))
    setting = Setting(words.language, words.direction, "Bold")
    width = round(room.width * (0.45 if in_line else 1.0) - largest * 2.2)
    block = fit(
        words.call_to_action, setting, width=max(width, 1), height=largest * 2, largest=largest, smallest=8
    )
    return _Button(block, block.width + block.size * 2.2, max(block.size * 2.3, block.height + block.size))


def _headline(words: Words, room: Box, unit: float) -> TextBlock | None:
    if not words.headline:
        return None
    largest = max(LEGIBLE, round(min(unit * HEADLINE, room.height * 0.62)))
    smallest = min(largest, max(LEGIBLE, round(unit * SMALLEST)))
    setting = Setting(words.language, words.direction, "Bold")
    width, height = max(1, int(room.width)), max(1, int(room.height))
    return fit(words.headline, setting, width=width, height=height, largest=largest, smallest=smallest)


def _above(room: Box, button: _Button | None) -> Box:
    return room if button is None else Box(room.left, room.top, room.right, room.bottom - button.height * 1.45)


def _beside(room: Box, button: _Button | None) -> Box:
    return (
        room
        if button is None
        else Box(room.left, room.top, room.right - button.width - room.height * 0.3, room.bottom)
    )


def _stacked(
    words: Words, room: Box, anchor: str, headline: TextBlock | None, button: _Button | None
) -> tuple[Placed | None, Placed | None, Box | None]:
    gap = button.height * 0.45 if headline and button else 0.0
    total = (headline.height if headline else 0) + gap + (button.height if button else 0)
    slack = {"top": 0.0, "middle": 0.5, "bottom": 1.0}[anchor] * max(0.0, room.height - total)
    top = room.top + slack
    placed = None
    if headline:
        placed = Placed(headline, _at_start(words, room, headline.width, headline.height, top))
        top = placed.box.bottom + gap
    if button is None:
        return placed, None, None
    pill = _at_start(words, room, button.width, button.height, top)
    return placed, _centred(button.block, pill), pill


def _in_line(
    words: Words, room: Box, _anchor: str, headline: TextBlock | None, button: _Button | None
) -> tuple[Placed | None, Placed | None, Box | None]:
    placed = None
    if headline:
        top = room.centre[1] - headline.height / 2
        placed = Placed(headline, _at_start(words, room, headline.width, headline.height, top))
    if button is None:
        return placed, None, None
    left = room.left if words.direction == "rtl" else room.right - button.width
    top = room.centre[1] - button.height / 2
    pill = _whole(Box(left, top, left + button.width, top + button.height))
    return placed, _centred(button.block, pill), pill


def _at_start(words: Words, room: Box, width: float, height: float, top: float) -> Box:
    left = room.right - width if words.direction == "rtl" else room.left
    return _whole(Box(left, top, left + width, top + height))


def _centred(block: TextBlock, pill: Box) -> Placed:
    left, top = pill.centre[0] - block.width / 2, pill.centre[1] - block.height / 2
    return Placed(block, _whole(Box(left, top, left + block.width, top + block.height)))


def _whole(box: Box) -> Box:
    """Move to whole pixels without changing the size of the ink."""
    left, top = math.floor(box.left), math.floor(box.top)
    return Box(left, top, left + math.floor(box.width), top + math.floor(box.height))
