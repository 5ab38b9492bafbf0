"""Translation: the same campaign in another language, inside the same slots."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from agents import copywriter
from agents.copywriter import PlacementTexts, assignment, left_out
from agents.model import Answer, Model
from agents.product import Product
from agents.prompts import Prompt
from tools.languages import Language
from tools.placements import Placement

PROMPT = Prompt.load("translator")

CAMPAIGN = replace(
    copywriter.CAMPAIGN,
    slots=(
        *copywriter.CAMPAIGN.slots,
        copywriter.line("alt_text", "chars", hard=250, soft=125, least=0, most=1),
    ),
)
"""The campaign's own lines as they are translated: with the alt text that the art director wrote."""


class TranslatedSlot(BaseModel):
    """The texts of one slot in the target language."""

    model_config = ConfigDict(extra="forbid")

    slot: str = Field(description="The slot's name, as given.")
    texts: list[str] = Field(min_length=1, description="As many as given, in their order, each inside `hard`.")
    back_translations: list[str] = Field(
        min_length=1, description="What each text says, literally, in the source language."
    )


class TranslatedPlacement(BaseModel):
    """One placement in the target language."""

    model_config = ConfigDict(extra="forbid")

    placement: str = Field(description="The placement's id, as given.")
    slots: list[TranslatedSlot] = Field(min_length=1, description="Every slot given, once.")
    hashtags: list[str] = Field(description="As many as given, as people of that language write them.")


class Translation(BaseModel):
    """The copy of the given placements in the target language."""

    model_config = ConfigDict(extra="forbid")

    placements: list[TranslatedPlacement] = Field(min_length=1, description="Every placement given, once.")


async def translate(
    model: Model,
    product: Product,
    *,
    tone: str,
    source: Language,
    target: Language,
    copy: Mapping[str, PlacementTexts],
    placements: Sequence[Placement],
    feedback: Sequence[Mapping[str, Any]] = (),
    comment: str | None = None,
) -> Answer[Translation]:
    """`copy` (texts by placement and slot) of `placements`, in `target`."""
    asked = {one.id: [slot.name for slot in one.slots if copy[one.id].get(slot.name)] for one in placements}
    data = {
        "product": product.model_dump(mode="json"),
        "tone": tone,
        "source_language": {"code": source.code, "name": source.english},
        "target_language": {"code": target.code, "name": target.english},
        "keep": [product.name],
        "placements": [_source(placement, copy[placement.id]) for placement in placements],
        "feedback": list(feedback),
        "comment": comment,
    }
    return await model.answer("translator", PROMPT.render(data), Translation, check=partial(left_out, asked))


def _source(placement: Placement, texts: PlacementTexts) -> dict[str, Any]:
    told = assignment(placement)
    slots = [{**slot, "texts": list(texts[slot["slot"]])} for slot in told["slots"] if texts.get(slot["slot"])]
    return {**told, "slots": slots, "hashtags": list(texts.get("hashtags", ()))}
