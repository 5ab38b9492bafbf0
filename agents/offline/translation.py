"""The rehearsal translator: the phrases that a text was made from, said in another language."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, islice

from agents.offline.orders import SlotOrder, SourceOrder, TranslationOrder, quoted
from agents.offline.phrases import digest, phrases, spoken
from agents.offline.reading import Line, Raw, read_text, say
from agents.offline.room import Room
from agents.offline.slots import choices
from agents.offline.voice import Voice, Wish, tones_of
from agents.offline.words import Words
from agents.translator import TranslatedPlacement, TranslatedSlot, Translation, slips
from tools.counting import measure

_KEPT_FORMS = ("name", "address")
_MOST_TRIED = 60


@dataclass(frozen=True)
class Rendering:
    """A text in the target language, and what it says in the source language."""

    text: str
    back: str


def translate(order: TranslationOrder) -> Translation:
    """Every placement of `order` that has texts; raises `UnknownLanguage`, and ValueError when none has."""
    placements = [placement for placement in order.placements if any(slot.texts for slot in placement.slots)]
    if not placements:
        raise ValueError("None of these placements has a text to translate.")
    translator = _Translator(order)
    return Translation(placements=[translator.placement(placement) for placement in placements])


@dataclass(frozen=True)
class _Translator:
    """Translates one order."""

    order: TranslationOrder

    def placement(self, given: SourceOrder) -> TranslatedPlacement:
        """Every slot that has texts, in the order given."""
        return TranslatedPlacement(
            placement=given.placement,
            slots=[self._slot(given, slot) for slot in given.slots if slot.texts],
            hashtags=list(dict.fromkeys(self._tag(tag) for tag in given.hashtags)),
        )

    def _slot(self, given: SourceOrder, slot: SlotOrder) -> TranslatedSlot:
        room = self._room(given, slot)
        made: list[Rendering] = []
        for text in slot.texts:
            made.append(self._rendering(text, room, beside=[one.text for one in made]))
        for at, text in enumerate(slot.texts):
            if self.order.comment is not None or self._is_blamed(given.placement, slot.slot, at):
                made[at] = self._another(text, room, made, at)
        return TranslatedSlot(
            slot=slot.slot, texts=[one.text for one in made], back_translations=[one.back for one in made]
        )

    def _room(self, given: SourceOrder, slot: SlotOrder) -> Room:
        """The room of `slot`, less what the hashtags take that may be published with it."""
        tags = "".join(f" #{self._tag(tag)}" for tag in given.hashtags)
        spoken, facts = self.order.target_language.code, self.order.product.facts()
        return Room(given.placement, slot, spoken, facts, measure(tags, slot.rule))

    def _rendering(self, text: str, room: Room, *, beside: list[str]) -> Rendering:
        """What `text` says, as faithfully as the room allows."""
        if room.form in _KEPT_FORMS:
            return Rendering(text, text)
        lines = read_text(text, self._words, self._source)
        unruly = room.form == "alt" or _is_written(lines)
        faithful = (one for one in self._faithful(lines, room) if unruly or room.is_clean(one.text))
        said = (one for one in chain(faithful, self._anew(text, room, set(beside))) if one.text not in beside)
        tried = islice(said, _MOST_TRIED)
        held = (one for one in tried if unruly or self._holds(text, one.text))
        return next((one for one in held if room.adds(one.text, beside)), None) or Rendering(text, text)

    def _holds(self, origin: str, text: str) -> bool:
        """Whether nothing that must stay as it is was lost or added."""
        order = self.order
        found = slips(
            origin,
            text,
            order.product,
            source=order.source_language.code,
            target=order.target_language.code,
            keep=order.keep,
            glossary=order.glossary,
        )
        return not any(slip.severity == "block" for slip in found)

    def _another(self, text: str, room: Room, made: Sequence[Rendering], at: int) -> Rendering:
        """Another way than `made[at]` to say it; a person's own words, names and pictures have none."""
        kept = room.form in (*_KEPT_FORMS, "alt") or _is_written(read_text(text, self._words, self._source))
        anew = iter(()) if kept else self._anew(text, room, {one.text for one in made})
        return next((one for one in islice(anew, _MOST_TRIED) if self._holds(text, one.text)), made[at])

    def _faithful(self, lines: Sequence[Line], room: Room) -> Iterator[Rendering]:
        """All that was said, then said shorter, then with ever more of its end left out."""
        for kept in (lines, *_cuts(lines)):
            for short in (False, True):
                text = say(kept, self._target, short=short)
                if room.fits(text, soft=False):
                    yield Rendering(text, say(kept, self._source, short=short))

    def _anew(self, text: str, room: Room, taken: set[str]) -> Iterator[Rendering]:
        voice = self._voice(text)
        shorter = Wish.read(self.order.comment or "").shorter
        for made in choices(voice, room, taken=taken, shorter=shorter):
            yield Rendering(made, say(read_text(made, self._words, self._target), self._source))

    def _voice(self, text: str) -> Voice:
        seed = f"{self._words.name}|{text}|{self.order.comment}|{len(self.order.feedback)}"
        tones = Wish.read(self.order.comment or "").tones or tones_of(self.order.tone)
        return Voice(self._target, self._words, tones, seed, first=digest(seed))

    def _is_blamed(self, placement: str, slot: str, at: int) -> bool:
        """Feedback quotes the earlier translation, which is not at hand: only its place can be matched."""
        return quoted(self.order.feedback, placement, slot, at, "")

    def _tag(self, tag: str) -> str:
        known = {p.variants(self._source)[0].casefold(): p.variants(self._target)[0] for p in phrases("hashtag")}
        return known.get(tag.casefold(), tag)

    @cached_property
    def _words(self) -> Words:
        return Words.of(self.order.product)

    @cached_property
    def _source(self) -> str:
        return spoken(self.order.source_language.code)

    @cached_property
    def _target(self) -> str:
        return spoken(self.order.target_language.code)


def _is_written(lines: Sequence[Line]) -> bool:
    return any(isinstance(line, Raw) for line in lines)


def _cuts(lines: Sequence[Line]) -> Iterator[Sequence[Line]]:
    """`lines` with the last thing left out, then the last two, until one thing is left."""
    shorter = list(lines)
    while shorter:
        last = shorter.pop()
        if isinstance(last, tuple) and len(last) > 1:
            shorter.append(last[:-1])
        elif not shorter:
            return
        yield tuple(shorter)
