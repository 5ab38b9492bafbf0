"""Renders one creative: photo, ground, words, button, logo; then measures what came out."""

import math
from dataclasses import dataclass, field, replace
from typing import Final

from PIL import Image, ImageDraw

from tools.imaging.box import Box
from tools.imaging.brand import Brand
from tools.imaging.checks import READABLE, Checks, Proof, measure, remarks
from tools.imaging.colour import RGB, accent, fields
from tools.imaging.compose import KEEP, Composition, compose, fitted
from tools.imaging.deeds import deeds
from tools.imaging.encode import Encoded, Format, encoded
from tools.imaging.extend import Extend, fill
from tools.imaging.focus import Focus
from tools.imaging.glyphs import is_visible, missing_glyphs
from tools.imaging.lettering import Lettering, Placed, Words, arrange
from tools.imaging.light import luminance_percentiles
from tools.imaging.logo import Mark, mark
from tools.imaging.provenance import Operation
from tools.imaging.seal import Seal
from tools.imaging.sketch import unrest
from tools.imaging.source import SourcePicture
from tools.imaging.typeset import Direction
from tools.imaging.veil import Ground, on_field, prepare

MARGIN: Final = 0.055  # distance of text from the edge where a placement asks for less, of the shorter side
SLIM: Final = 3.0  # width to height from which text keeps twice that distance from the ends
HEAVY: Final = 0.5  # opacity of a veil that would hide the photo: a panel or a plate hides less of it
GUESSED: Final = 0.2  # likewise where the product's extent is a guess, and a veil might lie on some of it
RESTLESS: Final = 34.0  # variation of lightness behind words from which on nobody likes to read them
BRIGHT: Final = 0.3  # luminance of a photo that a light field goes with
PALE: Final = 0.45  # luminance of a cut-out that would be lost on a light ground
ROUND: Final = 0.028  # a plate's corners, of the root of the canvas's area


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
    """What a placement wants, and what is to be seen on it; colours are #rrggbb, the favourite first.

    Names, of a product or a brand, stay on one line. Canvas and focus choose the template unless one is named.
    """

    width: int
    height: int
    focus: Focus
    max_bytes: int | None = None
    formats: tuple[Format, ...] = ("jpeg",)  # the favourite first
    safe_zone: SafeZone = field(default_factory=SafeZone)
    headline: str | None = None
    subline: str | None = None
    call_to_action: str | None = None
    language: str = "en"
    direction: Direction = "ltr"
    names: tuple[str, ...] = ()
    colours: tuple[str, ...] = ()
    logo: SourcePicture | None = None
    brand: Brand | None = None
    template: str | None = None


@dataclass(frozen=True)
class Creative:
    """A finished picture, what its pixels and bytes say about it, and why a person must look, if so.

    The operations are what was done to the photo, as the picture's own metadata tell it.
    """

    data: bytes
    media_type: str
    width: int
    height: int
    template: str
    extended: bool
    checks: Checks
    remarks: tuple[str, ...] = ()
    operations: tuple[Operation, ...] = ()


def render(source: SourcePicture, spec: CreativeSpec, seal: Seal | None = None) -> Creative:
    """Render a creative; the same source and spec give the same bytes, from any thread, unless they are signed.

    With a seal it carries its provenance, inside its byte budget. Raises UnknownTemplate where the spec names
    none of ours, SigningFailed.
    """
    words, free = _words(spec), spec.template is None
    plan = _planned(source, spec, words)
    if free and _is_restless(source, spec, plan):
        plan = _planned(source, spec, words, off_photo=True)
    page = _painted(source, spec, plan)
    if free and page.ground.veil > (GUESSED if spec.focus.method == "attention" else HEAVY):
        page = _painted(source, spec, _planned(source, spec, words, off_photo=True))
    made = _finished(source, spec, words, page, seal)
    if free and page.composition.template.ground == "photo" and _is_marred(made.checks):
        beside = _painted(source, spec, _planned(source, spec, words, off_photo=True))
        again = _finished(source, spec, words, beside, seal)
        return made if _is_marred(again.checks) else again
    return made


def _is_marred(checks: Checks) -> bool:
    """Whether words cannot be read, or stand on what is sold, or their veil does."""
    ratio = checks["contrast"]
    if ratio is None:
        return False
    return ratio < READABLE or checks["product_kept"] < KEEP or checks["product_clear"] is False


@dataclass(frozen=True, eq=False)
class _Plan:
    """Where everything goes; nothing but the words is drawn yet."""

    composition: Composition
    lettering: Lettering


@dataclass(frozen=True, eq=False)
class _Page:
    """A canvas ready to be written on, and what will be written where."""

    composition: Composition
    lettering: Lettering
    ground: Ground
    field: RGB
    logo: Mark | None


