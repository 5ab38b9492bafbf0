"""The steps of a campaign: the only place where agents meet state.

A step reads channels, calls agents and tools, and returns what its channels become. Each
model call is a checkpointed unit of its own: a step makes one, or makes several as tasks.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ParamSpec, TypeVar, cast

from langchain_core.runnables.config import ensure_config, merge_configs, var_child_runnable_config
from langgraph.func import task
from langgraph.types import interrupt

from agents import briefing, copywriter, moderator, resizer, translator
from agents.copywriter import CAMPAIGN
from agents.model import Account, Answer, Check, Flag, Model, ModelGarbled, Models, T
from agents.moderator import Text
from agents.product import Product
from agents.prompts import Rendered
from graph import approval
from graph.approval import Resume
from graph.content import ALT_TEXT, content, copy_of, fingerprint, revision, shown, texts
from graph.costs import entry, total
from graph.state import JSON, CampaignState, Gate, Order, Render, Translate, WriteCopy
from tools import package
from tools.assets import AssetStore
from tools.creatives import Photo, draw
from tools.languages import language as language_of
from tools.lint import lint
from tools.placements import PLACEMENTS, Placement

Update = CampaignState
P = ParamSpec("P")
R = TypeVar("R")


MAX_ROUNDS = 2
"""How often moderation sends a text back before a person must look."""


@dataclass(frozen=True)
class Ports:
    """What the steps need of the outside world."""

    models: Models
    assets: AssetStore


class _InStep:
    """A `Model` whose calls say in traces which step made them."""

    def __init__(self, model: Model) -> None:
        self._model = model

    async def answer(
        self, agent: str, prompt: Rendered, output: type[T], *, check: Check[T] | None = None
    ) -> Answer[T]:
        """See `Model.answer`."""
        config = ensure_config()
        step = config.get("metadata", {}).get("langgraph_node", agent)
        token = var_child_runnable_config.set(merge_configs(config, {"metadata": {"step": step}}))
        try:
            return await self._model.answer(agent, prompt, output, check=check)
        finally:
            var_child_runnable_config.reset(token)

    async def screen(self, texts: Sequence[str]) -> list[Flag]:
        """See `Model.screen`."""
        return await self._model.screen(texts)


class Steps:
    """The nodes of the graph, as methods bound to their ports."""

    def __init__(self, ports: Ports) -> None:
        self._models = ports.models
        self._assets = ports.assets
        self._judge = _checkpointed("judge", self._judge_texts)
        self._screen = _checkpointed("screen", self._screen_texts)

    async def brief(self, state: CampaignState) -> Update:
        """Say what the campaign is about, and fill in what the order left to defaults."""
        order = _order(state)
        answer = await briefing.write_brief(
            self._model(order.tenant),
            order.product,
            tone=order.tone,
            audience=order.audience,
            language=order.source_language,
            placements=[PLACEMENTS[name].title for name in order.placements],
        )
        return {
            "order": order.model_dump(mode="json"),
            "brief": answer.output.model_dump(),
            "costs": [entry("brief", answer)],
        }

    async def study(self, state: CampaignState) -> Update:
        """Look at the photo: where the product is, and how to say it in words."""
        order = _order(state)
        photo = await self._photo(order)
        proxy = await asyncio.to_thread(photo.proxy)
        answer = await resizer.study_picture(
            self._model(order.tenant),
            order.product,
            picture=proxy,
            media_type="image/jpeg",
            language=order.source_language,
        )
        measured = await asyncio.to_thread(photo.measure)
        return {"study": {**answer.output.model_dump(), **measured}, "costs": [entry("study", answer)]}

    async def assign(self, state: CampaignState) -> Update:
        """Wait for brief and study; the writers start from here, placements that take no text without one."""
        return {"copy": _wordless(state["order"]["placements"])}

    async def write_copy(self, state: WriteCopy) -> Update:
        """Write the copy of one platform's placements."""
        order = Order.model_validate(state["order"])
        answer = await copywriter.write_copy(
            self._model(order.tenant, take=state.get("take", 0)),
            order.product,
            brief=briefing.Brief.model_validate(state["brief"]),
            tone=order.tone,
            language=order.source_language,
            placements=[_placement(name) for name in state["placements"]],
            previous=state["previous"] or None,
            feedback=state["feedback"],
            comment=state["comment"],
        )
        return {
            "copy": complete(state["placements"], answer.output.placements),
            "costs": [entry("write_copy", answer)],
        }

    async def moderate_copy(self, state: CampaignState) -> Update:
        """Judge the copy: rules first, then the provider's screen and the model side by side."""
        order, copy = _order(state), state["copy"]
        found = lint_findings(copy, order, order.source_language)
        costs: list[JSON] = []
        if not _blocks(found):
            judged, screened = await asyncio.gather(
                self._judge(state["order"], order.source_language, copy, None), self._screen(order.tenant, copy)
            )
            found += judged["findings"] + screened
            costs.append(judged["cost"])
        return moderated("copy", found, state, edited=was_edited("copy", state), costs=costs)

    async def gate_copy(self, state: CampaignState) -> Update:
        """Wait until a person has decided on the copy."""
        return self._ask("copy", state)

    async def translate(self, state: Translate) -> Update:
        """Carry the copy into one language."""
        order, name = Order.model_validate(state["order"]), state["language"]
        previous = state["previous"] or {"copy": {}, "back_translation": {}}
        blamed = {finding["placement"] for finding in state["feedback"]} or set(state["copy"])
        silent = _wordless(order.placements)
        asked = [placement for placement in state["copy"] if placement in blamed - silent.keys()]
        answer = await translator.translate(
            self._model(order.tenant, take=state.get("take", 0)),
            order.product,
            tone=order.tone,
            source=language_of(order.source_language),
            target=language_of(name),
            copy=state["copy"],
            placements=[_spoken(placement) for placement in asked],
            feedback=state["feedback"],
            comment=state["comment"],
        )
        made = answer.output.placements
        copy = {**silent, **previous["copy"], **complete(asked, made)}
        back = {
            one.placement: {s.slot: s.back_translations for s in one.slots}
            for one in made
            if one.placement in asked
        }
        return {
            "translations": {name: {"copy": copy, "back_translation": {**previous["back_translation"], **back}}},
            "costs": [entry("translate", answer, language=name)],
        }

    async def moderate_translations(self, state: CampaignState) -> Update:
        """Judge every translation that nobody has judged yet, all languages side by side."""
        changed = [name for name in state["order"]["languages"] if unjudged(state, name)]
        updates = await asyncio.gather(*(self._moderate_language(state, name) for name in changed))
        return {
            "verdicts": {k: v for update in updates for k, v in update["verdicts"].items()},
            "rounds": {k: v for update in updates for k, v in update["rounds"].items()},
            "costs": [cost for update in updates for cost in update["costs"]],
        }

    async def render(self, state: Render) -> Update:
        """Make every picture of one language."""
        order = Order.model_validate(state["order"])
        photo = await self._photo(order)
        made = await asyncio.to_thread(
            draw,
            photo,
            [PLACEMENTS[name] for name in order.placements],
            language=language_of(state["language"]),
            headline=state["lines"]["headline"][0],
            call_to_action=state["lines"]["call_to_action"][0],
            measured=state["study"],
        )
        creatives = [
            {
                "placement": one.placement,
                "size": one.size,
                "language": state["language"],
                "asset": (await self._assets.put(one.data, one.media_type, tenant=order.tenant)).as_json()
                | {"width": one.width, "height": one.height},
                "alt_text": next(iter(state["lines"].get(ALT_TEXT, [])), state["study"]["alt_text"]),
                "checks": one.checks,
            }
            for one in made
        ]
        return {"creatives": {state["language"]: creatives}}

    async def assemble(self, state: CampaignState) -> Update:  # noqa: ARG002
        """Wait for the pictures of every language."""
        return {}

    async def gate_creatives(self, state: CampaignState) -> Update:
        """Wait until a person has decided on pictures and translations."""
        return self._ask("creatives", state)

    async def package(self, state: CampaignState) -> Update:
        """Pack everything for upload: pictures, texts, manifest, contact sheet, page."""
        order = _order(state)
        seen = content(state)
        pictures = {
            sha: await self._assets.get(sha, tenant=order.tenant)
            for sha in sorted({creative["asset"]["sha256"] for creative in seen["creatives"]})
        }
        built = await asyncio.to_thread(
            package.build,
            order.model_dump(mode="json"),
            seen,
            pictures,
            cost=total(state.get("costs", [])),
            approved=state.get("approved", {}),
        )
        kept = await self._assets.put(built.data, "application/zip", tenant=order.tenant)
        return {"package": {"asset": kept.as_json(), "files": built.files}, "outcome": "completed"}

    def _ask(self, gate: Gate, state: CampaignState) -> Update:
        answer = interrupt(approval.request(gate, state), response_schema=Resume)
        decision = answer.decisions[0]
        number = revision(gate, state)
        stale = decision.revision not in (None, number)
        update: CampaignState = {"comment": decision.message if decision.type == "respond" else None}
        if decision.type == "edit" and not stale:
            update |= _apply(gate, state, approval.edited(gate, shown(gate, state), decision))
            number = revision(gate, {**state, **update})
        goes_on = decision.type == "approve" or (decision.type == "edit" and gate == "copy")
        if goes_on and not stale:
            update["approved"] = {gate: number}
        if decision.type == "reject":
            update["outcome"] = "rejected"
        if decision.type == "respond":
            update["rounds"] = {"copy": 0} if gate == "copy" else dict.fromkeys(state["order"]["languages"], 0)
        kept = decision.model_dump(exclude={"edited_action"}, exclude_none=True)
        update["decisions"] = [{**kept, "gate": gate, "type": "stale" if stale else decision.type}]
        return update

    async def _moderate_language(self, state: CampaignState, name: str) -> Update:
        order, copy = _order(state), state["translations"][name]["copy"]
        found = lint_findings(copy, order, name)
        costs: list[JSON] = []
        if not _blocks(found):
            judged, screened = await asyncio.gather(
                self._judge(state["order"], name, copy, state["copy"]), self._screen(order.tenant, copy)
            )
            found += judged["findings"] + screened
            costs.append(judged["cost"])
        return moderated(name, found, state, edited=was_edited("creatives", state), costs=costs)

    async def _judge_texts(
        self, order: JSON, language: str, copy: dict[str, JSON], source: dict[str, JSON] | None
    ) -> JSON:
        said = _judged_texts(copy, source)
        answer = await moderator.judge(
            self._model(order.get("tenant", "default")),
            Product.model_validate(order["product"]),
            tone=order["tone"],
            language=language,
            texts=said,
        )
        found = [finding.as_json() for finding in moderator.findings(answer.output, said)]
        return {"findings": found, "cost": entry("judge", answer, language=language)}

    async def _screen_texts(self, tenant: str, copy: dict[str, JSON]) -> list[JSON]:
        found = await moderator.screen(self._model(tenant), _judged_texts(copy, None))
        return [finding.as_json() for finding in found]

    def _model(self, tenant: str, *, take: int = 0) -> Model:
        """The model as this campaign's account has it; whoever runs the graph says what it may cost."""
        run = ensure_config().get("configurable", {})
        budget = run.get("budget_usd")
        account = Account(tenant, str(run.get("thread_id", "")), None if budget is None else Decimal(budget), take)
        return _InStep(self._models.on(account))

    async def _photo(self, order: Order) -> Photo:
        data = await self._assets.get(order.picture.sha256, tenant=order.tenant)
        return await asyncio.to_thread(Photo.open, data)


