"""Moderation: rules first, then the provider's screen and the model as judge, and the verdict of them all.

Rules cost nothing, so the writers hold their own texts to them and mend what they can; what a rule still finds
here is for a person. A layer that cannot answer never counts as silence: a person must look then too.
"""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from agents import moderator
from agents.copywriter import CAMPAIGN
from agents.model import BudgetSpent, ModelError, Models
from agents.moderator import Text
from graph import rules
from graph.calls import checkpointed, model_of
from graph.content import fingerprint, texts, with_alt_text
from graph.costs import entry
from graph.state import JSON, CampaignState, Gate, Order
from tools.policy.rule import HOUSE, Finding, Severity

MAX_ROUNDS = 2
"""How often the judge or the screen sends a text back before a person must look."""

PICTURE = "picture"
"""The field of a finding that is about the product's photo: no writer can mend it."""

_UNANSWERED = "unanswered"


class Moderation:
    """The layers that ask somebody."""

    def __init__(self, models: Models) -> None:
        self._models = models
        self._judge = checkpointed("judge", self._ask_judge)
        self._screen = checkpointed("screen", self._ask_screen)

    async def of_copy(self, state: CampaignState) -> CampaignState:
        """Judge the copy, the photo as it was screened, and what the client says of the product."""
        order, copy = Order.model_validate(state["order"]), with_alt_text(state)
        seen = [*state["study"].get("findings", [_UNSCREENED]), *rules.forbidden(order)]
        return await self._moderated("copy", state, order, copy, language=order.source_language, seen=seen)

    async def of_translations(self, state: CampaignState) -> CampaignState:
        """Judge every translation that nobody has judged yet, all languages side by side."""
        order = Order.model_validate(state["order"])
        changed = [name for name in order.languages if unjudged(state, name)]
        updates = await asyncio.gather(*(self._of_translation(state, order, name) for name in changed))
        return {
            "verdicts": {k: v for update in updates for k, v in update["verdicts"].items()},
            "rounds": {k: v for update in updates for k, v in update["rounds"].items()},
            "claims": {k: v for update in updates for k, v in update["claims"].items()},
            "costs": [cost for update in updates for cost in update["costs"]],
        }

    async def _of_translation(self, state: CampaignState, order: Order, name: str) -> CampaignState:
        translated = state["translations"][name]
        if "copy" not in translated:
            found = [_unanswered("translation", translated["failure"]["detail"])]
            return {**moderated(name, found, state, edited=False), "claims": {name: []}, "costs": []}
        source, back = with_alt_text(state), translated["back_translation"]
        return await self._moderated(
            name, state, order, translated["copy"], language=name, source=source, back=back
        )

    async def _moderated(
        self,
        what: str,
        state: CampaignState,
        order: Order,
        copy: dict[str, JSON],
        *,
        language: str,
        source: dict[str, JSON] | None = None,
        back: Mapping[str, JSON] = MappingProxyType({}),
        seen: Sequence[JSON] = (),
    ) -> CampaignState:
        judged, flagged, (ruled, claims) = await asyncio.gather(
            self._judge(state["order"], language, copy, source),
            self._screen(order.tenant, copy),
            asyncio.to_thread(_ruled, copy, order, language, source),
        )
        edited = was_edited("copy" if what == "copy" else "creatives", state)
        found = [*seen, *_as_remarks(ruled, back), *judged["findings"], *flagged]
        costs = [judged["cost"]] if judged["cost"] else []
        return {**moderated(what, found, state, edited=edited), "claims": {what: claims}, "costs": costs}

    async def _ask_judge(
        self, order: JSON, language: str, copy: dict[str, JSON], source: dict[str, JSON] | None
    ) -> JSON:
        asked = Order.model_validate(order)
        said = list(texts(copy, source=source))
        try:
            answer = await moderator.judge(
                model_of(self._models, asked.tenant), asked.product, tone=asked.tone, language=language, texts=said
            )
        except BudgetSpent:
            raise
        except ModelError as error:
            return {"findings": [_unanswered("judge", str(error))], "cost": None}
        found = [finding.as_json() for finding in moderator.findings(answer.output, said)]
        return {"findings": found, "cost": entry("judge", answer, language=language)}

    async def _ask_screen(self, tenant: str, copy: dict[str, JSON]) -> list[JSON]:
        said: list[Text] = list(texts(copy))
        return await screened(moderator.screen(model_of(self._models, tenant), said))


