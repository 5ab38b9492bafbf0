"""Decides where the photo and the words lie on a canvas: pure geometry, no pixels."""

import math
from dataclasses import dataclass
from typing import Final, Literal

from tools.imaging.box import Box
from tools.imaging.fading import Side
from tools.imaging.focus import Focus
from tools.imaging.templates import Template, template, templates_for

KEEP: Final = 0.95  # share of the product that a crop must leave visible
SPARE: Final = 0.005  # more than that, so that rounding to pixels takes nothing of it
CLEAR: Final = 0.02  # share of the product that text may cover before another place is sought
BREATH: Final = 0.04  # room around the product on its stage, as a share of the stage
RIM: Final = 0.03  # distance of the product from the canvas's edge, of the shorter side
INSET: Final = 0.06  # distance between words and the photo beside their panel, of the root of the canvas's area
NARROWEST: Final = 7  # pixels of that distance at least
CUT: Final = 0.01  # a product this near to the photo's edge is cut by it

# What a choice costs, in shares of a product that would be lost.
DRAWN_OUT: Final = 0.05  # continuing a plain background
PATCHED: Final = 0.45  # filling up beside a busy picture
SEVERED: Final = 0.6  # showing where the photo's edge cuts the product
ENLARGED: Final = 0.06  # each doubling of the photo's pixels


@dataclass(frozen=True)
class Placing:
    """A photo on a canvas: where all of it would lie, in canvas pixels, and what of the product stays."""

    canvas: Box
    photo: Box
    product: Box
    mode: Literal["crop", "extend"]
    product_kept: float

    @property
    def visible(self) -> Box:
        """The part of the canvas that the photo covers."""
        return self.photo.overlap(self.canvas)

    @property
    def bare(self) -> tuple[Side, ...]:
        """The sides of the canvas that the photo does not reach."""
        seen, whole = self.visible, self.canvas
        gaps: dict[Side, float] = {
            "up": seen.top - whole.top,
            "down": whole.bottom - seen.bottom,
            "left": seen.left - whole.left,
            "right": whole.right - seen.right,
        }
        return tuple(side for side, gap in gaps.items() if round(gap) > 0)

    def window(self, width: int, height: int) -> Box:
        """Give the visible part in pixels of the photo, whose size is passed."""
        across, down = width / self.photo.width, height / self.photo.height
        seen = self.visible.moved(-self.photo.left, -self.photo.top)
        return seen.scaled(across, down).overlap(Box(0, 0, width, height))


@dataclass(frozen=True)
class Composition:
    """A template on a canvas: the photo's frame, the panel beside it if there is one, and the room for words.

    The placing counts from the frame's corner; every other box is in canvas pixels.
    """

    template: Template
    fade: Side
    canvas: Box
    frame: Box
    panel: Box | None
    text: Box | None
    placing: Placing

    @property
    def product(self) -> Box:
        """Where the product lies, as far as it is seen."""
        seen = self.placing.product.overlap(self.placing.canvas)
        return seen.moved(self.frame.left, self.frame.top)


def place(size: tuple[int, int], focus: Focus, canvas: tuple[int, int], stage: Box | None = None) -> Placing:
    """Crop to the canvas around the product, or extend where no crop keeps at least 95 % of it.

    The stage, in canvas pixels, is where the product would best stand; the whole canvas unless given. A crop that
    cuts into the product at all gives way where plain background can be drawn out unseen.
    """
    bounds = Box(0, 0, *canvas)
    cover = max(canvas[0] / size[0], canvas[1] / size[1])
    cropped = _covering(size, focus, bounds, stage or bounds, cover)
    if cropped.product_kept >= 1:
        return cropped
    staged = _staged(size, focus, bounds, stage or bounds, cover)
    unseen = all(_filling(side, focus) <= DRAWN_OUT for side in staged.bare)
    return cropped if cropped.product_kept >= KEEP + SPARE and not unseen else staged


def compose(
    size: tuple[int, int],
    focus: Focus,
    canvas: tuple[int, int],
    safe: Box,
    *,
    rtl: bool,
    has_text: bool,
    forced: str | None = None,
    off_photo: bool = False,
) -> Composition:
    """Choose a template whose words leave the product alone, and the placing that goes with it.

    Off the photo are words on a panel or a plate. A forced template is taken as it is; raises UnknownTemplate.
    """
    if not has_text:
        return _unlettered(size, focus, canvas)
    choice = (template(forced),) if forced else templates_for(*canvas, off_photo=off_photo)
    options = [_composed(one, size, focus, canvas, safe, rtl=rtl) for one in choice]
    return min(options, key=lambda option: _cost(option, size, focus))  # the first of equals


def fitted(
    composition: Composition, extent: Box | None, size: tuple[int, int], focus: Focus, safe: Box
) -> Composition:
    """Give the photo the room that the words, now that they are set, leave of theirs."""
    if composition.text is None or extent is None or composition.template.product == "all":
        return composition
    text = _shrunk(composition.text, extent, composition.fade)
    fade, whole = composition.fade, composition.canvas
    return _around_text(composition.template, text, whole, fade, size, focus, safe)


