"""The rehearsal copywriter: copy for every slot, from the product's own words and the phrase tables."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from agents.copywriter import Draft, PlacementCopy, SlotTexts
from agents.offline.briefs import audience_of
from agents.offline.orders import CopyOrder, PlacementOrder, SlotOrder, quoted
from agents.offline.phrases import digest, spoken
from agents.offline.room import Room
from agents.offline.slots import choices, squeezed
from agents.offline.voice import Voice, Wish, tones_of
from agents.offline.words import Words, hashtags
from tools.counting import measure

TEMPTATION = "guaranteed results"
"""A product whose description says this tempts the rehearsal copywriter into saying it too, once a draft."""

_MOST_TAGS = 5
_WORD = re.compile(r"\w+")
_LONG_WORD = 4


def write_draft(order: CopyOrder) -> Draft:
    """Copy for every placement of `order` that has a text to write; raises ValueError when none has."""
    writers = [_Writer(order, placement) for placement in order.placements if placement.slots]
    if not writers:
        raise ValueError("None of these placements has a text to write.")
    written = [writer.write() for writer in writers]
    if _is_tempted(order):
        written[0] = writers[0].tempted(written[0])
    return Draft(placements=written)


def _is_tempted(order: CopyOrder) -> bool:
    sent_back = order.previous or order.feedback or order.comment
    return TEMPTATION in (order.product.description or "").casefold() and not sent_back


@dataclass(frozen=True)
class _Writer:
    """Writes one placement."""

    order: CopyOrder
    placement: PlacementOrder

    def write(self) -> PlacementCopy:
        """Every slot, once; the texts of a placement all differ."""
        taken: set[str] = set()
        slots: list[SlotTexts] = []
        for slot in self.placement.slots:
            texts = self._texts(slot, taken)
            taken.update(texts)
            slots.append(SlotTexts(slot=slot.slot, texts=texts))
        return PlacementCopy(placement=self.placement.placement, slots=slots, hashtags=self._tags)

    def tempted(self, copy: PlacementCopy) -> PlacementCopy:
        """`copy` with one text that promises what nobody can, if there is room for it."""
        name = self._words.name
        for slot, made in zip(self.placement.slots, copy.slots, strict=True):
            for text in (f"{name}: {TEMPTATION}", TEMPTATION.capitalize()):
                if self._room(slot).fits(text, soft=False):
                    rest = [self._slot_with(one, text) if one is made else one for one in copy.slots]
                    return copy.model_copy(update={"slots": rest})
        return copy

    def _slot_with(self, slot: SlotTexts, text: str) -> SlotTexts:
        return SlotTexts(slot=slot.slot, texts=[text, *slot.texts[1:]])

    def _texts(self, slot: SlotOrder, taken: set[str]) -> list[str]:
        """Earlier texts that nobody objected to, and new ones in place of all others."""
        room, voice = self._room(slot), self._voice(slot)
        kept = self._kept(slot, room)
        known = {*taken, *self._earlier(slot.slot)}
        fresh = choices(voice, room, taken=known, shorter=self._wish.shorter)
        spare = squeezed(voice, room)
        texts = [text for text in kept if text]
        for at, text in enumerate(kept):
            if text is None:
                texts.insert(at, next((one for one in fresh if room.adds(one, texts)), None) or next(spare))
        return texts

    def _kept(self, slot: SlotOrder, room: Room) -> list[str | None]:
        """By position, the earlier text, or None where a new one is wanted."""
        earlier = self._earlier(slot.slot)[: slot.write] if self.order.comment is None else []
        place = self.placement.placement, slot.slot
        kept = [
            text if room.fits(text, soft=False) and not quoted(self.order.feedback, *place, at, text) else None
            for at, text in enumerate(earlier)
        ]
        return kept + [None] * (slot.write - len(kept))

    def _earlier(self, slot: str) -> list[str]:
        earlier = (self.order.previous or {}).get(self.placement.placement)
        return earlier.get(slot, []) if earlier else []

    def _room(self, slot: SlotOrder) -> Room:
        """The room of `slot`; hashtags may be published with any of them, so each leaves room for them."""
        tags = "".join(f" #{tag}" for tag in self._tags)
        facts = self.order.product.facts()
        return Room(self.placement.placement, slot, self.order.language, facts, measure(tags, slot.rule))

    def _voice(self, slot: SlotOrder) -> Voice:
        said = [self._words.name, *self._words.features, self.order.tone, self.placement.placement, slot.slot]
        if self.order.comment is not None or self.order.feedback:
            asked = [self.order.comment, [dict(piece) for piece in self.order.feedback]]
            said.append(json.dumps(asked, sort_keys=True, default=str))
        said += [self.order.angle] if self.order.angle else []
        first = self._named_feature
        start = digest(*said) if first is None else first
        audience = audience_of(str(self.order.brief.get("audience", "")), self._language)
        return Voice(self._language, self._words, self._tones, "|".join(said), audience, start)

    @cached_property
    def _named_feature(self) -> int | None:
        """The feature that the reviewer's comment speaks of, or the message that this variant leads with."""
        asked = set(_WORD.findall((self.order.comment or self.order.angle or "").casefold()))
        named = (
            at
            for at, feature in enumerate(self._words.features)
            if any(len(word) >= _LONG_WORD and word in asked for word in _WORD.findall(feature.casefold()))
        )
        return next(named, None)

    @cached_property
    def _tags(self) -> list[str]:
        """Earlier hashtags that nobody objected to, then the product's own and those of its tone."""
        most = min(self.placement.hashtags, _MOST_TAGS)
        earlier = self._earlier("hashtags") if self.order.comment is None else []
        blamed = {piece.get("index") for piece in self.order.feedback if self._is_about_tags(piece)}
        kept = [tag for at, tag in enumerate(earlier) if at not in blamed and None not in blamed]
        refused = set(self._earlier("hashtags")) - set(kept)
        fresh = [tag for tag in hashtags(self._words, self._tones, self._language) if tag not in refused]
        return [*dict.fromkeys([*kept, *fresh])][: most if not earlier else min(most, len(earlier))]

    def _is_about_tags(self, piece: Mapping[str, Any]) -> bool:
        here = piece.get("placement") in (None, self.placement.placement)
        return here and piece.get("field") == "hashtags"

    @cached_property
    def _language(self) -> str:
        return spoken(self.order.language)

    @cached_property
    def _wish(self) -> Wish:
        return Wish.read(self.order.comment or "")

    @cached_property
    def _tones(self) -> tuple[str, ...]:
        return self._wish.tones or tones_of(self.order.tone)

    @cached_property
    def _words(self) -> Words:
        return Words.of(self.order.product)
