"""What happened to a campaign, from its checkpoints and the decisions that people took."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from langgraph.types import StateSnapshot

from graph.costs import total
from service.tables import Campaign, Decided
from service.wiring import Fanfare


async def history(
    fanfare: Fanfare, campaign: Campaign, snapshots: Sequence[StateSnapshot]
) -> list[dict[str, Any]]:
    """Every checkpoint with the steps that led to it and what they cost, and every decision, oldest first."""
    steps = [_step(before, after) for before, after in pairwise(snapshots)]
    decisions = [_decision(decided) for decided in await fanfare.records.decisions(campaign.id)]
    return sorted([*filter(None, steps), *decisions], key=lambda entry: entry["at"])


def _step(before: StateSnapshot, after: StateSnapshot) -> dict[str, Any] | None:
    """What ran between two checkpoints; None where nothing of ours did."""
    names = sorted({task.name for task in before.tasks if not task.name.startswith("__")})
    if not names:
        return None
    known = len(before.values.get("costs", []))
    return {
        "kind": "step",
        "at": _time(after),
        "steps": names,
        "checkpoint": after.config["configurable"]["checkpoint_id"],
        "cost_usd": total(after.values.get("costs", [])[known:])["usd"],
    }


def _decision(decided: Decided) -> dict[str, Any]:
    shown = ("gate", "revision", "type", "by", "comment", "edits")
    return {"kind": "decision", "at": decided.decided_at} | {name: getattr(decided, name) for name in shown}


def _time(snapshot: StateSnapshot) -> str:
    """The checkpoint's time as the records write times."""
    told = snapshot.created_at or ""
    return told[:23] + "Z" if len(told) > _MILLISECONDS else told


_MILLISECONDS = 23