def _checkpointed(name: str, call: Callable[P, Coroutine[Any, Any, R]]) -> Callable[P, Awaitable[R]]:
    """`call` as a unit whose answer is kept, so that a repeated step does not make it again."""
    return cast("Callable[P, Awaitable[R]]", task(name=name)(cast("Any", call)))


def _order(state: CampaignState) -> Order:
    return Order.model_validate(state["order"])


def _placement(name: str) -> Placement:
    return CAMPAIGN if name == CAMPAIGN.id else PLACEMENTS[name]


def _spoken(name: str) -> Placement:
    """The placement with every slot that is translated: the campaign's own lines gain the alt text."""
    return translator.CAMPAIGN if name == CAMPAIGN.id else PLACEMENTS[name]


def _wordless(placements: Sequence[str]) -> dict[str, JSON]:
    """The copy of placements that take no text: a story is its picture."""
    return {name: {"hashtags": []} for name in placements if not PLACEMENTS[name].slots}


def _slots(made: copywriter.PlacementCopy | translator.TranslatedPlacement) -> JSON:
    return {slot.slot: slot.texts for slot in made.slots} | {"hashtags": made.hashtags}


def lint_findings(copy: Mapping[str, JSON], order: Order, language: str) -> list[JSON]:
    """What the rules say of every text of `copy`, which is in `language` (BCP 47)."""
    return [
        finding.as_json()
        for name, slots in copy.items()
        for finding in lint(
            _spoken(name),
            {field: lines for field, lines in slots.items() if field != "hashtags"},
            slots.get("hashtags", ()),
            language=language,
            product=order.product.facts(),
        )
    ]