def _words(spec: CreativeSpec) -> Words:
    headline, subline, call = (
        text if text and is_visible(text) else None for text in (spec.headline, spec.subline, spec.call_to_action)
    )
    typeface, bold = (spec.brand.typeface, spec.brand.bold) if spec.brand else (None, None)
    return Words(headline, call, spec.language, spec.direction, subline, spec.names, typeface, bold)


def _planned(source: SourcePicture, spec: CreativeSpec, words: Words, *, off_photo: bool = False) -> _Plan:
    size, safe, rtl = (spec.width, spec.height), _safe(spec), spec.direction == "rtl"
    composition = compose(
        source.image.size,
        spec.focus,
        size,
        safe,
        rtl=rtl,
        has_text=bool(words.parts),
        forced=spec.template,
        off_photo=off_photo,
    )
    lettering = arrange(words, composition, size)
    return _Plan(fitted(composition, lettering.extent, source.image.size, spec.focus, safe), lettering)


def _is_restless(source: SourcePicture, spec: CreativeSpec, plan: _Plan) -> bool:
    """Whether words would stand on a part of the photo that is too lively to be read on."""
    if plan.composition.template.ground != "photo" or not plan.lettering.boxes:
        return False
    colour, placing = _behind(source, spec), plan.composition.placing
    lively = unrest(source, placing, plan.lettering.boxes, plain=spec.focus.plain, how=_how(spec), colour=colour)
    return lively > RESTLESS


def _painted(source: SourcePicture, spec: CreativeSpec, plan: _Plan) -> _Page:
    composition, lettering = plan.composition, plan.lettering
    photo = fill(
        source,
        composition.placing,
        plain=spec.focus.plain,
        how=_how(spec),
        colour=_behind(source, spec),
    )
    plain_field = _field(photo, spec)
    canvas = _framed(photo, composition, plain_field)
    if composition.template.ground == "photo":
        ground = prepare(
            canvas, lettering.boxes, composition.fade, spec.colours, spec.brand, clear_of=composition.product
        )
    else:
        ground = on_field(canvas, plain_field, spec.colours, spec.brand)
    logo = _logo(spec, composition, lettering, ground, _safe(spec))
    return _Page(composition, lettering, ground, plain_field, logo)


def _safe(spec: CreativeSpec) -> Box:
    size = (spec.width, spec.height)
    margin = max(4.0, MARGIN * min(size))
    inner = Box(0, 0, *size).grown(-margin * (2 if spec.width > spec.height * SLIM else 1), -margin)
    return inner.overlap(spec.safe_zone.box(*size)).inwards()


def _framed(photo: Image.Image, composition: Composition, colour: RGB) -> Image.Image:
    if composition.panel is None:
        return photo
    canvas = Image.new("RGB", (round(composition.canvas.width), round(composition.canvas.height)), colour)
    canvas.paste(photo, composition.frame.pixels()[:2])
    return canvas


def _field(photo: Image.Image, spec: CreativeSpec) -> RGB:
    """The colour of a panel or plate: the house's, else a tint of the photo's, as light or dark as that is."""
    if spec.brand and spec.brand.field:
        return spec.brand.field
    light, dark = fields(spec.colours)
    sample = photo.resize(_SAMPLE, Image.Resampling.NEAREST)
    return light if luminance_percentiles(sample, 50, 50)[0] > BRIGHT else dark


def _how(spec: CreativeSpec) -> Extend:
    """How bare sides are filled: in the house's colour, where it has one."""
    return "house" if spec.brand and spec.brand.field else "auto"


def _behind(source: SourcePicture, spec: CreativeSpec) -> RGB:
    """What a cut-out stands on: the house's colour, else a tint that it can be seen against."""
    if spec.brand and spec.brand.field:
        return spec.brand.field
    light, dark = fields(spec.colours)
    if source.alpha is None:
        return light
    small = (64, 64)
    image, solid = source.image.resize(small, reducing_gap=2.0), source.alpha.resize(small, reducing_gap=2.0)
    mask = solid.point([255 if level > _OPAQUE else 0 for level in range(256)])
    if mask.getbbox() is None:
        return light
    return dark if luminance_percentiles(image, 50, 50, mask)[0] > PALE else light


def _logo(
    spec: CreativeSpec, composition: Composition, lettering: Lettering, ground: Ground, safe: Box
) -> Mark | None:
    if spec.logo is None:
        return None
    taken = [*lettering.boxes, *([lettering.plate] if lettering.plate else []), composition.product]
    corners = composition.template.logo
    return mark(spec.logo, corners, safe, taken, ground.image, rtl=spec.direction == "rtl")


