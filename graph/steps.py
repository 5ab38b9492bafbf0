"""The steps of a campaign: the only place where agents meet state.

A step reads channels, calls agents and tools, and returns what its channels become. Each
model call is a checkpointed unit of its own: a step makes one, or makes several as tasks.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from langgraph.types import interrupt

from agents import briefing, copywriter, moderator, resizer, translator
from agents.copywriter import Rework
from agents.model import BudgetSpent, Model, ModelError, ModelGarbled, ModelRejected, Models
from graph import approval, rules
from graph.approval import Decision, Resume
from graph.calls import checkpointed, model_of
from graph.content import ALT_TEXT, SUBLINE, content, copy_of, edited, revision, shown
from graph.costs import entry, total, writers
from graph.desks import VARIANTS, desk, placement_of, spoken_for, variant_of, written_for
from graph.look import Brand
from graph.moderation import Moderation, about_photo, screened
from graph.state import JSON, CampaignState, Gate, Order, Render, Translate, WriteCopy
from tools import package
from tools.assets import AssetRef, AssetStore
from tools.creatives import Lines, Photo, drawn, opened
from tools.house import House, furnished
from tools.imaging.signing import Signer
from tools.languages import language as language_of
from tools.placements import PLACEMENTS

Update = CampaignState

REPAIRS = 2
"""How often a writer or translator is told which of its own texts break a rule, before anybody else looks."""

MOST_TEXTS = 40
"""How many texts one call translates, so that no answer outgrows what a model may say at once."""


@dataclass(frozen=True)
class Ports:
    """What the steps need of the outside world."""

    models: Models
    assets: AssetStore
    signer: Signer | None = None


class Steps:
    """The nodes of the graph, as methods bound to their ports."""

    def __init__(self, ports: Ports) -> None:
        self._models = ports.models
        self._assets = ports.assets
        self._signer = ports.signer
        self._moderation = Moderation(ports.models)
        self._write = checkpointed("copywriter", self._ask_copywriter)
        self._translate = checkpointed("translator", self._ask_translator)

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
        photo = await _opened(await self._source(order), order)
        proxy = await asyncio.to_thread(photo.proxy)
        model = self._model(order.tenant)
        study = resizer.study_picture(
            model, order.product, picture=proxy, media_type="image/jpeg", language=order.source_language
        )
        answer, found, measured = await asyncio.gather(
            study,
            screened(moderator.screen_picture(model, proxy, "image/jpeg")),
            asyncio.to_thread(photo.measure),
        )
        if order.picture.reserved:
            found.append(about_photo("picture-reserved", "warn", order.picture.reserved))
        found += [about_photo("picture-near-duplicate", "info", str(one)) for one in order.picture.lookalikes]
        kept = {**answer.output.model_dump(), **measured, "findings": found}
        return {"study": kept, "costs": [entry("study", answer)]}

    async def assign(self, state: CampaignState) -> Update:
        """Wait for brief and study; the writers start from here, placements that take no text without one."""
        return {"copy": _wordless(state["order"]["placements"])}

    async def write_copy(self, state: WriteCopy) -> Update:
        """Write the copy of one platform's placements, and mend what breaks a rule."""
        state = _woken(state)
        order, asked = Order.model_validate(state["order"]), list(state["desks"])

        def again(found: Sequence[JSON], made: Mapping[str, JSON]) -> Awaitable[JSON]:
            blamed = _blamed(found, asked)
            earlier = {name: made[name] for name in blamed}
            return self._write({**state, "desks": blamed, "previous": earlier, "feedback": list(found)})

        made = await _mended(
            self._write(state), again, lambda copy: rules.findings(copy, order, order.source_language)
        )
        return {"copy": made["copy"], "costs": made["costs"]}

    async def moderate_copy(self, state: CampaignState) -> Update:
        """Judge the copy: rules, the provider's screen and the model side by side."""
        return await self._moderation.of_copy(state)

    async def gate_copy(self, state: CampaignState) -> Update:
        """Wait until a person has decided on the copy."""
        return self._ask("copy", state)

    async def translate(self, state: Translate) -> Update:
        """Carry the copy into one language; what only this language fails at stops no other."""
        try:
            return await self._translated(state)
        except (BudgetSpent, ModelRejected):
            raise
        except ModelError as error:
            if state.get("insist"):
                raise
            failure = {"failure": {"code": error.code, "detail": str(error)}}
            return {"translations": {state["language"]: failure}}

    async def moderate_translations(self, state: CampaignState) -> Update:
        """Judge every translation that nobody has judged yet, all languages side by side."""
        return await self._moderation.of_translations(state)

    async def render(self, state: Render) -> Update:
        """Make every picture of one language and variant."""
        order, variant = Order.model_validate(state["order"]), state.get("variant", VARIANTS[0])
        photo = (await _opened(await self._source(order), order)).known_as(
            order.picture.source_says, order.picture.notice
        )
        lines = state["lines"]
        made = await drawn(
            photo,
            [PLACEMENTS[name] for name in order.placements],
            language=language_of(state["language"]),
            lines=Lines(
                lines["headline"][0],
                lines["call_to_action"][0],
                next(iter(lines.get(SUBLINE, [])), None),
                (order.product.name,),
            ),
            measured=state["study"],
            given=state.get("focus", {}),
            house=await self._house(order),
            signer=self._signer,
        )
        creatives = [
            {
                "placement": one.placement,
                "size": one.size,
                "language": state["language"],
                "variant": variant,
                "asset": (await self._keep(one.data, one.media_type, order)).as_json()
                | {"width": one.width, "height": one.height},
                "alt_text": next(iter(lines.get(ALT_TEXT, [])), state["study"]["alt_text"]),
                "focus": one.focus,
                "checks": one.checks,
                "remarks": one.remarks,
                "provenance": one.provenance,
            }
            for one in made
        ]
        return {"creatives": {desk(state["language"], variant): creatives}}

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
            writers=writers(state.get("costs", []), order.source_language),
            edited=edited(state),
        )
        kept = await self._keep(built.data, "application/zip", order)
        return {"package": {"asset": kept.as_json(), "files": built.files}, "outcome": "completed"}

    def _ask(self, gate: Gate, state: CampaignState) -> Update:
        answer = interrupt(approval.request(gate, state), response_schema=Resume)
        decision = answer.decisions[0]
        number = revision(gate, state)
        refused = _refusal(gate, state, decision, number)
        update: CampaignState = {"comment": decision.message if decision.type == "respond" else None}
        if decision.type == "edit" and not refused:
            update |= _apply(gate, state, approval.edited(gate, shown(gate, state), decision))
            number = revision(gate, {**state, **update})
        goes_on = decision.type == "approve" or (decision.type == "edit" and gate == "copy")
        if goes_on and not refused:
            update["approved"] = {gate: number}
        if decision.type == "reject":
            update["outcome"] = "rejected"
        if decision.type == "respond":
            update["rounds"] = {"copy": 0} if gate == "copy" else dict.fromkeys(state["order"]["languages"], 0)
        # Who decided, and what they said, the service keeps, where it can be erased; here are the places alone.
        places = [] if refused else [*decision.edits]
        update["decisions"] = [
            {"gate": gate, "type": refused or decision.type, "revision": decision.revision, "edits": places}
        ]
        return update

    async def _translated(self, state: Translate) -> Update:
        order, name, source = Order.model_validate(state["order"]), state["language"], state["copy"]
        previous = state["previous"] or {}
        silent = _wordless(source)
        blamed = _blamed(state["feedback"], [each for each in source if each not in silent])

        def again(found: Sequence[JSON], made: Mapping[str, JSON]) -> Awaitable[JSON]:
            return self._carried(state, _blamed(found, list(made)), feedback=found, previous=made)

        def check(copy: Mapping[str, JSON]) -> list[JSON]:
            return rules.findings(copy, order, name, source=source)

        first = self._carried(state, blamed, feedback=state["feedback"], previous=previous.get("copy", {}))
        made = await _mended(first, again, check)
        copy = {**silent, **previous.get("copy", {}), **made["copy"]}
        back = {**previous.get("back_translation", {}), **made["back_translation"]}
        return {
            "translations": {name: {"copy": copy, "back_translation": back}},
            "costs": made["costs"],
        }

    async def _carried(
        self, state: Translate, desks: Sequence[str], *, feedback: Sequence[JSON], previous: Mapping[str, JSON]
    ) -> JSON:
        """The texts of `desks` in the language of `state`, asked for in as many calls as their number needs."""
        parts = await asyncio.gather(
            *(
                self._translate(
                    {
                        **state,
                        "copy": {name: state["copy"][name] for name in part},
                        "previous": {name: previous[name] for name in part if name in previous},
                        "feedback": [finding for finding in feedback if finding["placement"] in part],
                    }
                )
                for part in _portions(state["copy"], desks)
            )
        )
        return {
            "copy": {name: texts for part in parts for name, texts in part["copy"].items()},
            "back_translation": {name: b for part in parts for name, b in part["back_translation"].items()},
            "costs": [cost for part in parts for cost in part["costs"]],
        }

    async def _ask_copywriter(self, state: WriteCopy) -> JSON:
        order, brief = Order.model_validate(state["order"]), briefing.Brief.model_validate(state["brief"])
        asked = {placement_of(name): name for name in state["desks"]}
        answer = await copywriter.write_copy(
            self._model(order.tenant, take=state.get("take", 0), step="write_copy"),
            order.product,
            brief=brief,
            tone=order.tone,
            language=order.source_language,
            placements=[written_for(name) for name in state["desks"]],
            keep=order.keep,
            angle=state["angle"],
            rework=_rework(state),
        )
        made = complete(asked, answer.output.placements)
        return {
            "copy": {asked[placement]: texts for placement, texts in made.items()},
            "costs": [entry("write_copy", answer)],
        }

    async def _ask_translator(self, state: Translate) -> JSON:
        order, name, copy = Order.model_validate(state["order"]), state["language"], state["copy"]
        asked = {placement_of(one): one for one in copy}
        answer = await translator.translate(
            self._model(order.tenant, take=state.get("take", 0), step="translate"),
            order.product,
            tone=order.tone,
            source=language_of(order.source_language),
            target=language_of(name),
            copy=_undesked(copy),
            placements=[spoken_for(one) for one in copy],
            keep=order.keep,
            glossary=rules.glossary(order, name),
            rework=_rework(state),
        )
        made = complete(asked, answer.output.placements)
        back = {
            asked[one.placement]: {slot.slot: slot.back_translations for slot in one.slots}
            for one in answer.output.placements
            if one.placement in asked
        }
        return {
            "copy": {asked[placement]: texts for placement, texts in made.items()},
            "back_translation": back,
            "costs": [entry("translate", answer, language=name)],
        }

    def _model(self, tenant: str, *, take: int = 0, step: str | None = None) -> Model:
        return model_of(self._models, tenant, take=take, step=step)

    async def _keep(self, data: bytes, media_type: str, order: Order) -> AssetRef:
        return await self._assets.put(data, media_type, tenant=order.tenant, owner=order.id)

    async def _source(self, order: Order) -> bytes:
        return await self._assets.get(order.picture.sha256, tenant=order.tenant)

    async def _house(self, order: Order) -> House:
        brand = order.brand or Brand()
        named = {part: sha for part in ("logo", "font", "bold_font") if (sha := getattr(brand, part))}
        data = {part: await self._assets.get(sha, tenant=order.tenant) for part, sha in named.items()}
        colours = brand.model_dump(include={"primary", "secondary", "ink", "ground"})
        return await furnished(colours, **data)


