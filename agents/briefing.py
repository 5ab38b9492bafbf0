"""The brief: what this campaign says, to whom, and how it sounds."""

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field

from agents.model import Answer, Model
from agents.product import Product
from agents.prompts import Prompt

PROMPT = Prompt.load("briefing")


class Brief(BaseModel):
    """What everybody on the campaign works from."""

    model_config = ConfigDict(extra="forbid")

    summary: str = Field(description="The campaign in two sentences.")
    audience: str = Field(description="Who it speaks to, in one sentence.")
    promise: str = Field(description="The one thing to remember, in at most twelve words.")
    key_messages: list[str] = Field(
        min_length=3, max_length=5, description="One message a feature, strongest first, each one sentence."
    )
    voice: str = Field(description="How the tone sounds for this product, in one sentence.")
    avoid: list[str] = Field(max_length=5, description="Words, claims and moods that would be wrong here.")


async def write_brief(
    model: Model,
    product: Product,
    *,
    tone: str,
    audience: str | None,
    language: str,
    placements: Sequence[str],
) -> Answer[Brief]:
    """The brief for `product`, in `language` (BCP 47)."""
    data = {
        "product": product.model_dump(mode="json"),
        "tone": tone,
        "audience": audience,
        "language": language,
        "placements": list(placements),
    }
    return await model.answer("briefing", PROMPT.render(data), Brief)
