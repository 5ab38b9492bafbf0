"""Masks that run from opaque to clear."""

import math
from typing import Literal

from PIL import Image

Side = Literal["up", "down", "left", "right"]


def fading(size: tuple[int, int], towards: Side, *, turn: float, soft: float, opacity: int = 255) -> Image.Image:
    """Make a mask (mode L): opaque up to the turn, then clear within `soft` pixels along an S curve."""
    upright, forward = towards in ("up", "down"), towards in ("down", "right")
    length, soft = size[1] if upright else size[0], max(soft, 1.0)
    begin = turn if forward else turn - soft
    first, last = (min(length, max(0, edge)) for edge in (math.floor(begin), math.ceil(begin + soft)))
    beyond = ((at - turn if forward else turn - at) / soft for at in range(first, last))
    held = (min(max(share, 0.0), 1.0) for share in beyond)
    ends = (opacity, 0) if forward else (0, opacity)
    line = b"".join(
        (
            bytes((ends[0],)) * first,
            bytes(round(opacity * (1 - share * share * (3 - 2 * share))) for share in held),
            bytes((ends[1],)) * (length - last),
        )
    )
    return Image.frombytes("L", (1, length) if upright else (length, 1), line).resize(
        size, Image.Resampling.NEAREST
    )