async def _opened(data: bytes, order: Order) -> Photo:
    """The photo, as large as the order's placements need it."""
    return await opened(data, [PLACEMENTS[name] for name in order.placements])


def _refusal(gate: Gate, state: CampaignState, decision: Decision, number: str) -> str | None:
    """Why a decision is not taken: it is about what is no longer there, or about what no platform takes."""
    if decision.revision not in (None, number):
        return "stale"
    held = decision.type == "approve" and rules.unfit(approval.findings(gate, shown(gate, state)))
    return "unfit" if held else None


def _order(state: CampaignState) -> Order:
    return Order.model_validate(state["order"])


async def _mended(
    first: Awaitable[JSON],
    again: Callable[[Sequence[JSON], Mapping[str, JSON]], Awaitable[JSON]],
    check: Callable[[Mapping[str, JSON]], list[JSON]],
) -> JSON:
    """What `first` made, with every text made `again` that `check` blocks, while there are repairs left.

    A repair that fails leaves the text as it is, for moderation to show to a person.
    """
    made = await first
    for _ in range(REPAIRS):
        found = rules.blocking(await asyncio.to_thread(check, made["copy"]))
        if not found:
            break
        try:
            made = _joined(made, await again(found, made["copy"]))
        except (BudgetSpent, ModelRejected):
            raise
        except ModelError:
            break
    return made


