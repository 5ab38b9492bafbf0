"""Renders one creative: photo, veil, headline, button; then measures what came out."""

from dataclasses import dataclass, field
from typing import Final, TypedDict

from PIL import Image, ImageChops, ImageDraw

from tools.imaging.box import Box
from tools.imaging.canvas import photograph
from tools.imaging.colour import RGB, accent, contrast, luminance
from tools.imaging.compose import Composition, compose
from tools.imaging.encode import MEDIA_TYPES, Format, encode
from tools.imaging.focus import Focus
from tools.imaging.glyphs import is_visible
from tools.imaging.lettering import Lettering, Placed, Words, arrange
from tools.imaging.source import SourcePicture
from tools.imaging.typeset import Direction
from tools.imaging.veil import Ground, prepare
from tools.imaging.vips import luminance_percentiles

MARGIN: Final = 0.055  # distance of text from the edge where a placement asks for less, of the shorter side


@dataclass(frozen=True)
class SafeZone:
    """The borders that a platform covers, in percent of the height (top, bottom) or width (left, right)."""

    top: float = 0.0
    bottom: float = 0.0
    left: float = 0.0
    right: float = 0.0

    def box(self, width: int, height: int) -> Box:
        """Give the free area in pixels."""
        return Box(
            width * self.left / 100,
            height * self.top / 100,
            width * (1 - self.right / 100),
            height * (1 - self.bottom / 100),
        )


@dataclass(frozen=True, kw_only=True)
class CreativeSpec:
    """What a placement wants, and what is to be seen on it; colours are #rrggbb, the favourite first."""

    width: int
    height: int
    focus: Focus
    max_bytes: int | None = None
    format: Format = "jpeg"
    safe_zone: SafeZone = field(default_factory=SafeZone)
    headline: str | None = None
    call_to_action: str | None = None
    language: str = "en"
    direction: Direction = "ltr"
    colours: tuple[str, ...] = ()


class Checks(TypedDict):
    """What was measured: contrast is the worst ratio behind any text, product_kept the visible share."""

    contrast: float | None
    safe_zone: bool
    text_fit: bool
    bytes: bool
    product_kept: float


@dataclass(frozen=True)
class Creative:
    """A finished picture, and what its pixels and bytes say about it."""

    data: bytes
    media_type: str
    width: int
    height: int
    template: str
    extended: bool
    checks: Checks


def render(source: SourcePicture, spec: CreativeSpec) -> Creative:
    """Render a creative; the same source and spec give the same bytes, from any thread."""
    size, words = (spec.width, spec.height), _words(spec)
    composition = _composition(source, spec, words)
    canvas = photograph(source.image, composition.placing, plain=spec.focus.method in ("alpha", "border"))
    lettering = arrange(words, composition, size)
    ground = prepare(canvas, lettering.boxes, composition.fade, spec.colours)
    written = _written(ground, lettering, spec.colours)
    data = encode(written.image, spec.format, spec.max_bytes)
    checks: Checks = {
        "contrast": _worst(ground.contrast, written.label_contrast),
        "safe_zone": _is_inside(written.changed, spec.safe_zone.box(*size)),
        "text_fit": lettering.fits,
        "bytes": spec.max_bytes is None or len(data) <= spec.max_bytes,
        "product_kept": round(composition.placing.product_kept, 4),
    }
    extended = composition.placing.mode == "extend"
    return Creative(data, MEDIA_TYPES[spec.format], *size, composition.template, extended, checks)


def _words(spec: CreativeSpec) -> Words:
    headline, call = (text if text and is_visible(text) else None for text in (spec.headline, spec.call_to_action))
    return Words(headline, call, spec.language, spec.direction)


def _composition(source: SourcePicture, spec: CreativeSpec, words: Words) -> Composition:
    size = (spec.width, spec.height)
    margin = max(4.0, MARGIN * min(size))
    inner = Box(0, 0, *size).grown(-margin * (2 if spec.width > spec.height * 3 else 1), -margin)
    safe = inner.overlap(spec.safe_zone.box(*size)).inwards()
    return compose(source.image.size, spec.focus, size, safe, rtl=spec.direction == "rtl", has_text=words.any)


@dataclass(frozen=True, eq=False)
class _Written:
    image: Image.Image
    changed: tuple[int, int, int, int] | None
    label_contrast: float | None


def _written(ground: Ground, lettering: Lettering, colours: tuple[str, ...]) -> _Written:
    """Draw headline and button, and find the box of all pixels that this changed."""
    image, label_contrast = ground.image.copy(), None
    if lettering.headline:
        _draw(image, lettering.headline, ground.tone.ink)
    if lettering.label and lettering.pill:
        behind = luminance_percentiles(ground.image.crop(lettering.pill.pixels()), 50, 50)[0]
        fill, ink = accent(colours, behind, ground.tone)
        _draw_pill(image, lettering.pill, fill)
        _draw(image, lettering.label, ink)
        label_contrast = contrast(luminance(fill), luminance(ink))
    return _Written(image, ImageChops.difference(ground.image, image).getbbox(), label_contrast)


def _draw(image: Image.Image, placed: Placed, colour: RGB) -> None:
    image.paste(colour, (round(placed.box.left), round(placed.box.top)), placed.block.mask)


def _draw_pill(image: Image.Image, pill: Box, fill: RGB) -> None:
    """Draw a rounded rectangle four times too large and reduce it, for smooth ends."""
    width, height = round(pill.width), round(pill.height)
    large = Image.new("L", (width * 4, height * 4), 0)
    ImageDraw.Draw(large).rounded_rectangle((0, 0, width * 4 - 1, height * 4 - 1), radius=height * 2, fill=255)
    image.paste(fill, (round(pill.left), round(pill.top)), large.reduce(4))


def _is_inside(changed: tuple[int, int, int, int] | None, safe: Box) -> bool:
    if changed is None:
        return True
    return Box(*changed).overlap(safe) == Box(*changed)


def _worst(*ratios: float | None) -> float | None:
    known = [ratio for ratio in ratios if ratio is not None]
    return round(min(known), 2) if known else None
