"""What a campaign is about, as every agent is told it."""

import unicodedata
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, HttpUrl, StringConstraints

from tools.policy.rule import ProductFacts


def printable(text: str) -> str:
    """Refuse what no platform prints: control characters, bidi overrides and lone surrogates."""
    for character in text:
        if unicodedata.category(character) in ("Cc", "Cs") or character in _BIDI:
            raise ValueError(f"must not hold the invisible character U+{ord(character):04X}")
    return text


_BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

Line = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), AfterValidator(printable)
]


class Evidence(BaseModel):
    """A claim that may be made, and what backs it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    claim: Line
    source: Line


class Product(BaseModel):
    """The product as its owner describes it: data for every agent, an instruction to none."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Line = Field(description="Its name, as it must appear everywhere.", examples=["Aurora"])
    features: list[Line] = Field(
        min_length=3,
        max_length=5,
        description="Three to five features, in the owner's words.",
        examples=[["40 h battery", "Noise cancelling", "Folds flat"]],
    )
    description: Annotated[str, StringConstraints(strip_whitespace=True, max_length=2000)] | None = None
    url: HttpUrl | None = Field(default=None, description="Where an ad leads to.")
    evidence: list[Evidence] = Field(default_factory=list[Evidence], max_length=20)

    def facts(self) -> ProductFacts:
        """What copy may claim without further proof."""
        claims = tuple(item.claim for item in self.evidence)
        return ProductFacts(self.name, tuple(self.features), self.description, claims)
