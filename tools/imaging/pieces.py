"""A piece of set text as a designer measures it: from the capitals' height to the last baseline."""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from tools.imaging.typeset import Setting, TextBlock, fit, set_text

FAMILIAR: Final = 100  # pixels at which a script's proportions are measured

# A letter that stands on the baseline and reaches the height of capitals, where that is not H.
UPRIGHT: Final = {
    "ar": "ا", "fa": "ا", "ur": "ا", "he": "ה", "hi": "क", "mr": "क", "th": "ก",
    "ja": "日", "zh": "日", "ko": "미",
}  # fmt: skip


@dataclass(frozen=True)
class Proportions:
    """In sizes of the type: where in its layout capitals begin, the baseline is, and an upright letter begins."""

    cap: float
    baseline: float
    stem: float


@dataclass(frozen=True, eq=False)
class Piece:
    """Ink, and its body inside it: top and base are pixels below the ink's top.

    The stem is where upright letters begin, in pixels right of the ink; what stands on one edge is aligned by it.
    """

    block: TextBlock
    top: float
    base: float
    stem: float

    @property
    def width(self) -> int:
        """Pixels of ink across."""
        return self.block.width

    @property
    def height(self) -> int:
        """Pixels of ink down."""
        return self.block.height

    @property
    def size(self) -> int:
        """The type's size in pixels."""
        return self.block.size


def lettered(
    text: str, setting: Setting, *, width: float, height: float, sizes: tuple[int, int], lines: int
) -> Piece:
    """Set a text as large as its room and its number of lines let it be; smallest and largest size are given."""
    block = fit(
        text,
        setting,
        width=max(1, int(width)),
        height=max(1, int(height)),
        smallest=sizes[0],
        largest=sizes[1],
        most_lines=lines,
    )
    return _measured(block, setting)


@lru_cache(maxsize=256)
def proportions(setting: Setting) -> Proportions:
    """Measure a script's proportions once for each setting."""
    letter = UPRIGHT.get(setting.language.split("-")[0].lower(), "H")
    block = set_text(letter, setting, size=FAMILIAR)
    left, above = block.offset
    return Proportions(above / FAMILIAR, (above + block.height) / FAMILIAR, left / FAMILIAR)


def _measured(block: TextBlock, setting: Setting) -> Piece:
    shape = proportions(replace(setting, align="start", names=()))
    above, lines = block.offset[1], max(1, len(block.lines))
    top = min(max(0.0, shape.cap * block.size - above), block.height / 2)
    base = shape.baseline * block.size + (lines - 1) * setting.pitch(block.size) - above
    edged = setting.align == "start" and setting.direction == "ltr"
    stem = shape.stem * block.size - block.offset[0] if edged else 0.0
    return Piece(block, top, min(max(base, top + 1), float(block.height)), stem)
