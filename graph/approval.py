"""The two gates: what a person is asked, what they may answer, and what an edit does to the content.

A request has the shape of LangChain's human-in-the-loop interrupts, so that Agent Inbox, agent
chat and Studio can show it. An answer may come in that shape or in Agent Inbox's older one.
"""

import copy as copying
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from graph.content import fingerprint, revision, shown
from graph.look import EVERYWHERE, FocusBox
from graph.state import JSON, CampaignState, Gate

DecisionType = Literal["approve", "edit", "reject", "respond"]
DECISIONS: tuple[DecisionType, ...] = ("approve", "edit", "reject", "respond")

_OLDER_TYPES: dict[str, DecisionType] = {
    "accept": "approve",
    "ignore": "reject",
    "response": "respond",
    "edit": "edit",
}
_QUESTIONS: dict[Gate, str] = {
    "copy": "Read every text and its findings. Approved copy is translated and set on the pictures.",
    "creatives": "Look at every picture and translation. What you approve is packed for upload. An edit may say "
    "where the product is, too: /focus/all or /focus/<placement>.",
}


FOCUS = "focus"
"""The key of the content under which people say where the product is."""

_INDEX = re.compile(r"0|[1-9][0-9]{0,3}")


class EditRefused(ValueError):
    """An edit points where nothing may be edited, or puts a thing there that does not belong."""


class EditedAction(BaseModel):
    """LangChain's form of an edit: the action's arguments as the reviewer left them."""

    model_config = ConfigDict(extra="forbid")

    name: str
    args: dict[str, Any]


class Decision(BaseModel):
    """What a person decided at a gate."""

    model_config = ConfigDict(extra="forbid")

    type: DecisionType
    revision: str | None = Field(default=None, description="The revision that was decided on.")
    edits: dict[str, Any] = Field(
        default_factory=dict, description="For `edit`: JSON pointers into the content, and the new values."
    )
    edited_action: EditedAction | None = Field(default=None, description="For `edit`: the whole content, edited.")
    message: str | None = Field(default=None, max_length=4000, description="For `respond` and `reject`.")
    by: str | None = Field(default=None, description="Who decided.")


class Resume(BaseModel):
    """The answer to a gate's interrupt: one decision for its one action."""

    model_config = ConfigDict(extra="forbid")

    decisions: list[Decision] = Field(min_length=1, max_length=1)

    @model_validator(mode="before")
    @classmethod
    def _older_shape(cls, value: object) -> object:
        first: object = next(iter(cast("list[object]", value)), None) if isinstance(value, list) else value
        if isinstance(first, dict) and "type" in first:
            return {"decisions": [_from_inbox(cast("JSON", first))]}
        return cast("object", value)

    @field_validator("decisions")
    @classmethod
    def _words_where_needed(cls, decisions: list[Decision]) -> list[Decision]:
        for decision in decisions:
            if decision.type == "respond" and not decision.message:
                raise ValueError("respond needs a message that says what should change")
        return decisions


def request(gate: Gate, state: CampaignState) -> JSON:
    """The interrupt of `gate` for what `state` holds now."""
    name = f"approve_{gate}"
    number = revision(gate, state)
    return {
        "action_requests": [
            {
                "name": name,
                "args": {"gate": gate, "revision": number, "content": shown(gate, state)},
                "description": _QUESTIONS[gate],
            }
        ],
        "review_configs": [{"action_name": name, "allowed_decisions": list(DECISIONS)}],
    }


def findings(gate: Gate, content: JSON) -> list[JSON]:
    """What moderation found in the texts that `gate` approves, as `content` shows it."""
    views: list[JSON] = [content] if gate == "copy" else list(content["translations"].values())
    verdicts: list[JSON] = [view["verdict"] for view in views if view.get("verdict")]
    return [finding for verdict in verdicts for finding in verdict["findings"]]


