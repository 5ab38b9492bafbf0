"""Rectangles, in whatever unit their maker chose: pixels, or shares of a picture."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Box:
    """A rectangle whose y grows downwards; right and bottom are outside it."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        """Never negative, so that an empty overlap has no area."""
        return max(0.0, self.right - self.left)

    @property
    def height(self) -> float:
        """Never negative, so that an empty overlap has no area."""
        return max(0.0, self.bottom - self.top)

    @property
    def area(self) -> float:
        """Width times height."""
        return self.width * self.height

    @property
    def centre(self) -> tuple[float, float]:
        """The middle, as x and y."""
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2

    def scaled(self, across: float, down: float) -> "Box":
        """Multiply both axes, as from shares to pixels."""
        return Box(self.left * across, self.top * down, self.right * across, self.bottom * down)

    def moved(self, across: float, down: float) -> "Box":
        """Shift without changing the size."""
        return Box(self.left + across, self.top + down, self.right + across, self.bottom + down)

    def grown(self, across: float, down: float) -> "Box":
        """Push every side outwards; negative numbers pull it in."""
        return Box(self.left - across, self.top - down, self.right + across, self.bottom + down)

    def mirrored(self, width: float) -> "Box":
        """Swap left and right inside a span that starts at 0."""
        return Box(width - self.right, self.top, width - self.left, self.bottom)

    def within(self, outer: "Box") -> "Box":
        """Map shares of another box to that box's own unit."""
        return self.scaled(outer.width, outer.height).moved(outer.left, outer.top)

    def overlap(self, other: "Box") -> "Box":
        """Keep what both cover; its area is 0 when they are apart."""
        return Box(
            max(self.left, other.left),
            max(self.top, other.top),
            min(self.right, other.right),
            min(self.bottom, other.bottom),
        )

    def share_inside(self, other: "Box") -> float:
        """Tell how much of this box another one covers, 0 to 1; an empty box counts as covered."""
        return self.overlap(other).area / self.area if self.area else 1.0

    def inwards(self) -> "Box":
        """Round every side to the whole number inside."""
        return Box(math.ceil(self.left), math.ceil(self.top), math.floor(self.right), math.floor(self.bottom))

    def pixels(self) -> tuple[int, int, int, int]:
        """Round to whole pixels, as Pillow's crop and paste want them."""
        return round(self.left), round(self.top), round(self.right), round(self.bottom)