def _finished(source: SourcePicture, spec: CreativeSpec, words: Words, page: _Page, seal: Seal | None) -> Creative:
    told = _written(page, spec)
    file, done = _sealed(source, spec, page, told, seal)
    composition, lettering = page.composition, page.lettering
    placed = (lettering.headline, lettering.subline, lettering.label)
    shown = words.without(lettering.left_out)
    proof = Proof(
        source=source,
        data=file.data,
        size=(spec.width, spec.height),
        max_bytes=spec.max_bytes,
        safe=spec.safe_zone.box(spec.width, spec.height),
        bare=page.ground.image,
        told=told,
        texts=[each for each in placed if each],
        fits=lettering.fits,
        missing=_missing(shown),
        frame=composition.frame,
        placing=composition.placing,
    )
    checks = measure(proof)
    said = remarks(checks, proof, unsure=spec.focus.method == "attention")
    return Creative(
        file.data,
        file.media_type,
        spec.width,
        spec.height,
        composition.template.name,
        composition.placing.mode == "extend",
        checks,
        (*said, *_omissions(spec, page)),
        done,
    )


def _sealed(
    source: SourcePicture, spec: CreativeSpec, page: _Page, told: Image.Image, seal: Seal | None
) -> tuple[Encoded, tuple[Operation, ...]]:
    """The file with what it says of itself, and the operations that led to it."""
    reserve = seal.room(seal.record(_done(source, spec, page, spec.formats[0]))) if seal else 0
    file = encoded(told, spec.formats, spec.max_bytes, reserve=reserve)
    done = _done(source, spec, page, file.format)
    if seal is None:
        return file, done
    return replace(file, data=seal.put(file.data, seal.record(done))), done


def _done(source: SourcePicture, spec: CreativeSpec, page: _Page, kind: Format) -> tuple[Operation, ...]:
    return deeds(
        source,
        page.composition,
        page.lettering,
        veil=page.ground.veil,
        has_logo=page.logo is not None,
        language=spec.language,
        kind=kind,
    )


def _missing(words: Words) -> frozenset[str]:
    bold = f"{words.headline or ''}{words.call_to_action or ''}"
    return frozenset(
        missing_glyphs(bold, words.bold or words.typeface) | missing_glyphs(words.subline or "", words.typeface)
    )


def _omissions(spec: CreativeSpec, page: _Page) -> tuple[str, ...]:
    left_out: list[str] = [part for part in page.lettering.left_out if part != "subline"]
    if spec.logo and page.logo is None:
        left_out.append("logo")
    size = f"{spec.width} × {spec.height}"
    return tuple(f"The {part} is left out: {size} has no room for it." for part in left_out)


def _written(page: _Page, spec: CreativeSpec) -> Image.Image:
    """Draw plate, words, button and logo over the ground."""
    image, lettering, tone = page.ground.image.copy(), page.lettering, page.ground.tone
    if lettering.plate:
        _rounded(image, lettering.plate, page.field, ROUND * math.sqrt(spec.width * spec.height))
    for placed in (lettering.headline, lettering.subline):
        if placed:
            _draw(image, placed, tone.ink)
    if lettering.label and lettering.pill:
        behind = luminance_percentiles(image.crop(lettering.pill.pixels()), 50, 50)[0]
        favourites = spec.brand.fills if spec.brand else ()
        fill_colour, ink = accent(spec.colours, behind, tone, favourites)
        _rounded(image, lettering.pill, fill_colour, lettering.pill.height / 2)
        _draw(image, lettering.label, ink)
    if page.logo:
        _stamp(image, page.logo)
    return image


def _draw(image: Image.Image, placed: Placed, colour: RGB) -> None:
    image.paste(colour, (round(placed.box.left), round(placed.box.top)), placed.block.mask)


def _stamp(image: Image.Image, logo: Mark) -> None:
    if logo.plate:
        _rounded(image, logo.plate, logo.ground, logo.plate.height * 0.16)
    image.paste(logo.image, (round(logo.box.left), round(logo.box.top)), logo.mask)


def _rounded(image: Image.Image, box: Box, colour: RGB, radius: float) -> None:
    """Draw a rounded rectangle: its corners four times too large and reduced, for smoothness, the rest plain."""
    width, height, corner = round(box.width), round(box.height), math.ceil(radius) + 1
    across, down = min(width, 2 * corner), min(height, 2 * corner)
    large = Image.new("L", (across * 4, down * 4), 0)
    ImageDraw.Draw(large).rounded_rectangle(
        (0, 0, across * 4 - 1, down * 4 - 1), radius=round(radius * 4), fill=255
    )
    corners, mask = large.reduce(4), Image.new("L", (width, height), 255)
    for x, left, right in ((0, 0, across // 2), (width - across + across // 2, across // 2, across)):
        for y, top, bottom in ((0, 0, down // 2), (height - down + down // 2, down // 2, down)):
            mask.paste(corners.crop((left, top, right, bottom)), (x, y))
    image.paste(colour, (round(box.left), round(box.top)), mask)


_OPAQUE = 200
_SAMPLE = (96, 96)
