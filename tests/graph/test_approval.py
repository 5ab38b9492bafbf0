"""What may be answered at a gate, and what an edit may reach."""

from typing import Any

import pytest
from pydantic import ValidationError

from graph.approval import Decision, EditRefused, Resume, edited

CONTENT: dict[str, Any] = {
    "brief": {"promise": "Quiet"},
    "copy": {
        "headlines": ["One", "Two", "Three"],
        "call_to_action": "Look",
        "alt_text": None,
        "placements": {"x_post": {"body": ["Hello"], "hashtags": ["Aurora"]}},
    },
    "verdict": {"decision": "pass"},
}


def edit(**edits: Any) -> Decision:
    return Decision(type="edit", edits={pointer.replace("__", "/"): value for pointer, value in edits.items()})


def test_an_edit_changes_what_it_points_at_and_nothing_else() -> None:
    result = edited(
        "copy", CONTENT, edit(__copy__headlines__1="Zwei", __copy__placements__x_post__hashtags=["A", "B"])
    )
    assert result["copy"]["headlines"] == ["One", "Zwei", "Three"]
    assert result["copy"]["placements"]["x_post"] == {"body": ["Hello"], "hashtags": ["A", "B"]}
    assert CONTENT["copy"]["headlines"] == ["One", "Two", "Three"], "what was shown stays as it was"


@pytest.mark.parametrize(
    "pointer",
    [
        "", "/", "copy/headlines/0", "/copy", "/brief/promise", "/verdict/decision", "/copy/headlines/3",
        "/copy/headlines/-1", "/copy/headlines/-", "/copy/headlines/0/0", "/copy/placements/vine/body/0",
        "/copy/placements", "/copy/alt_text", "/copy/headlines/²",
    ],
)  # fmt: skip
def test_an_edit_that_reaches_elsewhere_is_refused(pointer: str) -> None:
    with pytest.raises(EditRefused):
        edited("copy", CONTENT, Decision(type="edit", edits={pointer: "x"}))


@pytest.mark.parametrize("value", [None, 7, ["x"], {"a": "b"}])
def test_a_text_stays_a_text(value: object) -> None:
    with pytest.raises(EditRefused):
        edited("copy", CONTENT, Decision(type="edit", edits={"/copy/headlines/0": value}))


def test_an_edit_that_changes_nothing_says_so() -> None:
    with pytest.raises(EditRefused, match="changes nothing"):
        edited("copy", CONTENT, edit(__copy__headlines__0="One"))


def test_at_gate_two_only_translations_can_be_edited() -> None:
    shown = {**CONTENT, "translations": {"de": {**CONTENT["copy"], "verdict": {"decision": "pass"}}}}
    done = edited("creatives", shown, edit(__translations__de__headlines__0="Eins"))
    assert done["translations"]["de"]["headlines"][0] == "Eins"
    for pointer in ("/copy/headlines/0", "/translations/de/verdict/decision"):
        with pytest.raises(EditRefused):
            edited("creatives", shown, Decision(type="edit", edits={pointer: "x"}))


ANSWERS: list[tuple[Any, str]] = [
    ({"decisions": [{"type": "approve"}]}, "approve"),
    ({"decisions": [{"type": "reject", "message": "No"}]}, "reject"),
    ([{"type": "accept", "args": None}], "approve"),
    ([{"type": "ignore", "args": None}], "reject"),
    ([{"type": "response", "args": "Shorter"}], "respond"),
    ([{"type": "edit", "args": {"action": "approve_copy", "args": {"content": {}}}}], "edit"),
    ({"type": "accept", "args": None}, "approve"),
]


@pytest.mark.parametrize(("answer", "kind"), ANSWERS)
def test_both_shapes_of_an_answer_are_understood(answer: Any, kind: str) -> None:
    assert Resume.model_validate(answer).decisions[0].type == kind


@pytest.mark.parametrize(
    "answer",
    [
        {}, [], None, "yes", {"decisions": []}, {"decisions": [{"type": "respond"}]},
        {"decisions": [{"type": "maybe"}]}, {"decisions": [{"type": "approve"}, {"type": "reject"}]},
    ],
)  # fmt: skip
def test_anything_else_is_refused(answer: object) -> None:
    with pytest.raises(ValidationError):
        Resume.model_validate(answer)