def _unlettered(size: tuple[int, int], focus: Focus, canvas: tuple[int, int]) -> Composition:
    whole = Box(0, 0, *canvas)
    return Composition(template("whole"), "up", whole, whole, None, None, place(size, focus, canvas))


def _cost(option: Composition, size: tuple[int, int], focus: Focus) -> float:
    """Weigh what the words cover, what the crop loses, what is filled up, and how far the photo is enlarged."""
    covered = option.product.share_inside(option.text) if option.text else 0.0
    lost = 2 * (1 - option.placing.product_kept)
    filled = max((_filling(side, focus) for side in option.placing.bare), default=0.0)
    enlarged = ENLARGED * max(0.0, math.log2(option.placing.photo.width / size[0]))
    return option.template.cost + covered + lost + filled + enlarged


def _filling(side: Side, focus: Focus) -> float:
    box = focus.box
    margin = {"up": box.top, "down": 1 - box.bottom, "left": box.left, "right": 1 - box.right}[side]
    if margin < CUT and focus.method != "alpha":
        return SEVERED
    return DRAWN_OUT if side in focus.plain else PATCHED


def _composed(
    layout: Template, size: tuple[int, int], focus: Focus, canvas: tuple[int, int], safe: Box, *, rtl: bool
) -> Composition:
    text = (layout.room.mirrored(1.0) if rtl else layout.room).within(safe)
    return _around_text(layout, text, Box(0, 0, *canvas), _fade(layout, rtl=rtl), size, focus, safe)


def _around_text(
    layout: Template, text: Box, whole: Box, fade: Side, size: tuple[int, int], focus: Focus, safe: Box
) -> Composition:
    """Put the photo beside the words' room: into a frame, or so that the product stands clear of them."""
    if layout.ground == "panel":
        frame, panel = _split(whole, text, fade)
        placing = _framed(size, focus, frame)
        narrow = _narrowed(placing, frame, fade, focus)
        if narrow:
            frame, panel = narrow, _beside(narrow, whole, fade)
            placing = _framed(size, focus, frame)
        return Composition(layout, fade, whole, frame, panel, text, placing)
    canvas = (round(whole.width), round(whole.height))
    stage = _stage(text, fade, whole, safe) if layout.product != "all" else _free(whole, safe)
    placing = place(size, focus, canvas, stage)
    certain = focus.method != "attention"
    if certain and layout.product != "all" and _is_near(placing.product, text, whole):
        placing = _staged(size, focus, whole, stage, max(canvas[0] / size[0], canvas[1] / size[1]))
    return Composition(layout, fade, whole, whole, None, text, placing)


def _framed(size: tuple[int, int], focus: Focus, frame: Box) -> Placing:
    span = (round(frame.width), round(frame.height))
    rim = RIM * min(span)
    return place(size, focus, span, Box(0, 0, *span).grown(-rim, -rim))


def _narrowed(placing: Placing, frame: Box, fade: Side, focus: Focus) -> Box | None:
    """Make a frame beside words no wider than a photo whose sides would be patched; None where none is."""
    patched = any(side in ("left", "right") and _filling(side, focus) > DRAWN_OUT for side in placing.bare)
    if fade not in ("left", "right") or not patched:
        return None
    width = math.floor(placing.visible.width)
    if fade == "right":
        return Box(frame.right - width, frame.top, frame.right, frame.bottom)
    return Box(frame.left, frame.top, frame.left + width, frame.bottom)


def _beside(frame: Box, whole: Box, fade: Side) -> Box:
    if fade == "right":
        return Box(0, 0, frame.left, whole.bottom)
    return Box(frame.right, 0, whole.right, whole.bottom)


def _is_near(product: Box, text: Box, whole: Box) -> bool:
    """Whether words would touch the product, or nearly."""
    gap = RIM * min(whole.width, whole.height)
    return product.overlap(text.grown(gap, gap)).area > 0


def _shrunk(room: Box, extent: Box, towards: Side) -> Box:
    """Take back the side of a room that faces the product."""
    match towards:
        case "up":
            return Box(room.left, max(room.top, extent.top), room.right, room.bottom)
        case "down":
            return Box(room.left, room.top, room.right, min(room.bottom, extent.bottom))
        case "right":
            return Box(room.left, room.top, min(room.right, extent.right), room.bottom)
        case "left":
            return Box(max(room.left, extent.left), room.top, room.right, room.bottom)


def _fade(layout: Template, *, rtl: bool) -> Side:
    """Turn towards the product."""
    match layout.product:
        case "end":
            return "left" if rtl else "right"
        case "start":
            return "right" if rtl else "left"
        case "down":
            return "down"
        case _:
            return "up"


