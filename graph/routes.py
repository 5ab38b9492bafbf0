"""Where a campaign goes next. Pure functions from state to the names of steps, and the fan-outs."""

from collections.abc import Sequence

from langgraph.graph import END
from langgraph.types import Send

from agents.copywriter import CAMPAIGN
from graph.content import ALT_TEXT, revision
from graph.state import JSON, CampaignState, Gate, Render, Translate, WriteCopy
from tools.placements import PLACEMENTS


def assign_copy(state: CampaignState) -> list[Send]:
    """Every placement to its platform's writer, the campaign's own lines to one of their own."""
    return _write(state, [CAMPAIGN.id, *state["order"]["placements"]], [])


def after_moderation(state: CampaignState) -> list[Send] | str | list[str]:
    """Back to the writers with reasons, to the gate, or past it where no gate is asked for."""
    verdict = state["verdicts"]["copy"]
    if verdict["decision"] == "revise":
        return _write(state, _blamed(verdict), verdict["findings"])
    return "gate_copy" if _must_ask("copy", state, [verdict]) else _onwards(state)


def after_copy_gate(state: CampaignState) -> list[Send] | str | list[str]:
    """As the person decided: end, write anew, check what was edited, or go on."""
    match _last_decision(state):
        case "reject":
            return END
        case "respond":
            return _write(state, [CAMPAIGN.id, *state["order"]["placements"]], [])
        case "edit":
            return "moderate_copy"
        case "approve" if _approved("copy", state):
            return _onwards(state)
        case _:
            return "gate_copy"


def after_translation(state: CampaignState) -> list[Send]:
    """Back to the translators whose texts were refused; when none is, on to the pictures."""
    refused = {
        language: state["verdicts"][language]["findings"]
        for language in state["order"]["languages"]
        if state["verdicts"][language]["decision"] == "revise"
    }
    if refused:
        return [_translate(state, language, findings) for language, findings in refused.items()]
    return _render(state)


def after_pictures(state: CampaignState) -> str:
    """To the second gate, or past it where no gate is asked for."""
    verdicts = [state["verdicts"][language] for language in state["order"]["languages"]]
    return "gate_creatives" if _must_ask("creatives", state, verdicts) else "package"


def after_creatives_gate(state: CampaignState) -> list[Send] | str | list[str]:
    """As the person decided: end, translate and render anew, check what was edited, or pack."""
    match _last_decision(state):
        case "reject":
            return END
        case "respond":
            return _onwards(state)
        case "edit":
            return "moderate_translations"
        case "approve" if _approved("creatives", state):
            return "package"
        case _:
            return "gate_creatives"


def _must_ask(gate: Gate, state: CampaignState, verdicts: Sequence[JSON]) -> bool:
    if any(verdict["decision"] in ("block", "needs_human") for verdict in verdicts):
        return True
    if _approved(gate, state):
        return False
    match state["order"]["approval"]:
        case "required":
            return True
        case "flagged":
            return any(finding["severity"] != "info" for v in verdicts for finding in v["findings"]) or (
                gate == "creatives" and _pictures_flagged(state)
            )
        case _:
            return False


def _pictures_flagged(state: CampaignState) -> bool:
    return any(
        check is False for made in state["creatives"].values() for one in made for check in one["checks"].values()
    )


def _approved(gate: Gate, state: CampaignState) -> bool:
    return state.get("approved", {}).get(gate) == revision(gate, state)


def _last_decision(state: CampaignState) -> str:
    return str(state["decisions"][-1]["type"])


def _onwards(state: CampaignState) -> list[Send]:
    languages = state["order"]["languages"]
    return [_translate(state, language, []) for language in languages] or _render(state)


def _write(state: CampaignState, placements: Sequence[str], findings: list[JSON]) -> list[Send]:
    groups: dict[str, list[str]] = {}
    for placement in placements:
        if placement != CAMPAIGN.id and not PLACEMENTS[placement].slots:
            continue
        platform = placement if placement == CAMPAIGN.id else PLACEMENTS[placement].platform
        groups.setdefault(platform, []).append(placement)
    return [Send("write_copy", _writing(state, group, findings)) for group in groups.values()]


def _writing(state: CampaignState, group: list[str], findings: list[JSON]) -> WriteCopy:
    written = state.get("copy", {})
    return WriteCopy(
        order=state["order"],
        brief=state["brief"],
        placements=group,
        previous={placement: written[placement] for placement in group if placement in written},
        feedback=[finding for finding in findings if finding["placement"] in group],
        comment=state.get("comment"),
        take=_take(state),
    )


def _take(state: CampaignState) -> int:
    """How often people have asked for another: what is made then is never taken from memory."""
    return sum(decision["type"] == "respond" for decision in state.get("decisions", []))


def _blamed(verdict: JSON) -> list[str]:
    return list(dict.fromkeys(f["placement"] for f in verdict["findings"] if f["severity"] == "block"))


def _translate(state: CampaignState, language: str, findings: list[JSON]) -> Send:
    own = {**state["copy"][CAMPAIGN.id], ALT_TEXT: [state["study"]["alt_text"]]}
    return Send(
        "translate",
        Translate(
            order=state["order"],
            language=language,
            copy={**state["copy"], CAMPAIGN.id: own},
            previous=state.get("translations", {}).get(language),
            feedback=[finding for finding in findings if finding["severity"] == "block"],
            comment=state.get("comment"),
            take=_take(state),
        ),
    )


def _render(state: CampaignState) -> list[Send]:
    own = {**state["copy"][CAMPAIGN.id], ALT_TEXT: [state["study"]["alt_text"]]}
    lines = {state["order"]["source_language"]: own} | {
        language: state["translations"][language]["copy"][CAMPAIGN.id] for language in state["order"]["languages"]
    }
    return [
        Send("render", Render(order=state["order"], study=state["study"], language=language, lines=said))
        for language, said in lines.items()
    ]