def _joined(old: JSON, new: JSON) -> JSON:
    """Both together: lists one behind the other, of objects the newer entries."""
    return {
        key: [*held, *new[key]] if isinstance(held, list) else {**held, **new[key]} for key, held in old.items()
    }


def _blamed(found: Iterable[JSON], desks: Sequence[str]) -> list[str]:
    """Those of `desks` that a finding speaks of; all of them where none does."""
    named = {finding["placement"] for finding in found}
    return [name for name in desks if name in named] or list(desks)


def _portions(copy: Mapping[str, JSON], desks: Sequence[str]) -> list[list[str]]:
    """`desks` in portions of one variant each and no more texts than a call should carry."""
    portions: list[list[str]] = []
    for variant in VARIANTS:
        room = -1
        for name in (each for each in desks if variant_of(each) == variant):
            size = sum(len(lines) for lines in copy[name].values())
            if size > room:
                portions.append([])
                room = MOST_TEXTS
            portions[-1].append(name)
            room -= size
    return portions


def _undesked(copy: Mapping[str, JSON]) -> dict[str, JSON]:
    """`copy` by placement: agents know no variants, each call is about one."""
    return {placement_of(name): texts for name, texts in copy.items()}


def _rework(state: WriteCopy | Translate) -> Rework:
    told = [{**finding, "placement": placement_of(finding["placement"])} for finding in state["feedback"]]
    return Rework(_undesked(state["previous"] or {}) or None, told, state["comment"])


