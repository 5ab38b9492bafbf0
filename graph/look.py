"""How a campaign's pictures are to look: the house's brand, and where people say that the product is."""

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

EVERYWHERE = "all"
"""The key of a focus that holds for every placement without one of its own."""

Colour = Annotated[str, StringConstraints(pattern=r"^#[0-9A-Fa-f]{6}$", to_lower=True)]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class Brand(BaseModel):
    """A house's colours, logo and letters; what is left out is chosen from the photo, or is ours."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    primary: Colour | None = Field(default=None, description="#rrggbb: buttons.", examples=["#d6542c"])
    secondary: Colour | None = Field(default=None, description="#rrggbb: buttons where the first cannot be seen.")
    ink: Colour | None = Field(default=None, description="#rrggbb: words, where they can be read in it.")
    ground: Colour | None = Field(
        default=None, description="#rrggbb: fields behind words, and what surrounds a photo that is too small."
    )
    logo: Sha256 | None = Field(default=None, description="SHA-256 of an uploaded picture; transparency is kept.")
    font: Sha256 | None = Field(default=None, description="SHA-256 of an uploaded TTF or OTF file.")
    bold_font: Sha256 | None = Field(default=None, description="Likewise, for headlines and buttons.")


class FocusBox(BaseModel):
    """Where the product is on the photo, in shares of its width and height from its top left corner."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    left: float = Field(ge=0, le=1)
    top: float = Field(ge=0, le=1)
    right: float = Field(ge=0, le=1)
    bottom: float = Field(ge=0, le=1)

    @model_validator(mode="after")
    def _has_an_inside(self) -> Self:
        if self.right - self.left < LEAST or self.bottom - self.top < LEAST:
            raise ValueError(f"a focus needs left < right and top < bottom, at least {LEAST:g} apart")
        return self


LEAST = 0.01


def in_force(asked: Mapping[str, Any], decided: Mapping[str, Any]) -> dict[str, Any]:
    """The boxes that people gave, by placement or for all: at the gate, else in the order."""
    return {name: box for name, box in {**asked, **decided}.items() if box is not None}
