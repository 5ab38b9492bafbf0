"""Where a campaign goes next. Pure functions from state to the names of steps, and the fan-outs."""

from collections.abc import Sequence

from langgraph.graph import END
from langgraph.types import Send

from agents.copywriter import CAMPAIGN
from graph.content import revision, with_alt_text
from graph.desks import VARIANTS, desk, placement_of, variant_of, written_for
from graph.look import in_force
from graph.moderation import PICTURE
from graph.state import JSON, CampaignState, Gate, Render, Translate, WriteCopy


def assign_copy(state: CampaignState) -> list[Send]:
    """Every placement to its platform's writer, the campaign's own lines to one of their own."""
    return _write(state, _desks(state), [])


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
            return _write(state, _desks(state), [])
        case "edit":
            return "moderate_copy"
        case "approve" if _approved("copy", state):
            return _onwards(state)
        case _:
            return "gate_copy"


def after_translation(state: CampaignState) -> list[Send]:
    """Back to the translators whose texts were refused; when none is, on to the pictures.

    A language that failed waits for a person; where all have failed it is no language's fault, and all insist.
    """
    languages, translated = state["order"]["languages"], state["translations"]
    if all("copy" not in translated[language] for language in languages):
        return [_translate(state, language, [], insist=True) for language in languages]
    refused = {
        language: state["verdicts"][language]["findings"]
        for language in languages
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
            return "moderate_translations" if state["order"]["languages"] else _render(state)
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
        one.get("remarks") or any(check is False for check in one["checks"].values())
        for made in state["creatives"].values()
        for one in made
    )


def _approved(gate: Gate, state: CampaignState) -> bool:
    return state.get("approved", {}).get(gate) == revision(gate, state)


def _last_decision(state: CampaignState) -> str:
    return str(state["decisions"][-1]["type"])


def _onwards(state: CampaignState) -> list[Send]:
    languages = state["order"]["languages"]
    return [_translate(state, language, []) for language in languages] or _render(state)


def _desks(state: CampaignState) -> list[str]:
    order = state["order"]
    variants = VARIANTS[: order.get("variants", 1)]
    return [desk(name, variant) for variant in variants for name in (CAMPAIGN.id, *order["placements"])]


def _write(state: CampaignState, desks: Sequence[str], findings: list[JSON]) -> list[Send]:
    groups: dict[tuple[str, str], list[str]] = {}
    for name in desks:
        if (placement := written_for(name)).slots:
            groups.setdefault((variant_of(name), placement.platform), []).append(name)
    return [Send("write_copy", _writing(state, group, findings)) for group in groups.values()]


def _writing(state: CampaignState, group: list[str], findings: list[JSON]) -> WriteCopy:
    written = state.get("copy", {})
    return WriteCopy(
        order=state["order"],
        brief=state["brief"],
        desks=group,
        angle=_angle(state, variant_of(group[0])),
        previous={name: written[name] for name in group if name in written},
        feedback=[
            finding for finding in findings if finding["placement"] in group and finding["field"] != PICTURE
        ],
        comment=state.get("comment"),
        take=_take(state),
    )


def _angle(state: CampaignState, variant: str) -> str | None:
    """The message that a variant leads with, each another one; None where there is nothing to test against."""
    messages = state["brief"]["key_messages"]
    several = state["order"].get("variants", 1) > 1
    return messages[VARIANTS.index(variant) % len(messages)] if several else None


def _take(state: CampaignState) -> int:
    """How often people have asked for another: what is made then is never taken from memory."""
    return sum(decision["type"] == "respond" for decision in state.get("decisions", []))


def _blamed(verdict: JSON) -> list[str]:
    return list(dict.fromkeys(f["placement"] for f in verdict["findings"] if f["severity"] == "block"))


def _translate(state: CampaignState, language: str, findings: list[JSON], *, insist: bool = False) -> Send:
    return Send(
        "translate",
        Translate(
            order=state["order"],
            language=language,
            copy=with_alt_text(state),
            previous=state.get("translations", {}).get(language),
            feedback=[finding for finding in findings if finding["severity"] == "block"],
            comment=state.get("comment"),
            take=_take(state),
            insist=insist,
        ),
    )


def _render(state: CampaignState) -> list[Send]:
    languages = state["order"]["languages"]
    lines = {state["order"]["source_language"]: with_alt_text(state)} | {
        language: copy
        for language in languages
        if (copy := state["translations"][language].get("copy")) is not None
    }
    return [
        Send(
            "render",
            Render(
                order=state["order"],
                study=state["study"],
                language=language,
                variant=variant_of(name),
                lines=copy[name],
                focus=in_force(state["order"].get("focus", {}), state.get("focus", {})),
            ),
        )
        for language, copy in lines.items()
        for name in copy
        if placement_of(name) == CAMPAIGN.id
    ]
