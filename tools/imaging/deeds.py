"""Tells from a finished page what was done to the photo on it, in the order in which it was done."""

import math
from typing import Any

from tools.imaging.box import Box
from tools.imaging.compose import Composition
from tools.imaging.encode import Format
from tools.imaging.lettering import Lettering
from tools.imaging.provenance import Operation
from tools.imaging.source import SourcePicture


def deeds(
    source: SourcePicture,
    composition: Composition,
    lettering: Lettering,
    *,
    veil: float,
    has_logo: bool,
    language: str,
    kind: Format,
) -> tuple[Operation, ...]:
    """Every operation that took place; boxes in pixels of the upright source file, the veil's opacity 0 to 1."""
    size = (source.info.width, source.info.height)
    seen, window = composition.placing.visible, composition.placing.window(*size)
    box = _outwards(window)
    shown = (round(seen.width), round(seen.height))
    filled = _filled(source, composition)
    ground = composition.template.ground
    parts = [
        name
        for name, there in (
            ("headline", lettering.headline),
            ("subline", lettering.subline),
            ("call_to_action", lettering.label),
        )
        if there
    ]
    done: list[tuple[Operation, bool]] = [
        (Operation("crop", {"box": list(box)}), box != (0, 0, *size)),
        (Operation("resize", {"size": list(shown)}), shown != _extent(window)),
        (Operation("extend", filled), bool(filled)),
        (Operation("shade", {"opacity": round(veil, 2)}), veil > 0),
        (Operation("text", {"parts": parts, "language": language, "ground": ground}), bool(parts)),
        (Operation("logo"), has_logo),
        (Operation("convert", {"colour_space": "sRGB", "format": kind}), True),
    ]
    return tuple(operation for operation, took_place in done if took_place)


def _filled(source: SourcePicture, composition: Composition) -> dict[str, Any]:
    """Where the canvas shows what the photo does not have: beside it, or behind a cut-out."""
    sides = list(composition.placing.bare)
    return ({"sides": sides} if sides else {}) | ({"behind": "colour"} if source.alpha is not None else {})


def _outwards(box: Box) -> tuple[int, int, int, int]:
    """The whole pixels that a box touches by more than an error of arithmetic."""
    left, top = math.floor(box.left + _ERROR), math.floor(box.top + _ERROR)
    return left, top, math.ceil(box.right - _ERROR), math.ceil(box.bottom - _ERROR)


def _extent(box: Box) -> tuple[int, int]:
    return round(box.width), round(box.height)


_ERROR = 1e-6
