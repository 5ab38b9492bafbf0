"""What people see of a campaign: the state as the API's content, and hashes of what was shown."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from agents.copywriter import CAMPAIGN
from agents.moderator import Text
from graph.state import JSON, CampaignState, Gate

ALT_TEXT = "alt_text"


def content(state: CampaignState) -> JSON:
    """The campaign as far as it has come: brief, study, copy, verdict, translations, creatives."""
    verdicts, ordered = state.get("verdicts", {}), state.get("order", {}).get("placements", [])
    return {
        "brief": state.get("brief"),
        "study": state.get("study"),
        "copy": copy_view(state["copy"], ordered) if state.get("copy") else None,
        "verdict": verdicts.get("copy"),
        "translations": {
            language: {
                **copy_view(translated["copy"], ordered),
                **{k: v for k, v in translated.items() if k != "copy"},
                "verdict": verdicts.get(language),
            }
            for language, translated in state.get("translations", {}).items()
        },
        "creatives": [creative for made in state.get("creatives", {}).values() for creative in made],
    }


def copy_view(copy: Mapping[str, JSON], placements: Sequence[str]) -> JSON:
    """Texts as people read them: the campaign's own lines first, then by placement as they were ordered."""
    own = copy.get(CAMPAIGN.id, {})
    return {
        "headlines": own.get("headline", []),
        "call_to_action": next(iter(own.get("call_to_action", [])), None),
        ALT_TEXT: next(iter(own.get(ALT_TEXT, [])), None),
        "placements": {placement: copy[placement] for placement in placements if placement in copy},
    }


def copy_of(view: JSON) -> dict[str, JSON]:
    """The inverse of `copy_view`."""
    own = {"headline": view["headlines"], "call_to_action": [view["call_to_action"]], "hashtags": []}
    if view.get(ALT_TEXT) is not None:
        own[ALT_TEXT] = [view[ALT_TEXT]]
    return {CAMPAIGN.id: own, **view["placements"]}


def shown(gate: Gate, state: CampaignState) -> JSON:
    """What a reviewer is shown at `gate`, and may edit the texts of."""
    everything = content(state)
    if gate == "copy":
        return {key: everything[key] for key in ("brief", "study", "copy", "verdict")}
    return {key: everything[key] for key in ("copy", "translations", "creatives", "verdict")}


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


def decided(findings: Sequence[Mapping[str, Any]]) -> str:
    """The verdict's word for `findings`: `revise` when a writer can mend what blocks, else `pass`."""
    return "revise" if any(finding["severity"] == "block" for finding in findings) else "pass"
