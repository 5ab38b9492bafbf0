"""The room of a slot: what fits its limits and passes the rules that copy is held to."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from agents.copywriter import CAMPAIGN
from agents.offline.orders import SlotOrder
from agents.offline.voice import form_of
from agents.offline.words import short_name
from tools.counting import measure
from tools.lint import lint
from tools.placements import PLACEMENTS, Placement
from tools.policy.finish import near_duplicate
from tools.policy.rule import ProductFacts


@dataclass(frozen=True)
class Room:
    """One slot of one placement, in one language."""

    placement: str
    slot: SlotOrder
    language: str
    facts: ProductFacts
    reserve: int = 0

    def fits(self, text: str, *, soft: bool, fold: bool = False) -> bool:
        """Whether `text` keeps to the hard limit, and with `soft` to that too: a folded text its first line."""
        size = measure(text, self.slot.rule) + self.reserve
        if not text or (self.slot.hard is not None and size > self.slot.hard):
            return False
        if not soft or self.slot.soft is None:
            return True
        return (measure(text.split("\n", 1)[0], self.slot.rule) if fold else size) <= self.slot.soft

    def is_clean(self, text: str) -> bool:
        """Whether no rule warns of `text` or blocks it."""
        if self._placement is None:
            return True
        texts = {self.slot.slot: [text]}
        found = lint(self._placement, texts, language=self.language, product=self.facts)
        return all(finding.severity == "info" or finding.index is None for finding in found)

    def adds(self, text: str, beside: Sequence[str]) -> bool:
        """Whether `text` says something else than those that stand `beside` it in the slot."""
        if self._placement is None or not beside:
            return True
        texts = {self.slot.slot: [*beside, text]}
        found = lint(self._placement, texts, language=self.language, product=self.facts, rules=[near_duplicate])
        return all(finding.index != len(beside) for finding in found)

    def squeezed(self, text: str) -> str:
        """As much of `text` as fits, whole words if there are any."""
        room = None if self.slot.hard is None else self.slot.hard - self.reserve
        return text if room is None else short_name(text, room, self.slot.rule) or text[:1]

    @cached_property
    def form(self) -> str:
        """The name of the form that the slot takes."""
        return form_of(self.placement, self.slot.slot, hard=self.slot.hard, soft=self.slot.soft)

    @cached_property
    def _placement(self) -> Placement | None:
        return CAMPAIGN if self.placement == CAMPAIGN.id else PLACEMENTS.get(self.placement)
