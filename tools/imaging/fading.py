"""Masks that run from opaque to clear."""

from typing import Literal

from PIL import Image

Side = Literal["up", "down", "left", "right"]


def fading(size: tuple[int, int], towards: Side, *, turn: float, soft: float, opacity: int = 255) -> Image.Image:
    """Make a mask (mode L): opaque up to the turn, then clear within `soft` pixels along an S curve."""
    upright, forward = towards in ("up", "down"), towards in ("down", "right")
    length = size[1] if upright else size[0]
    beyond = ((at - turn if forward else turn - at) / max(soft, 1.0) for at in range(length))
    held = (min(max(share, 0.0), 1.0) for share in beyond)
    line = bytes(round(opacity * (1 - share * share * (3 - 2 * share))) for share in held)
    return Image.frombytes("L", (1, length) if upright else (length, 1), line).resize(
        size, Image.Resampling.NEAREST
    )
