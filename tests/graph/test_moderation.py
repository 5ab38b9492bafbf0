"""Moderation that must not fail open, and must come to an end."""

from typing import Any

import pytest

from agents.copywriter import PlacementCopy, SlotTexts
from agents.model import ModelGarbled
from agents.moderator import Judgement, Objection, Text, findings
from graph import steps
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


def test_a_text_that_was_sent_back_is_judged_again_though_it_came_back_the_same() -> None:
    unjudged = steps.unjudged
    state: CampaignState = {"translations": {"de": {"copy": {"x_post": {"body": ["Hallo"]}}}}}
    assert unjudged(state, "de")
    judged = steps.moderated("de", [], state, edited=False, costs=[])
    assert not unjudged({**state, **judged}, "de")
    blocked = [{"severity": "block"}]
    rounds = []
    for _ in range(4):
        state = {**state, **steps.moderated("de", blocked, state, edited=False, costs=[])}
        rounds.append(state["verdicts"]["de"]["decision"])
        assert unjudged(state, "de") is (rounds[-1] == "revise")
    assert rounds == ["revise", "revise", "needs_human", "needs_human"]


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
    assert steps.was_edited("copy", state)
    assert not steps.was_edited("creatives", state)
