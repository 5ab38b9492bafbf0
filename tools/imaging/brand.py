"""What a campaign brings of its own look: colours and a typeface."""

from dataclasses import dataclass

from tools.imaging.colour import RGB, luminance, parse
from tools.imaging.typeface import Typeface


@dataclass(frozen=True)
class Brand:
    """A house's colours as #rrggbb: for what stands out, for words, for what these stand on; and its letters."""

    primary: str | None = None
    secondary: str | None = None
    ink: str | None = None
    ground: str | None = None
    typeface: Typeface | None = None
    bold: Typeface | None = None  # for headlines and buttons, where it is another

    def __post_init__(self) -> None:
        """Raise ValueError for what is no colour."""
        self._every()

    @property
    def fills(self) -> tuple[RGB, ...]:
        """Colours for a button, the favourite first."""
        return tuple(parse(colour) for colour in (self.primary, self.secondary) if colour)

    @property
    def field(self) -> RGB | None:
        """The colour of a plain field, if the house has one."""
        return parse(self.ground) if self.ground else None

    @property
    def dark(self) -> RGB | None:
        """The favourite of the colours that are dark enough for words on white."""
        return next((colour for colour in self._every() if luminance(colour) < _DARK), None)

    @property
    def light(self) -> RGB | None:
        """The favourite of the colours that are light enough for words on black."""
        return next((colour for colour in self._every() if luminance(colour) > _LIGHT), None)

    def _every(self) -> tuple[RGB, ...]:
        named = (self.ink, self.ground, self.primary, self.secondary)
        return tuple(parse(colour) for colour in named if colour)


_DARK = 0.1
_LIGHT = 0.75