def edited(gate: Gate, content: JSON, decision: Decision) -> JSON:
    """`content` (what was shown at `gate`) with the decision's edits applied.

    Raises `EditRefused` when a pointer leaves what may be edited there, or a value is not of its kind.
    """
    result = copying.deepcopy(content)
    if decision.edited_action:
        wanted = cast("JSON", decision.edited_action.args.get("content", {}))
        for pointer, value in _differences(content, wanted):
            _set(gate, result, pointer, value)
    for pointer, value in decision.edits.items():
        _set(gate, result, pointer, value)
    if fingerprint(result) == fingerprint(content):
        raise EditRefused("The edit changes nothing; approve instead, or say what should be different.")
    return result


def _from_inbox(answer: JSON) -> JSON:
    kind = _OLDER_TYPES.get(str(answer["type"]))
    if kind is None or "args" not in answer:
        return answer
    args = answer["args"]
    if kind == "edit":
        inner = cast("JSON", args)
        return {
            "type": kind,
            "edited_action": {"name": inner.get("action", ""), "args": inner.get("args", inner)},
        }
    return {"type": kind, "message": args if isinstance(args, str) else None}


_TEXTS = ("headlines", "subline", "call_to_action", "alt_text", "placements", "variants")


def _is_editable(gate: Gate, path: Sequence[str]) -> bool:
    """Whether `path` leads into the texts that `gate` approves: the copy, or what a translation says."""
    root, depth = ("copy", 1) if gate == "copy" else ("translations", 2)
    return path[0] == root and len(path) > depth and path[depth] in _TEXTS


def _set(gate: Gate, content: JSON, pointer: str, value: object) -> None:
    path = [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]
    if gate == "creatives" and path[:1] == [FOCUS]:
        _set_focus(content, path[1:], value, pointer)
        return
    if not pointer.startswith("/") or not _is_editable(gate, path):
        raise EditRefused(f"{pointer} cannot be edited at this gate.")
    parent: Any = content
    for part in path[:-1]:
        parent = _child(parent, part, pointer)
    old = _child(parent, path[-1], pointer)
    if not _same_kind(old, value):
        raise EditRefused(f"{pointer} holds {_kind(old)}; the new value must be one too.")
    parent[int(path[-1]) if isinstance(parent, list) else path[-1]] = value


def _set_focus(content: JSON, path: Sequence[str], value: object, pointer: str) -> None:
    """Say where the product is, for one placement or all; None takes a person's word back."""
    pictured = {EVERYWHERE, *(creative["placement"] for creative in content["creatives"])}
    if len(path) != 1 or path[0] not in pictured:
        raise EditRefused(f"{pointer} points at nothing; a focus is that of {', '.join(sorted(pictured))}.")
    try:
        box = None if value is None else FocusBox.model_validate(value).model_dump()
    except ValidationError:
        raise EditRefused(
            f"{pointer} takes {{left, top, right, bottom}} in shares of the photo, left < right and top < bottom, "
            "or null."
        ) from None
    content.setdefault(FOCUS, {})[path[0]] = box


def _child(parent: Any, part: str, pointer: str) -> Any:
    if isinstance(parent, list):
        lines = cast("Sequence[Any]", parent)
        if _INDEX.fullmatch(part) and int(part) < len(lines):
            return lines[int(part)]
    if isinstance(parent, dict) and part in parent:
        return cast("JSON", parent)[part]
    raise EditRefused(f"{pointer} points at nothing; pointers start at the content that the approval shows.")


def _same_kind(old: object, new: object) -> bool:
    if isinstance(old, list):
        return isinstance(new, list) and all(isinstance(line, str) for line in cast("list[object]", new))
    return isinstance(old, str) and isinstance(new, str)


def _kind(value: object) -> str:
    if isinstance(value, str):
        return "a text"
    return "a list of texts" if isinstance(value, list) else "nothing that can be edited"


def _differences(old: Any, new: Any, pointer: str = "") -> list[tuple[str, object]]:
    if isinstance(old, dict) and isinstance(new, Mapping) and not pointer.startswith(f"/{FOCUS}/"):
        mapping = cast("Mapping[str, Any]", new)
        return [
            found
            for key, value in cast("JSON", old).items()
            if key in mapping
            for found in _differences(
                value, mapping[key], f"{pointer}/{key.replace('~', '~0').replace('/', '~1')}"
            )
        ]
    if old == new:
        return []
    return [(pointer, new)]
