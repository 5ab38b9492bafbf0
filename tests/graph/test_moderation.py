"""Moderation that must not fail open, and must come to an end."""

from typing import Any

import pytest
from langgraph.types import Send

from agents.copywriter import PlacementCopy, SlotTexts
from agents.model import ModelGarbled
from agents.moderator import Judgement, Objection, Text, findings
from graph import moderation, steps
from graph.routes import after_moderation
from graph.state import CampaignState

TEXTS = [Text("x_post", "body", 0, "Buy it now"), Text("meta_feed", "headline", 0, "Quiet")]


def objection(**changes: Any) -> Objection:
    said = {"rule": "promise", "severity": "block", "placement": "x_post", "field": "body", "index": 0}
    return Objection.model_validate({**said, "quote": "now", "message": "No.", "suggestion": None, **changes})


@pytest.mark.parametrize(
    ("changes", "placement"),
    [({}, "x_post"), ({"placement": "X post"}, "x_post"), ({"placement": "?", "quote": "Quiet"}, "meta_feed"),
     ({"placement": "?", "quote": "nowhere"}, "x_post"), ({"index": 7, "quote": ""}, "x_post")],
)  # fmt: skip
def test_an_objection_is_never_dropped(changes: dict[str, Any], placement: str) -> None:
    (finding,) = findings(Judgement(findings=[objection(**changes)]), TEXTS)
    assert (finding.severity, finding.placement) == ("block", placement)


def found(rule: str, *, severity: str = "block", field: str = "body") -> dict[str, Any]:
    return {"rule": rule, "severity": severity, "placement": "x_post", "field": field}


def test_a_text_that_was_sent_back_is_judged_again_though_it_came_back_the_same() -> None:
    unjudged = moderation.unjudged
    state: CampaignState = {"translations": {"de": {"copy": {"x_post": {"body": ["Hallo"]}}}}}
    assert unjudged(state, "de")
    judged = moderation.moderated("de", [], state, edited=False)
    assert not unjudged({**state, **judged}, "de")
    rounds = []
    for _ in range(4):
        state = {**state, **moderation.moderated("de", [found("judge-promise")], state, edited=False)}
        rounds.append(state["verdicts"]["de"]["decision"])
        assert unjudged(state, "de") is (rounds[-1] == "revise")
    assert rounds == ["revise", "revise", "needs_human", "needs_human"]


@pytest.mark.parametrize(
    ("findings", "edited", "decision"),
    [
        ([], False, "pass"),
        ([found("judge-tone", severity="warn")], False, "pass"),
        ([found("judge-claim")], False, "revise"),
        ([found("screen-hate"), found("judge-claim")], False, "revise"),
        ([found("judge-claim"), found("over-hard-limit")], False, "needs_human"),
        ([found("screen-violence", field="picture")], False, "needs_human"),
        ([found("judge-unanswered")], False, "needs_human"),
        ([found("judge-claim"), found("screen-unanswered")], False, "needs_human"),
        ([found("judge-claim")], True, "block"),
        ([found("judge-unanswered")], True, "needs_human"),
        ([found("judge-claim"), found("screen-unanswered")], True, "block"),
    ],
)
def test_a_writer_gets_back_what_it_can_mend_and_a_person_the_rest(
    findings: list[dict[str, Any]], edited: object, decision: str
) -> None:
    assert moderation.decided(findings, rounds=0, edited=bool(edited)) == decision


def test_a_writer_is_told_nothing_of_the_photo_which_it_cannot_mend() -> None:
    text = {**found("judge-promise"), "placement": "campaign", "field": "headline"}
    photo = {**text, **moderation.about_photo("picture-near-duplicate", "info", "It looks like another.")}
    state: CampaignState = {
        "order": {"placements": ["x_post"]},
        "brief": {"key_messages": ["Quiet"]},
        "copy": {"campaign": {"headline": ["Now"]}},
        "verdicts": {"copy": {"decision": "revise", "findings": [photo, text]}},
    }
    sent = after_moderation(state)[0]
    assert isinstance(sent, Send)
    assert sent.arg["feedback"] == [text]


def test_an_answer_that_leaves_a_placement_out_is_no_answer() -> None:
    made = [
        PlacementCopy(placement=name, slots=[SlotTexts(slot="body", texts=["Hi"])], hashtags=[])
        for name in ("x_post", "vine")
    ]
    assert list(steps.complete(["x_post"], made)) == ["x_post"], "what nobody asked for is left out"
    with pytest.raises(ModelGarbled, match="meta_feed"):
        steps.complete(["x_post", "meta_feed"], made)


def test_an_edit_at_one_gate_is_no_edit_at_the_other() -> None:
    state: CampaignState = {"decisions": [{"type": "edit", "gate": "copy"}]}
    assert moderation.was_edited("copy", state)
    assert not moderation.was_edited("creatives", state)
