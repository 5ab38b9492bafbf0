"""The whole command, on cases small enough for a test."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from evals import __main__ as command
from evals.cases import Case, UnknownCase, chosen, load_cases, read_cases
from evals.evaluators import Score
from evals.report import Report, remarks, verdict
from evals.runner import Result, open_studio, run_case, run_cases
from service.settings import Settings

SMALL = """
[small]
why = "quick"
tone = "bold"
languages = ["de"]
placements = ["google_rsa"]

[small.product]
name = "Aurora"
features = ["40 h battery", "Noise cancelling", "Folds flat"]
"""


async def test_a_case_runs_through_the_graph_and_is_scored(tmp_path: Path) -> None:
    cases = command_cases()
    async with open_studio(Settings(), tmp_path) as studio:
        result = await run_case(studio, "small", cases["small"])
    assert result.error is None
    assert result.cost["calls"] > 4
    assert {name for name, score in result.scores.items() if score.value < 1} == set()


async def test_a_case_that_cannot_run_is_told_and_does_not_stop_the_others(tmp_path: Path) -> None:
    small = command_cases()["small"]
    cases = {"no-photo": small.model_copy(update={"photo": "missing.jpg"}), "small": small}
    heard: list[Result] = []
    async with open_studio(Settings(), tmp_path) as studio:
        broken, sound = await run_cases(studio, cases, at_once=2, tell=heard.append)
    assert "FileNotFoundError" in (broken.error or "")
    assert sound.error is None
    assert len(heard) == 2


def test_the_command_prints_json_and_exits_by_its_gates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "load_cases", command_cases)
    result = CliRunner().invoke(command.app, ["--case", "small", "--json"])
    told = json.loads(result.stdout)
    assert result.exit_code == 0, result.output
    assert told["passed"] is True
    assert told["cases"][0]["case"] == "small"


def test_an_unknown_case_is_refused_with_the_names_there_are() -> None:
    result = CliRunner().invoke(command.app, ["--case", "nothing"])
    assert result.exit_code == 2
    assert "aurora" in result.output


def test_a_missed_gate_fails_the_report_and_says_where() -> None:
    good = Result("a", 1.0, {"limits": Score(1.0, "")})
    bad = replace(good, case="b", scores={"limits": Score(0.5, "x_post is [too] long")})
    report = Report("a model", [good, bad], {"limits": 1.0}, 2.0)
    assert not report.passed
    assert "limits 0.750 < 1" in verdict(report)
    assert "too" in remarks(report)[0]
    assert Report("a model", [good], {"limits": 1.0}, 2.0).passed


def test_the_cases_are_of_different_kinds_and_their_photos_exist() -> None:
    cases = load_cases()
    assert len({case.why for case in cases.values()}) == len(cases) >= 12
    assert all(case.picture for case in cases.values())
    with pytest.raises(UnknownCase):
        chosen(cases, ["nothing"])


def command_cases() -> dict[str, Case]:
    return dict(read_cases(SMALL))
