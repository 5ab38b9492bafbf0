"""Processes that die. What they had acknowledged goes on by itself, and no answered call is made twice."""

import asyncio
import collections
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from service.embedded import DataFolderInUse, hold
from service.settings import Settings
from service.tables import Decided, new_id, now
from service.wiring import open_fanfare
from tests.running import ROOT, Service, process, running
from tests.stores import free_port

STEPS = (
    "brief",
    "study",
    "write_copy",
    "moderate_copy",
    "translate",
    "moderate_translations",
    "render",
    "package",
)


@contextlib.asynccontextmanager
async def rehearsal(*options: str) -> AsyncGenerator[tuple[str, httpx2.AsyncClient]]:
    """The rehearsal model as a server of its own, which outlives the service and counts calls."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with process("rehearsal", "--port", str(port), *options, url=f"{url}/v1/models"):
        async with httpx2.AsyncClient(base_url=url) as http:
            yield f"{url}/v1", http


@contextlib.asynccontextmanager
async def served(data_dir: Path, model: str) -> AsyncGenerator[tuple[Service, subprocess.Popen[bytes]]]:
    """The service as a process of its own."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environment = {
        "FANFARE_DATA_DIR": str(data_dir),
        "OPENAI_BASE_URL": model,
        "OPENAI_API_KEY": "rehearsal",
        "FANFARE_MODEL": "rehearsal",
    }
    with process("serve", "--port", str(port), url=f"{url}/healthz", **environment) as started:
        async with httpx2.AsyncClient(base_url=url, timeout=30) as http:
            yield Service(http), started


@pytest.mark.parametrize("step", STEPS)
async def test_killed_at_any_step_it_goes_on_by_itself(data_dir: Path, step: str) -> None:
    async with rehearsal("--latency", "0.15") as (model, calls):
        async with served(data_dir, model) as (service, started):
            campaign = await service.create(languages=["de", "fr"])
            await _until(service, campaign["id"], step)
            committed = await _answered(calls)
            await asyncio.sleep(0.05)
            started.kill()
        async with served(data_dir, model) as (service, _):
            ended = await _to_its_end(service, campaign["id"])
        assert ended["status"] == "completed"
        answered = await _answered(calls)
        assert all(answered[key] == 1 for key in committed), "a committed call was asked again"
        assert sum(answered.values()) - len(answered) <= _at_once(step)


def _at_once(step: str) -> int:
    """How many calls a step makes side by side: only these can be lost between answer and checkpoint."""
    return {"brief": 2, "study": 2, "write_copy": 3, "moderate_copy": 1, "translate": 2}.get(
        step, 2 if step == "moderate_translations" else 0
    )


async def _until(service: Service, campaign_id: str, step: str) -> None:
    """Approve whatever waits, until `step` has begun."""
    followed = f"/v1/campaigns/{campaign_id}/events"
    async with service.http.stream("GET", followed, timeout=60) as answer:
        kind = ""
        async for line in answer.aiter_lines():
            if line.startswith("event: "):
                kind = line.removeprefix("event: ")
            if not line.startswith("data: "):
                continue
            data = json.loads(line.removeprefix("data: "))
            if kind == "step.started" and data["step"] == step:
                return
            if kind == "status" and data["status"].startswith("awaiting"):
                assert (await service.decide(campaign_id, "approve")).status_code == 202
    raise AssertionError(f"{step} never began")


async def _answered(calls: httpx2.AsyncClient) -> collections.Counter[str]:
    told: list[dict[str, Any]] = (await calls.get("/rehearsal/calls")).json()
    return collections.Counter(entry["key"] for entry in told if entry["status"] == 200)


async def _to_its_end(service: Service, campaign_id: str) -> dict[str, Any]:
    campaign = await service.still(campaign_id)
    while campaign["status"].startswith("awaiting"):
        campaign = await service.approve(campaign_id)
    return campaign


async def test_killed_between_decision_and_resume_the_decision_stands(data_dir: Path) -> None:
    async with running(Settings(data_dir=data_dir)) as service:
        campaign = await service.create()
        waiting = await service.still(campaign["id"])
        assert service.fanfare is not None
        decided = Decided(
            id=new_id(), tenant="default", campaign_id=campaign["id"], gate="copy", revision=waiting["revision"],
            type="approve", by="local", comment=None, edits={}, decided_at=now(),
        )  # fmt: skip
        resume = {"type": "approve", "revision": waiting["revision"]}
        assert await service.fanfare.records.decide(decided, resume=resume)
    async with running(Settings(data_dir=data_dir)) as service:
        after = await service.still(campaign["id"])
        assert after["status"] == "awaiting_creative_approval"


async def test_a_killed_server_leaves_no_lock_and_no_orphan_in_the_way(data_dir: Path) -> None:
    async with rehearsal() as (model, _):
        async with served(data_dir, model) as (service, started):
            campaign = await service.create()
            await service.still(campaign["id"])
            os.kill(started.pid, signal.SIGKILL)
            started.wait()
        async with served(data_dir, model) as (service, _):
            assert (await service.get(f"/v1/campaigns/{campaign['id']}"))["status"] == "awaiting_copy_approval"


async def test_a_stopped_server_drains_and_the_next_goes_on(data_dir: Path) -> None:
    async with rehearsal("--latency", "0.4") as (model, calls):
        async with served(data_dir, model) as (service, started):
            campaign = await service.create(languages=["de", "fr"])
            await _until(service, campaign["id"], "write_copy")
            started.terminate()
            assert await asyncio.to_thread(started.wait, 20) in (0, -signal.SIGTERM)
        async with served(data_dir, model) as (service, _):
            assert (await _to_its_end(service, campaign["id"]))["status"] == "completed"
        assert not [key for key, count in (await _answered(calls)).items() if count > 1]


async def test_a_second_process_is_refused_while_the_first_runs(data_dir: Path) -> None:
    with hold(data_dir, "fanfare serve", "http://127.0.0.1:8000"):
        told = await asyncio.to_thread(_list, data_dir)
    assert told.returncode == 6
    assert "in use by fanfare serve" in told.stderr
    assert "--server http://127.0.0.1:8000" in told.stderr
    after = await asyncio.to_thread(_list, data_dir)
    assert after.returncode == 0, after.stderr


async def test_a_second_process_opens_the_campaigns_after_the_first(data_dir: Path) -> None:
    async with running(Settings(data_dir=data_dir)) as service:
        campaign = await service.create()
        await service.still(campaign["id"])
        with pytest.raises(DataFolderInUse):
            async with open_fanfare(Settings(data_dir=data_dir)):
                pass
    told = await asyncio.to_thread(_list, data_dir)
    assert json.loads(told.stdout)["items"][0]["id"] == campaign["id"]


def _list(data_dir: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "service.cli", "list", "--json"],
        env={**os.environ, "PYTHONPATH": str(ROOT), "FANFARE_DATA_DIR": str(data_dir)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
