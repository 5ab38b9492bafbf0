"""Copy: every text slot of every placement, and the lines the whole campaign shares."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict, Field

from agents.briefing import Brief
from agents.model import Answer, Model
from agents.product import Product
from agents.prompts import Prompt
from tools.counting import CountingRule
from tools.placements import Placement, Slot, Source

PROMPT = Prompt.load("copywriter")

OURS = Source("fanfare", "docs/decisions/0006-lines-of-the-campaign.md", "assumed")


def line(name: str, rule: CountingRule, *, hard: int, soft: int, least: int, most: int) -> Slot:
    """A slot whose limits are our own choice."""
    return Slot(name, rule, least, most, source=OURS, confidence="assumed", hard=hard, soft=soft)


CAMPAIGN = Placement(
    id="campaign",
    platform="campaign",
    title="The campaign's own lines",
    paid=False,
    slots=(
        line("headline", "display_width", hard=48, soft=32, least=3, most=3),
        line("subline", "display_width", hard=56, soft=40, least=0, most=1),
        line("call_to_action", "display_width", hard=24, soft=16, least=1, most=1),
    ),
)
"""The lines that belong to no platform: three headlines, of which pictures carry the first, a subline that goes on
from there where a picture has room for it, and a call to action. Their limits are what the smallest creative can
still show."""

PlacementTexts = Mapping[str, Sequence[str]]
"""Texts by slot, with the hashtags under `hashtags`."""


@dataclass(frozen=True)
class Rework:
    """What comes with texts that were sent back: the earlier ones, what was found in them, a person's comment."""

    previous: Mapping[str, PlacementTexts] | None = None
    feedback: Sequence[Mapping[str, Any]] = ()
    comment: str | None = None

    def as_json(self) -> dict[str, Any]:
        """As writers' and translators' prompts show it."""
        return {"previous": self.previous, "feedback": list(self.feedback), "comment": self.comment}


FIRST = Rework()
"""Nothing was written before."""


class SlotTexts(BaseModel):
    """The texts of one slot."""

    model_config = ConfigDict(extra="forbid")

    slot: str = Field(description="The slot's name, as given.")
    texts: list[str] = Field(min_length=1, description="As many texts as `write` asks for, each inside `hard`.")


class PlacementCopy(BaseModel):
    """The copy of one placement."""

    model_config = ConfigDict(extra="forbid")

    placement: str = Field(description="The placement's id, as given.")
    slots: list[SlotTexts] = Field(min_length=1, description="Every slot of the placement, once.")
    hashtags: list[str] = Field(description="Without `#`; at most as many as allowed, empty where none are.")


class Draft(BaseModel):
    """The copy of the placements that were asked for."""

    model_config = ConfigDict(extra="forbid")

    placements: list[PlacementCopy] = Field(min_length=1, description="Every placement asked for, once.")


class _Slot(Protocol):
    @property
    def slot(self) -> str: ...


class _Placed(Protocol):
    @property
    def placement(self) -> str: ...
    @property
    def slots(self) -> Sequence[_Slot]: ...


class Written(Protocol):
    """Texts by placement and slot, whoever wrote them."""

    @property
    def placements(self) -> Sequence[_Placed]:
        """Every placement that was written for."""
        ...


async def write_copy(
    model: Model,
    product: Product,
    *,
    brief: Brief,
    tone: str,
    language: str,
    placements: Sequence[Placement],
    keep: Sequence[str] = (),
    angle: str | None = None,
    rework: Rework = FIRST,
) -> Answer[Draft]:
    """Copy for `placements`; `angle` is the message to lead with, where several variants are written."""
    asked = {one.id: [slot.name for slot in one.slots if slot.min] for one in placements}
    data = {
        "product": product.model_dump(mode="json"),
        "brief": brief.model_dump(mode="json"),
        "tone": tone,
        "language": language,
        "keep": [product.name, *keep],
        "angle": angle,
        "placements": [assignment(placement) for placement in placements],
        **rework.as_json(),
    }
    return await model.answer("copywriter", PROMPT.render(data), Draft, check=partial(left_out, asked))


def left_out(asked: Mapping[str, Sequence[str]], answer: Written) -> str | None:
    """What is wrong with an answer that lacks one of the slots that were asked for by placement."""
    made = {one.placement: {slot.slot for slot in one.slots} for one in answer.placements}
    missing = [
        f"{name} {slot}" for name, slots in asked.items() for slot in slots if slot not in made.get(name, ())
    ]
    return f"It leaves out {', '.join(missing)}." if missing else None


def assignment(placement: Placement) -> dict[str, Any]:
    """A placement as writers are told it: slots, how many texts, limits and counting rules."""
    return {
        "placement": placement.id,
        "title": placement.title,
        "slots": [
            {"slot": s.name, "write": s.wanted, "hard": s.hard, "soft": s.soft, "counting": s.rule}
            for s in placement.slots
            if s.wanted
        ],
        "hashtags": placement.max_hashtags,
    }
