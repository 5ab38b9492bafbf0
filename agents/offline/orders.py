"""What each agent's message asks for, read from its fenced data and checked."""

from collections.abc import Mapping
from typing import Any

from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from agents.product import Product
from tools.counting import CountingRule


class Order(BaseModel):
    """Data of one message; what it carries beyond is of no interest here."""

    model_config = ConfigDict(frozen=True)

    product: Product


class BriefOrder(Order):
    """What the strategist is given."""

    tone: str
    audience: str | None = None
    language: str
    placements: list[str] = Field(default_factory=list)


class SlotOrder(BaseModel):
    """A slot to be written, or with its `texts` to be translated."""

    slot: str
    write: int = Field(default=1, ge=1, le=60)
    hard: int | None = Field(default=None, ge=1)
    soft: int | None = Field(default=None, ge=1)
    rule: CountingRule = Field(default="chars", validation_alias=AliasChoices("counting", "rule"))
    texts: list[str] = Field(default_factory=list)


class PlacementOrder(BaseModel):
    """A placement to be written, with how many hashtags it takes."""

    placement: str
    slots: list[SlotOrder]
    hashtags: int = Field(default=0, ge=0)


class CopyOrder(Order):
    """What the copywriter is given."""

    tone: str
    language: str
    brief: Mapping[str, Any] = Field(default_factory=dict)
    angle: str | None = None
    placements: list[PlacementOrder] = Field(min_length=1)
    previous: Mapping[str, Mapping[str, list[str]]] | None = None
    feedback: list[Mapping[str, Any]] = Field(default_factory=list[Mapping[str, Any]])
    comment: str | None = None


class LanguageOrder(BaseModel):
    """A language as the translator is told it."""

    code: str


class SourceOrder(BaseModel):
    """A placement to be translated, with its hashtags."""

    placement: str
    slots: list[SlotOrder]
    hashtags: list[str] = Field(default_factory=list)


class TranslationOrder(Order):
    """What the translator is given."""

    tone: str
    source_language: LanguageOrder
    target_language: LanguageOrder
    keep: list[str] = Field(default_factory=list)
    glossary: Mapping[str, str] = Field(default_factory=dict)
    placements: list[SourceOrder] = Field(min_length=1)
    feedback: list[Mapping[str, Any]] = Field(default_factory=list[Mapping[str, Any]])
    comment: str | None = None


class TextOrder(BaseModel):
    """One text to be judged."""

    placement: str
    field: str
    index: int = Field(ge=0)
    text: str


class JudgeOrder(BaseModel):
    """What the moderator is given."""

    texts: list[TextOrder]


class StudyOrder(Order):
    """What the art director is given, beside the picture."""

    language: str


def quoted(feedback: list[Mapping[str, Any]], placement: str, slot: str, index: int, text: str) -> bool:
    """Whether a piece of `feedback` speaks of this text, by its place or, without one, by its words."""
    return any(_speaks_of(piece, placement, slot, index, text) for piece in feedback)


def _speaks_of(piece: Mapping[str, Any], placement: str, slot: str, index: int, text: str) -> bool:
    place = piece.get("placement"), piece.get("field"), piece.get("index")
    if all(part is not None for part in place):
        return place == (placement, slot, index)
    elsewhere = place[0] not in (None, placement) or place[1] not in (None, slot)
    quote = piece.get("quote")
    return not elsewhere and isinstance(quote, str) and bool(quote) and quote in text