def _judged_texts(copy: Mapping[str, JSON], source: Mapping[str, JSON] | None) -> list[Text]:
    return list(texts(copy, source=source))


def _blocks(findings: Sequence[Mapping[str, Any]]) -> bool:
    return any(finding["severity"] == "block" for finding in findings)


def moderated(
    what: str, findings: list[JSON], state: CampaignState, *, edited: bool, costs: list[JSON]
) -> CampaignState:
    """The verdict on `what`: back to the writer while rounds are left, unless a person wrote it."""
    rounds = state.get("rounds", {}).get(what, 0)
    decision = "pass"
    if _blocks(findings):
        decision = "block" if edited else "revise" if rounds < MAX_ROUNDS else "needs_human"
    verdict = {"decision": decision, "findings": findings, "of": fingerprint(_judged(what, state))}
    return {"verdicts": {what: verdict}, "rounds": {what: rounds + (decision == "revise")}, "costs": costs}


def _judged(what: str, state: CampaignState) -> object:
    return state["copy"] if what == "copy" else state["translations"][what]["copy"]


def unjudged(state: CampaignState, language: str) -> bool:
    """Whether a translation must be judged: it is new, it was changed, or it was sent back."""
    verdict = state.get("verdicts", {}).get(language, {})
    return verdict.get("decision") == "revise" or verdict.get("of") != fingerprint(_judged(language, state))


