"""Translation: the same campaign in another language, inside the same slots."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from agents import copywriter
from agents.copywriter import FIRST, PlacementTexts, Rework, assignment, left_out
from agents.model import Answer, Model
from agents.product import Product
from agents.prompts import Prompt
from tools.fidelity import Slip, compare
from tools.languages import Language
from tools.languages import language as language_of
from tools.placements import Placement
from tools.spoken import mismatch

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
    keep: Sequence[str] = (),
    glossary: Mapping[str, str] = MappingProxyType({}),
    rework: Rework = FIRST,
) -> Answer[Translation]:
    """`copy` (texts by placement and slot) of `placements`, in `target`.

    `keep` are terms that stay as they are beside the product's name, `glossary` the words that a term must be
    translated with.
    """
    data = {
        "product": product.model_dump(mode="json"),
        "tone": tone,
        "source_language": {"code": source.code, "name": source.english},
        "target_language": {"code": target.code, "name": target.english},
        "keep": [product.name, *keep],
        "glossary": dict(glossary),
        "placements": [_source(placement, copy[placement.id]) for placement in placements],
        **rework.as_json(),
    }
    asked = {one.id: _counts(one, copy[one.id]) for one in placements}
    tagged = frozenset(one.id for one in placements if copy[one.id].get("hashtags"))
    check = partial(_miscounted, asked, tagged)
    return await model.answer("translator", PROMPT.render(data), Translation, check=check)


def slips(
    origin: str,
    text: str,
    product: Product,
    *,
    source: str,
    target: str,
    keep: Sequence[str] = (),
    glossary: Mapping[str, str] = MappingProxyType({}),
) -> tuple[Slip, ...]:
    """Where `text`, in the language `target`, fails `origin`; the client's own phrases may stay as they are."""
    terms = (product.name, *keep)
    return _slips(origin, text, tuple(product.features), terms, tuple(glossary.items()), source, target)


@lru_cache(maxsize=4096)
def _slips(
    origin: str,
    text: str,
    facts: tuple[str, ...],
    terms: tuple[str, ...],
    glossary: tuple[tuple[str, str], ...],
    source: str,
    target: str,
) -> tuple[Slip, ...]:
    """Remembered, because the translator's own check, the moderation and the gate ask the same."""
    ours, theirs = _without(facts, origin, text), _without(facts, text, origin)
    found = [
        replace(slip, quote=text[slice(*slip.span)] if slip.span else slip.quote)
        for slip in compare(
            ours, theirs, source_language=source, target_language=target, keep=terms, glossary=dict(glossary)
        )
    ]
    if other := mismatch(text, target, keep=(*terms, *facts)):
        message = f"This seems to be {language_of(other).english} instead of {language_of(target).english}."
        found.append(Slip("language", (0, len(text)), text, message))
    return tuple(found)


def _without(facts: Sequence[str], text: str, other: str) -> str:
    """`text` with spaces for the phrases that stand in `other` too, so that spans stay as they are."""
    for fact in facts:
        if fact in text and fact in other:
            text = text.replace(fact, " " * len(fact))
    return text


def _counts(placement: Placement, texts: PlacementTexts) -> dict[str, int]:
    return {slot.name: len(texts[slot.name]) for slot in placement.slots if texts.get(slot.name)}


def _miscounted(asked: Mapping[str, Mapping[str, int]], tagged: frozenset[str], answer: Translation) -> str | None:
    """What is wrong with an answer that lacks a slot or all hashtags, or miscounts the texts of one."""
    if missing := left_out({name: list(slots) for name, slots in asked.items()}, answer):
        return missing
    wrong = [
        f"{one.placement} {slot.slot} has {len(texts)} {what} of {wanted}"
        for one in answer.placements
        for slot in one.slots
        for what, texts in (("texts", slot.texts), ("back-translations", slot.back_translations))
        if (wanted := asked.get(one.placement, {}).get(slot.slot, len(texts))) != len(texts)
    ]
    wrong += [
        f"{one.placement} has no hashtags"
        for one in answer.placements
        if one.placement in tagged and not one.hashtags
    ]
    return f"Translate each text once: {', '.join(wrong)}." if wrong else None


def _source(placement: Placement, texts: PlacementTexts) -> dict[str, Any]:
    told = assignment(placement)
    slots = [{**slot, "texts": list(texts[slot["slot"]])} for slot in told["slots"] if texts.get(slot["slot"])]
    return {**told, "slots": slots, "hashtags": list(texts.get("hashtags", ()))}
