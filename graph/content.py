"""What people see of a campaign: the state as the API's content, and hashes of what was shown."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import cast

from agents.copywriter import CAMPAIGN
from agents.moderator import Text
from graph.desks import VARIANTS, desk, placement_of
from graph.look import EVERYWHERE, in_force
from graph.state import JSON, CampaignState, Gate

ALT_TEXT = "alt_text"
SUBLINE = "subline"


def content(state: CampaignState) -> JSON:
    """The campaign as far as it has come: brief, study, copy, verdict, claims, translations, focus, creatives."""
    verdicts, claims = state.get("verdicts", {}), state.get("claims", {})
    order = state.get("order", {})
    ordered = order.get("placements", [])
    given = in_force(order.get("focus", {}), state.get("focus", {}))
    return {
        "brief": state.get("brief"),
        "study": state.get("study"),
        "copy": copy_view(state["copy"], ordered) if state.get("copy") else None,
        "verdict": verdicts.get("copy"),
        "claims": claims.get("copy", []),
        "translations": {
            language: {
                **copy_view(translated["copy"], ordered),
                **{k: v for k, v in translated.items() if k != "copy"},
                "verdict": verdicts.get(language),
                "claims": claims.get(language, []),
            }
            for language, translated in state.get("translations", {}).items()
            if "copy" in translated
        },
        "failures": {
            language: translated["failure"]
            for language, translated in state.get("translations", {}).items()
            if "failure" in translated
        },
        "focus": {name: given.get(name) for name in (EVERYWHERE, *ordered)},
        "creatives": [
            creative
            for made in state.get("creatives", {}).values()
            for creative in made
            if "failure" not in state.get("translations", {}).get(creative["language"], {})
        ],
    }


def copy_view(copy: Mapping[str, JSON], placements: Sequence[str]) -> JSON:
    """Texts as people read them: the campaign's own lines, then by placement as ordered, then other variants."""
    others = {
        variant: _variant_view(copy, placements, variant)
        for variant in VARIANTS[1:]
        if desk(CAMPAIGN.id, variant) in copy
    }
    return _variant_view(copy, placements, VARIANTS[0]) | ({"variants": others} if others else {})


def _variant_view(copy: Mapping[str, JSON], placements: Sequence[str], variant: str) -> JSON:
    own = copy.get(desk(CAMPAIGN.id, variant), {})
    return {
        "headlines": own.get("headline", []),
        SUBLINE: next(iter(own.get(SUBLINE, [])), None),
        "call_to_action": next(iter(own.get("call_to_action", [])), None),
        ALT_TEXT: next(iter(own.get(ALT_TEXT, [])), None),
        "placements": {name: copy[at] for name in placements if (at := desk(name, variant)) in copy},
    }


def copy_of(view: JSON) -> dict[str, JSON]:
    """The inverse of `copy_view`."""
    variants = {VARIANTS[0]: view, **view.get("variants", {})}
    return {at: texts for variant, seen in variants.items() for at, texts in _desks_of(seen, variant).items()}


def _desks_of(view: JSON, variant: str) -> dict[str, JSON]:
    own = {"headline": view["headlines"], "call_to_action": [view["call_to_action"]], "hashtags": []}
    own |= {slot: [view[slot]] for slot in (SUBLINE, ALT_TEXT) if view.get(slot) is not None}
    texts = {CAMPAIGN.id: own, **view["placements"]}
    return {desk(name, variant): said for name, said in texts.items()}


def with_alt_text(state: CampaignState) -> dict[str, JSON]:
    """The copy as it is judged and translated: the campaign's own lines with the art director's alt text."""
    alt_text = {ALT_TEXT: [state["study"]["alt_text"]]}
    return {
        name: {**texts, **alt_text} if placement_of(name) == CAMPAIGN.id else texts
        for name, texts in state["copy"].items()
    }


def shown(gate: Gate, state: CampaignState) -> JSON:
    """What a reviewer is shown at `gate`, and may edit the texts of."""
    everything = content(state)
    if gate == "copy":
        return {key: everything[key] for key in ("brief", "study", "copy", "verdict", "claims")}
    seen = ("copy", "translations", "failures", "focus", "creatives", "verdict", "claims")
    return {key: everything[key] for key in seen}


def edited(state: CampaignState) -> frozenset[str]:
    """The languages whose texts a person has changed at a gate."""
    order, found = state["order"], set[str]()
    for decision in state.get("decisions", []):
        if decision["type"] == "edit" and decision["gate"] == "copy":
            found.add(order.get("source_language", "en"))
        elif decision["type"] == "edit":
            pointers = decision.get("edits", [])
            found |= {pointer.split("/")[2] for pointer in pointers if pointer.startswith("/translations/")}
            found |= set() if pointers else {*order["languages"]}  # an edit in other forms names no texts
    return frozenset(found)


def revision(gate: Gate, state: CampaignState) -> str:
    """A hash of what `gate` approves; any change to it is another revision."""
    approved: JSON = {"copy": state.get("copy")}
    if gate == "creatives":
        approved |= {"translations": state.get("translations"), "creatives": state.get("creatives")}
    return fingerprint(approved)


def fingerprint(value: object) -> str:
    """The first 24 hex digits of the SHA-256 of `value` as canonical JSON."""
    canonical = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()[:24]


def texts(copy: Mapping[str, JSON], *, source: Mapping[str, JSON] | None = None) -> Iterator[Text]:
    """Every text of `copy`, with the `source` text that it translates where one is given."""
    for placement, slots in copy.items():
        for field, lines in slots.items():
            origins = cast("Sequence[str]", (source or {}).get(placement, {}).get(field, ()))
            for index, line in enumerate(lines):
                yield Text(placement, field, index, line, origins[index] if index < len(origins) else None)