def _wordless(desks: Iterable[str]) -> dict[str, JSON]:
    """The copy of desks that take no text: a story is its picture."""
    return {name: {"hashtags": []} for name in desks if not written_for(name).slots}


def _woken(state: WriteCopy) -> WriteCopy:
    """A unit that slept through a release lacks what it did not know then."""
    asleep = cast("JSON", state)
    return cast("WriteCopy", {"angle": None, "desks": asleep.get("placements", []), **asleep})


def _slots(made: copywriter.PlacementCopy | translator.TranslatedPlacement) -> JSON:
    """The texts by slot; a slot that the placement lacks is no answer to anything."""
    known = {slot.name for slot in spoken_for(made.placement).slots}
    return {slot.slot: slot.texts for slot in made.slots if slot.slot in known} | {"hashtags": made.hashtags}


def complete(
    asked: Collection[str], made: Sequence[copywriter.PlacementCopy] | Sequence[translator.TranslatedPlacement]
) -> dict[str, JSON]:
    """What was asked for, by placement, whatever else came; raises `ModelGarbled` when one is missing."""
    written = {one.placement: _slots(one) for one in made if one.placement in asked}
    if missing := [name for name in asked if name not in written]:
        raise ModelGarbled(f"The model left out {', '.join(missing)}.")
    return {name: written[name] for name in asked}


def _apply(gate: Gate, state: CampaignState, changed: JSON) -> CampaignState:
    if gate == "copy":
        return {"copy": copy_of(changed["copy"])}
    return {
        "focus": changed[approval.FOCUS],
        "translations": {
            language: _retold(state["translations"][language], copy_of(view))
            for language, view in changed["translations"].items()
        },
    }


def _retold(translated: JSON, copy: dict[str, JSON]) -> JSON:
    """A translation with a person's `copy`; what they changed has no back-translation any more."""
    back = {
        placement: {
            slot: [
                said if old == new else ""
                for said, old, new in zip(
                    lines, translated["copy"][placement].get(slot, ()), copy[placement].get(slot, ()), strict=False
                )
            ]
            for slot, lines in slots.items()
        }
        for placement, slots in translated["back_translation"].items()
    }
    return {"copy": copy, "back_translation": back}