async def screened(screening: Awaitable[Sequence[Finding]]) -> list[JSON]:
    """What a screening finds; one finding for a person when it cannot answer."""
    try:
        return [finding.as_json() for finding in await screening]
    except BudgetSpent:
        raise
    except ModelError as error:
        return [_unanswered("screen", str(error))]


def moderated(what: str, findings: list[JSON], state: CampaignState, *, edited: bool) -> CampaignState:
    """The verdict on `what`, which is "copy" or a language, and the rounds that it has had."""
    rounds = state.get("rounds", {}).get(what, 0)
    decision = decided(findings, rounds=rounds, edited=edited)
    verdict = {"decision": decision, "findings": findings, "of": fingerprint(_judged(what, state))}
    return {"verdicts": {what: verdict}, "rounds": {what: rounds + (decision == "revise")}}


def decided(findings: Sequence[Mapping[str, Any]], *, rounds: int, edited: bool) -> str:
    """`pass`; `revise` while a writer may mend it; else `block` for a person's words, `needs_human` for others."""
    blocking = [finding for finding in findings if finding["severity"] == "block"]
    if not blocking:
        return "pass"
    if edited and not all(_is_unanswered(finding) for finding in blocking):
        return "block"
    mendable = all(_is_mendable(finding) for finding in blocking)
    return "revise" if mendable and rounds < MAX_ROUNDS and not edited else "needs_human"


def unjudged(state: CampaignState, language: str) -> bool:
    """Whether a translation must be judged: it is new, it was changed, or it was sent back."""
    verdict = state.get("verdicts", {}).get(language, {})
    return verdict.get("decision") == "revise" or verdict.get("of") != fingerprint(_judged(language, state))


def was_edited(gate: Gate, state: CampaignState) -> bool:
    """Whether what is judged now is what a person wrote at `gate`."""
    decisions = state.get("decisions", [])
    return bool(decisions) and (decisions[-1]["type"], decisions[-1]["gate"]) == ("edit", gate)


def _judged(what: str, state: CampaignState) -> object:
    return state["copy"] if what == "copy" else state["translations"][what].get("copy")


def _ruled(
    copy: dict[str, JSON], order: Order, language: str, source: dict[str, JSON] | None
) -> tuple[list[JSON], list[JSON]]:
    return rules.findings(copy, order, language, source=source), rules.claims(copy, order, language)


def _as_remarks(ruled: Sequence[JSON], back: Mapping[str, JSON]) -> list[JSON]:
    """A person may translate more freely than a translator: what a text of theirs left out is a warning."""
    return [
        {**finding, "severity": "warn"}
        if finding["rule"].startswith("translation-") and _is_by_hand(finding, back)
        else finding
        for finding in ruled
    ]


def _is_by_hand(finding: JSON, back: Mapping[str, JSON]) -> bool:
    """Whether a person wrote the text: nobody has translated it back."""
    said = back.get(finding["placement"], {}).get(finding["field"], ())
    return finding["index"] is not None and finding["index"] < len(said) and not said[finding["index"]]


def about_photo(rule: str, severity: Severity, message: str) -> JSON:
    """A finding on the product's photo."""
    return _remark(rule, severity, PICTURE, message)


def _unanswered(layer: str, why: str) -> JSON:
    message = f"The {layer} gave no answer, so a person must look. {why}"
    return _remark(f"{layer}-{_UNANSWERED}", "block", layer, message)


def _remark(rule: str, severity: Severity, field: str, message: str) -> JSON:
    """A finding that quotes no text."""
    return Finding(rule, severity, CAMPAIGN.id, field, None, None, "", message, None, HOUSE).as_json()


def _is_unanswered(finding: Mapping[str, Any]) -> bool:
    return str(finding["rule"]).endswith(_UNANSWERED)


def _is_mendable(finding: Mapping[str, Any]) -> bool:
    asked = str(finding["rule"]).startswith(("judge-", "screen-"))
    return asked and finding["field"] != PICTURE and not _is_unanswered(finding)


_UNSCREENED = _unanswered("screen", "The product's photo was not screened.")
