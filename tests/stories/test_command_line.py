"""Fanfare from a shell, as a person and as a script use it."""

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer.main

from service.cli import app
from tests.running import AURORA, PHOTO, ROOT


def fanfare(data_dir: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "service.cli", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT), "FANFARE_DATA_DIR": str(data_dir), **environment},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


@pytest.fixture
def campaign_file(tmp_path: Path) -> Path:
    (tmp_path / "photo.jpg").write_bytes(PHOTO.read_bytes())
    path = tmp_path / "campaign.json"
    path.write_text(json.dumps({**AURORA, "languages": [], "image": "photo.jpg"}))
    return path


def test_run_to_the_package_in_one_command(data_dir: Path, campaign_file: Path, tmp_path: Path) -> None:
    for _ in range(2):
        told = fanfare(data_dir, "run", str(campaign_file), "--yes", "--output", str(tmp_path / "out dir"))
        assert told.returncode == 0, told.stderr
        assert "Contact sheet" in told.stdout
        assert "Cost" in told.stdout
        assert "Time" in told.stdout
    assert len(list((tmp_path / "out dir").glob("*/index.html"))) == 2
    assert len(list((tmp_path / "out dir").glob("*.zip"))) == 2


def test_gates_from_a_script(data_dir: Path, campaign_file: Path, tmp_path: Path) -> None:
    waiting = fanfare(data_dir, "run", str(campaign_file), "--json")
    assert waiting.returncode == 3, waiting.stderr
    campaign = json.loads(waiting.stdout)
    assert campaign["status"] == "awaiting_copy_approval"
    early = fanfare(data_dir, "export", campaign["id"])
    assert (early.returncode, "not made yet" in early.stderr) == (5, True)

    assert fanfare(data_dir, "approve", campaign["id"]).returncode == 0
    approved = fanfare(data_dir, "approve", campaign["id"], "--json", "--comment", "Good to go")
    assert json.loads(approved.stdout)["status"] == "completed"
    assert fanfare(data_dir, "approve", campaign["id"]).returncode == 5

    exported = json.loads(fanfare(data_dir, "export", campaign["id"], "--json", "--output", str(tmp_path)).stdout)
    assert Path(exported["package"]).is_file()
    assert Path(exported["contact_sheet"]).is_file()
    listed = json.loads(fanfare(data_dir, "list", "--json", "--query", "auro").stdout)
    assert [one["id"] for one in listed["items"]] == [campaign["id"]]
    shown = json.loads(fanfare(data_dir, "show", campaign["id"], "--json").stdout)
    assert len(shown["content"]["copy"]["headlines"]) >= 3
    assert "Aurora" in fanfare(data_dir, "show", campaign["id"]).stdout


def test_reject_from_a_shell(data_dir: Path, campaign_file: Path) -> None:
    campaign = json.loads(fanfare(data_dir, "run", str(campaign_file), "--json").stdout)
    rejected = fanfare(data_dir, "reject", campaign["id"], "--json", "--comment", "Not now")
    assert rejected.returncode == 0
    assert json.loads(rejected.stdout)["status"] == "rejected"


def test_wrong_input_is_told_and_exits_with_2(data_dir: Path, campaign_file: Path, tmp_path: Path) -> None:
    def run(asked: Any) -> subprocess.CompletedProcess[str]:
        path = tmp_path / "wrong.json"
        path.write_text(asked if isinstance(asked, str) else json.dumps(asked))
        return fanfare(data_dir, "run", str(path), "--yes")

    asked = json.loads(campaign_file.read_text())
    answers = {
        "two.json": fanfare(data_dir, "run", str(tmp_path / "two.json")),
        "campaign in JSON": run("{"),
        "names no image": run(AURORA),
        "nowhere.jpg": run({**asked, "image": "nowhere.jpg"}),
        "instagram_post": run({**asked, "placements": ["instagram_pots"]}),
    }
    for says, told in answers.items():
        assert told.returncode == 2, told
        assert says in told.stderr.replace("\n", " "), told.stderr
        assert "Traceback" not in told.stderr


def test_a_server_that_is_not_there(data_dir: Path) -> None:
    told = fanfare(data_dir, "list", "--server", "http://127.0.0.1:9")
    assert told.returncode == 6
    assert "cannot be reached" in told.stderr


def test_serving_to_others_needs_a_login(data_dir: Path) -> None:
    told = fanfare(data_dir, "serve", "--host", "192.0.2.1")
    assert told.returncode == 2
    assert "127.0.0.1" in told.stderr
    assert "Review pages" not in told.stderr