def was_edited(gate: Gate, state: CampaignState) -> bool:
    """Whether what is judged now is what a person wrote at `gate`."""
    decisions = state.get("decisions", [])
    return bool(decisions) and (decisions[-1]["type"], decisions[-1]["gate"]) == ("edit", gate)


def complete(
    asked: Iterable[str], made: Sequence[copywriter.PlacementCopy] | Sequence[translator.TranslatedPlacement]
) -> dict[str, JSON]:
    """What was asked for, by placement, whatever else came; raises `ModelGarbled` when one is missing."""
    written = {one.placement: _slots(one) for one in made}
    if missing := [name for name in asked if name not in written]:
        raise ModelGarbled(f"The model left out {', '.join(missing)}.")
    return {name: written[name] for name in asked}


def _apply(gate: Gate, state: CampaignState, edited: JSON) -> CampaignState:
    if gate == "copy":
        return {"copy": copy_of(edited["copy"])}
    return {
        "translations": {
            language: _retold(state["translations"][language], copy_of(view))
            for language, view in edited["translations"].items()
        }
    }


def _retold(translated: JSON, copy: dict[str, JSON]) -> JSON:
    """A translation with a person's `copy`; what they changed has no back-translation any more."""
    back = {
        placement: {
            slot: [
                said if old == new else ""
                for said, old, new in zip(
                    lines, translated["copy"][placement][slot], copy[placement][slot], strict=False
                )
            ]
            for slot, lines in slots.items()
        }
        for placement, slots in translated["back_translation"].items()
    }
    return {"copy": copy, "back_translation": back}
