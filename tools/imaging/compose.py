"""Decides where the photo lies on a canvas: pure geometry, no pixels."""

from dataclasses import dataclass
from typing import Final, Literal

from tools.imaging.box import Box
from tools.imaging.fading import Side
from tools.imaging.focus import Focus

KEEP: Final = 0.95  # share of the product that a crop must leave visible
CLEAR: Final = 0.02  # share of the product that text may cover before another place is sought
EXTENDING: Final = 0.05  # what an extended background costs against a crop, as a share of the product
BREATH: Final = 0.04  # room around the product on its stage, as a share of the stage

TemplateName = Literal["whole", "lower", "upper", "side", "side_end", "strip"]


@dataclass(frozen=True)
class Template:
    """Where text goes, as shares of the safe area for left-to-right scripts, and how it stands there."""

    name: TemplateName
    text: Box
    anchor: Literal["top", "middle", "bottom"]
    fade: Literal["up", "down", "end", "start"]  # the side towards which the scrim disappears


LOWER: Final = Template("lower", Box(0.0, 0.68, 1.0, 1.0), "bottom", "up")
UPPER: Final = Template("upper", Box(0.0, 0.0, 1.0, 0.32), "top", "down")
SIDE: Final = Template("side", Box(0.0, 0.06, 0.46, 0.94), "middle", "end")
SIDE_END: Final = Template("side_end", Box(0.54, 0.06, 1.0, 0.94), "middle", "start")
STRIP: Final = Template("strip", Box(0.20, 0.0, 1.0, 1.0), "middle", "start")

WIDE: Final = 1.45  # width to height from which text stands beside the product
LONG: Final = 3.0  # width to height from which text and button share one line


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

    def window(self, width: int, height: int) -> Box:
        """Give the visible part in pixels of the photo, whose size is passed."""
        across, down = width / self.photo.width, height / self.photo.height
        seen = self.visible.moved(-self.photo.left, -self.photo.top)
        return seen.scaled(across, down).overlap(Box(0, 0, width, height))


@dataclass(frozen=True)
class Composition:
    """A placing and the room for text that goes with it."""

    template: TemplateName
    fade: Side
    anchor: Literal["top", "middle", "bottom"]
    text: Box | None
    placing: Placing


def templates_for(aspect: float) -> tuple[Template, ...]:
    """List the templates that suit a canvas of this width to height, the first choice first."""
    if aspect >= LONG:
        return (STRIP,)
    return (SIDE, SIDE_END) if aspect >= WIDE else (LOWER, UPPER)


def place(size: tuple[int, int], focus: Focus, canvas: tuple[int, int], stage: Box | None = None) -> Placing:
    """Crop to the canvas around the product, or extend where no crop keeps at least 95 % of it.

    The stage, in canvas pixels, is where the product would best stand; the whole canvas unless given.
    """
    bounds = Box(0, 0, *canvas)
    cover = max(canvas[0] / size[0], canvas[1] / size[1])
    cropped = _covering(size, focus, bounds, stage or bounds, cover)
    if cropped.product_kept >= KEEP:
        return cropped
    return _staged(size, focus, bounds, stage or bounds, cover)


def compose(
    size: tuple[int, int], focus: Focus, canvas: tuple[int, int], safe: Box, *, rtl: bool, has_text: bool
) -> Composition:
    """Choose a template whose text leaves the product alone, and the placing that goes with it."""
    if not has_text:
        return Composition("whole", "up", "middle", None, place(size, focus, canvas))
    options = [_composed(t, size, focus, canvas, safe, rtl=rtl) for t in templates_for(canvas[0] / canvas[1])]
    return min(options, key=_cost)  # the first of equals


def _cost(option: Composition) -> float:
    """Weigh what the text covers, what the crop loses, and a little for extending."""
    covered = option.placing.product.share_inside(option.text) if option.text else 0.0
    extended = EXTENDING if option.placing.mode == "extend" else 0.0
    return covered + (1 - option.placing.product_kept) * 2 + extended


def _composed(
    template: Template, size: tuple[int, int], focus: Focus, canvas: tuple[int, int], safe: Box, *, rtl: bool
) -> Composition:
    shares = template.text.mirrored(1.0) if rtl else template.text
    text = shares.within(safe)
    stage = _stage(template, text, canvas, safe, rtl=rtl)
    placing = place(size, focus, canvas, stage)
    certain = focus.method != "attention"
    if certain and placing.product.share_inside(text) > CLEAR:
        bounds = Box(0, 0, *canvas)
        placing = _staged(size, focus, bounds, stage, max(canvas[0] / size[0], canvas[1] / size[1]))
    return Composition(template.name, _fade(template, rtl=rtl), template.anchor, text, placing)


def _fade(template: Template, *, rtl: bool) -> Side:
    match template.fade:
        case "end":
            return "left" if rtl else "right"
        case "start":
            return "right" if rtl else "left"
        case other:
            return other


def _stage(template: Template, text: Box, canvas: tuple[int, int], safe: Box, *, rtl: bool) -> Box:
    """Give what the text leaves of the canvas, with a margin and half of any unsafe border kept free."""
    width, height = canvas
    rim = 0.03 * min(canvas)
    free = Box(
        max(rim, safe.left / 2),
        max(rim, safe.top / 2),
        width - max(rim, (width - safe.right) / 2),
        height - max(rim, (height - safe.bottom) / 2),
    )
    match template.name:
        case "lower":
            return Box(free.left, free.top, free.right, text.top)
        case "upper":
            return Box(free.left, text.bottom, free.right, free.bottom)
        case "side" | "side_end" | "strip":
            after = (template.name == "side") != rtl
            left, right = (text.right + 2 * rim, free.right) if after else (free.left, text.left - 2 * rim)
            return Box(left, free.top, right, free.bottom)
        case "whole":
            return free


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
    photo = _centred(size, focus, stage, scale)
    pulled = photo.moved(
        _pull(photo.left, photo.right, bounds.right), _pull(photo.top, photo.bottom, bounds.bottom)
    )
    if not _on_stage(focus, pulled, stage):
        pulled = photo
    return _placing(pulled, focus, bounds, "crop" if _covers(pulled, bounds) else "extend")


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