def _split(whole: Box, text: Box, towards: Side) -> tuple[Box, Box]:
    """Part the canvas at a distance from the words: the photo's frame, and the panel that they stand on."""
    gap = max(NARROWEST, INSET * math.sqrt(whole.area))
    match towards:
        case "up":
            edge = round(text.top - gap)
            return Box(0, 0, whole.right, edge), Box(0, edge, whole.right, whole.bottom)
        case "down":
            edge = round(text.bottom + gap)
            return Box(0, edge, whole.right, whole.bottom), Box(0, 0, whole.right, edge)
        case "left":
            edge = round(text.left - gap)
            return Box(0, 0, edge, whole.bottom), Box(edge, 0, whole.right, whole.bottom)
        case "right":
            edge = round(text.right + gap)
            return Box(edge, 0, whole.right, whole.bottom), Box(0, 0, edge, whole.bottom)


def _free(whole: Box, safe: Box) -> Box:
    """Give the canvas with a margin, and half of any unsafe border kept free."""
    rim = RIM * min(whole.width, whole.height)
    return Box(
        max(rim, safe.left / 2),
        max(rim, safe.top / 2),
        whole.right - max(rim, (whole.right - safe.right) / 2),
        whole.bottom - max(rim, (whole.bottom - safe.bottom) / 2),
    )


def _stage(text: Box, towards: Side, whole: Box, safe: Box) -> Box:
    """Give what the words leave free of the canvas."""
    free, gap = _free(whole, safe), 2 * RIM * min(whole.width, whole.height)
    match towards:
        case "up":
            return Box(free.left, free.top, free.right, text.top - gap / 2)
        case "down":
            return Box(free.left, text.bottom + gap / 2, free.right, free.bottom)
        case "right":
            return Box(text.right + gap, free.top, free.right, free.bottom)
        case "left":
            return Box(free.left, free.top, text.left - gap, free.bottom)


def _covering(size: tuple[int, int], focus: Focus, bounds: Box, stage: Box, scale: float) -> Placing:
    """Fill the canvas, the product as near to the middle of its stage as the photo's edges allow."""
    photo = _centred(size, focus, stage, scale)
    left = min(0.0, max(photo.left, bounds.right - photo.width))
    top = min(0.0, max(photo.top, bounds.bottom - photo.height))
    return _placing(photo.moved(left - photo.left, top - photo.top), focus, bounds, "crop")


def _staged(size: tuple[int, int], focus: Focus, bounds: Box, stage: Box, cover: float) -> Placing:
    """Put all of the product on its stage, at most as large as in a crop; what stays bare is extended."""
    product = focus.box.scaled(*size)
    room = stage.grown(-stage.width * BREATH, -stage.height * BREATH)
    scale = min(cover, room.width / product.width, room.height / product.height)
    photo = _grounded(_centred(size, focus, stage, scale), focus, bounds, stage)
    pulled = photo.moved(
        _pull(photo.left, photo.right, bounds.right), _pull(photo.top, photo.bottom, bounds.bottom)
    )
    if not _on_stage(focus, pulled, stage):
        pulled = photo
    return _placing(pulled, focus, bounds, "crop" if _covers(pulled, bounds) else "extend")


def _grounded(photo: Box, focus: Focus, bounds: Box, stage: Box) -> Box:
    """Let a photo whose edge cuts the product end with the canvas on that side, where the stage is that near."""
    box, near = focus.box, 2 * RIM * max(bounds.width, bounds.height)
    above, below, before, behind = box.top < CUT, box.bottom > 1 - CUT, box.left < CUT, box.right > 1 - CUT
    across = down = 0.0
    if below and not above and bounds.bottom - stage.bottom <= near:
        down = bounds.bottom - photo.bottom
    elif above and not below and stage.top <= near:
        down = -photo.top
    if behind and not before and bounds.right - stage.right <= near:
        across = bounds.right - photo.right
    elif before and not behind and stage.left <= near:
        across = -photo.left
    return photo.moved(across, down)


def _pull(low: float, high: float, limit: float) -> float:
    """Shift a span that could cover 0 to limit so that it does, and no other."""
    if high - low < limit:
        return 0.0
    return min(0.0, -low) if low > 0 else max(0.0, limit - high)


def _on_stage(focus: Focus, photo: Box, stage: Box) -> bool:
    return focus.box.within(photo).share_inside(stage) >= 1 - CLEAR


def _covers(photo: Box, bounds: Box) -> bool:
    return photo.left <= 0 and photo.top <= 0 and photo.right >= bounds.right and photo.bottom >= bounds.bottom


def _centred(size: tuple[int, int], focus: Focus, stage: Box, scale: float) -> Box:
    product = focus.box.scaled(size[0] * scale, size[1] * scale)
    x, y = stage.centre
    return Box(0, 0, size[0] * scale, size[1] * scale).moved(x - product.centre[0], y - product.centre[1])


def _placing(photo: Box, focus: Focus, bounds: Box, mode: Literal["crop", "extend"]) -> Placing:
    product = focus.box.within(photo)
    return Placing(bounds, photo, product, mode, product.share_inside(bounds))