def test_a_taken_port_is_told(data_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        told = fanfare(data_dir, "serve", "--port", str(taken.getsockname()[1]))
    assert told.returncode == 6
    assert "--port" in told.stderr


@pytest.mark.parametrize(
    ("name", "value"),
    [("FANFARE_MODEL_PROVIDER", "nope"), ("FANFARE_ASSETS_URL", "ftp://bucket/x"), ("FANFARE_MAX_RUNNING", "0")],
)
def test_a_wrong_setting_is_named(data_dir: Path, name: str, value: str) -> None:
    told = fanfare(data_dir, "list", **{name: value})
    assert told.returncode == 2
    assert name in told.stderr
    assert "Traceback" not in told.stderr


def test_a_failed_campaign_is_retried_or_cancelled(data_dir: Path, campaign_file: Path) -> None:
    broken = {
        "OPENAI_API_KEY": "sk-x",
        "OPENAI_BASE_URL": "http://127.0.0.1:9/v1",
        "FANFARE_MODEL_PATIENCE_SECONDS": "1",
    }
    failed = fanfare(data_dir, "run", str(campaign_file), "--json", **broken)
    assert failed.returncode == 1
    campaign = json.loads(failed.stdout)
    told = fanfare(data_dir, "show", campaign["id"])
    assert f"fanfare retry {campaign['id']}" in told.stdout
    assert fanfare(data_dir, "retry", campaign["id"]).returncode == 0
    assert fanfare(data_dir, "cancel", campaign["id"]).returncode == 0
    assert fanfare(data_dir, "cancel", campaign["id"]).returncode == 5


def test_the_doctor_says_what_is_there(data_dir: Path) -> None:
    healthy = fanfare(data_dir, "doctor", "--json")
    assert healthy.returncode == 0, healthy.stdout
    levels = {found["what"]: found["level"] for found in json.loads(healthy.stdout)}
    assert levels["Redis"] == "ok"
    assert levels["Data folder"] == "ok"
    ill = fanfare(data_dir, "doctor", "--json", FANFARE_REDIS_URL="redis://127.0.0.1:9")
    assert ill.returncode == 6
    assert {found["what"] for found in json.loads(ill.stdout) if found["level"] == "bad"} == {"Redis"}
    keyed = fanfare(data_dir, "doctor", OPENAI_API_KEY="sk-very-secret", OPENAI_BASE_URL="http://127.0.0.1:9/v1")
    assert keyed.returncode == 6
    assert "sk-very-secret" not in keyed.stdout + keyed.stderr


@pytest.mark.parametrize(
    "command",
    sorted(typer.main.get_group(app).commands),
)
def test_every_command_helps_with_an_example(data_dir: Path, command: str) -> None:
    told = fanfare(data_dir, command, "--help")
    assert told.returncode == 0
    assert re.search(rf"Examples?: fanfare {command}", " ".join(told.stdout.split()))


@pytest.fixture
def copy_file(tmp_path: Path) -> Path:
    path = tmp_path / "copy.json"
    asked = {"placement": "x_post", "texts": {"body": ["Aurora: 90 h of quiet!!"]}, "product": AURORA["product"]}
    path.write_text(json.dumps(asked))
    return path


def test_lint_marks_what_it_finds_and_leaves_no_data_folder(data_dir: Path, copy_file: Path) -> None:
    told = fanfare(data_dir, "lint", str(copy_file), FANFARE_REDIS_URL="redis://127.0.0.1:9")
    assert told.returncode == 1, told.stderr
    assert re.match(r"body 1 +23 / 280 \(x_weighted_v3\)\n", told.stdout)
    lines = told.stdout.splitlines()
    at = next(number for number, line in enumerate(lines) if "repeated-punctuation" in line)
    text, marks, *rest = lines[at + 1 : at + 6]
    assert text[marks.index("^") : marks.rindex("^") + 1] == "!!"
    assert [line.strip() for line in rest[:2]] == ["Write ! once.", "Instead: !"]
    assert rest[2].strip().startswith("Source: https://")
    assert not data_dir.exists()


def test_lint_from_standard_input_as_json_is_what_the_api_answers(data_dir: Path, copy_file: Path) -> None:
    command = [sys.executable, "-m", "service.cli", "lint", "-", "--json"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "FANFARE_DATA_DIR": str(data_dir)}
    told = subprocess.run(command, input=copy_file.read_bytes(), env=environment, capture_output=True, check=False)
    assert told.returncode == 1, told.stderr
    answer = json.loads(told.stdout)
    assert answer.keys() == {"findings", "measures", "decision"}
    assert answer["measures"]["body"][0] == {"length": 23, "rule": "x_weighted_v3", "soft": None, "hard": 280}
