"""The channels of a campaign.

Everything in them is plain JSON, so that a campaign which slept through a release still
wakes as what it was.
"""

import operator
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict  # pydantic reads typing's own only from Python 3.12 on

from agents.product import Line, Product
from graph.look import Brand, FocusBox

JSON = dict[str, Any]
V = TypeVar("V")

Term = Line
"""A word or a name as it must stand in copy, or as a glossary translates it."""

Gate = Literal["copy", "creatives"]
Approval = Literal["required", "flagged", "none"]


class Lookalike(BaseModel):
    """An earlier picture that looks like the product's photo, and the campaign that last used it, if one did."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    seen_at: str = Field(description="When it was first uploaded, RFC 3339.")
    campaign_id: str | None = None
    campaign: str | None = None

    def __str__(self) -> str:
        used = f" for the campaign “{self.campaign}” ({self.campaign_id})" if self.campaign else ""
        return (
            f"The photo looks like another one, uploaded on {self.seen_at[:10]}{used}: asset {self.sha256[:12]}. "
            "Make sure that it is the one you mean."
        )


class Picture(BaseModel):
    """The product's photo, by reference: bytes never enter the state."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    media_type: str
    width: int = Field(gt=0, description="Pixels, upright.")
    height: int = Field(gt=0, description="Pixels, upright.")
    bytes: int = Field(gt=0)
    lookalikes: tuple[Lookalike, ...] = Field(default=(), description="Other files that look like it.")
    notice: str | None = Field(default=None, description="Its copyright notice.")
    source_says: str | None = Field(default=None, description="Its digital source type, as it states it.")
    reserved: str | None = Field(
        default=None, description="By what its owner reserves rights in it, in sentences."
    )


class Order(BaseModel):
    """What a campaign was asked for; never changes while it runs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    tenant: str = "default"
    product: Product
    tone: str
    audience: str | None = None
    source_language: str = "en"
    languages: list[str] = Field(default_factory=list)
    placements: list[str]
    approval: Approval = "required"
    variants: int = Field(default=1, ge=1, le=2, description="2 for an A/B test: the copy is written twice.")
    keep: list[Term] = Field(default_factory=list[Term], max_length=50)
    glossary: dict[str, dict[Term, Term]] = Field(default_factory=dict[str, dict[Term, Term]])
    brand: Brand | None = None
    focus: dict[str, FocusBox] = Field(default_factory=dict[str, FocusBox])
    picture: Picture
    image_licence: str | None = Field(default=None, description="What lets the client use the photo.")


ORDER_EXAMPLE: JSON = {
    "id": "any name of your own",
    "product": {"name": "Aurora", "features": ["40 h battery", "Noise cancelling", "Folds flat"]},
    "tone": "premium",
    "languages": ["de", "ja"],
    "placements": ["instagram_post", "x_post"],
    "picture": {"sha256": "as POST /v1/assets answers", "media_type": "", "width": 0, "height": 0, "bytes": 0},
}


def merge(left: dict[str, V] | None, right: dict[str, V]) -> dict[str, V]:
    """`left` with what a fan-out wrote laid over it, key by key."""
    return {**(left or {}), **right}


class CampaignInput(TypedDict):
    """How a campaign begins."""

    order: Annotated[JSON, Field(description="What is asked for.", examples=[ORDER_EXAMPLE])]


class CampaignState(TypedDict, total=False):
    """Where a campaign stands. Each channel is written by the step that its comment names."""

    order: JSON  # the caller; brief fills in the defaults
    brief: JSON  # brief
    study: JSON  # study
    copy: Annotated[dict[str, JSON], merge]  # write_copy, gate_copy: desk → texts by slot
    translations: Annotated[dict[str, JSON], merge]  # translate, gate_creatives: language → texts, or its failure
    focus: Annotated[dict[str, JSON | None], merge]  # gate_creatives: placement or "all" → box, or none any more
    creatives: Annotated[dict[str, list[JSON]], merge]  # render: language and variant → pictures
    verdicts: Annotated[dict[str, JSON], merge]  # moderation: "copy" or a language → verdict
    claims: Annotated[dict[str, list[JSON]], merge]  # moderation: "copy" or a language → claims and their ground
    rounds: Annotated[dict[str, int], merge]  # moderation: how often each was sent back
    approved: Annotated[dict[str, str], merge]  # gates: gate → revision of what was approved
    comment: str | None  # gates: what a reviewer asks the next writer for
    decisions: Annotated[list[JSON], operator.add]  # gates
    costs: Annotated[list[JSON], operator.add]  # every step that called the model
    package: JSON  # package
    outcome: Literal["completed", "rejected"]  # package, gates


class WriteCopy(TypedDict):
    """One unit of the copy fan-out: one variant of a platform's placements, or of the campaign itself."""

    order: JSON
    brief: JSON
    desks: list[str]
    angle: str | None
    previous: dict[str, JSON]
    feedback: list[JSON]
    comment: str | None
    take: int


class Translate(TypedDict):
    """One unit of the translation fan-out: a language."""

    order: JSON
    language: str
    copy: dict[str, JSON]
    previous: JSON | None
    feedback: list[JSON]
    comment: str | None
    take: int
    insist: bool  # whether a failure stops the campaign, because every other language has failed too


class Render(TypedDict):
    """One unit of the picture fan-out: every creative of a language and variant."""

    order: JSON
    study: JSON
    language: str
    variant: str
    lines: JSON
    focus: dict[str, JSON]
