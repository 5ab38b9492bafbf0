"""LangSmith, as a sink on this machine sees it: one trace a campaign, and nothing that does not belong there."""

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from service.server import serving
from service.settings import Settings
from tests.running import PHOTO, running
from tests.stores import free_port


class Sink:
    """Takes what the LangSmith client posts, and keeps runs by id."""

    def __init__(self) -> None:
        self.runs: dict[str, dict[str, Any]] = {}
        self.bodies: list[bytes] = []
        routes = [
            Route("/info", self._info),
            Route("/runs/multipart", self._multipart, methods=["POST"]),
            Route("/runs/batch", self._batch, methods=["POST"]),
            Route("/runs", self._one, methods=["POST"]),
            Route("/runs/{run_id}", self._one, methods=["PATCH"]),
        ]
        self.app = Starlette(routes=routes)

    async def _info(self, _: Request) -> JSONResponse:
        return JSONResponse({})

    async def _multipart(self, request: Request) -> JSONResponse:
        self.bodies.append(await request.body())
        async with request.form(max_part_size=1 << 26) as form:
            for name, value in form.multi_items():
                kind, run_id, *field = name.split(".")
                if kind not in ("post", "patch"):
                    continue
                text = value if isinstance(value, str) else (await value.read()).decode()
                run = self.runs.setdefault(run_id, {})
                run.update({field[0]: json.loads(text)} if field else json.loads(text))
        return JSONResponse({}, 202)

    async def _batch(self, request: Request) -> JSONResponse:
        body = await request.body()
        self.bodies.append(body)
        told = json.loads(body)
        for run in [*told.get("post", []), *told.get("patch", [])]:
            self.runs.setdefault(run["id"], {}).update(run)
        return JSONResponse({}, 202)

    async def _one(self, request: Request) -> JSONResponse:
        body = await request.body()
        self.bodies.append(body)
        run = json.loads(body)
        run_id = run.get("id") or request.path_params["run_id"]
        self.runs.setdefault(run_id, {}).update(run)
        return JSONResponse({}, 202)


def _traced(data_dir: Path, url: str) -> Settings:
    return Settings(
        data_dir=data_dir,
        langsmith_tracing=True,
        langsmith_endpoint=url,
        langsmith_api_key=SecretStr("lsv2_secret_key"),
    )


async def test_a_campaign_is_one_trace_across_gates_and_restarts(data_dir: Path) -> None:
    sink = Sink()
    async with serving(sink.app) as url:
        async with running(_traced(data_dir, url)) as service:
            campaign = await service.create()
            await service.still(campaign["id"])
        async with running(_traced(data_dir, url)) as service:
            await service.approve(campaign["id"])
            await service.approve(campaign["id"])
        runs = sink.runs
    assert {run["trace_id"] for run in runs.values()} == {campaign["id"]}
    root = runs[campaign["id"]]
    assert (root["name"], root["outputs"]["status"]) == ("campaign", "completed")
    assert root["end_time"]
    _told(runs, campaign["id"])
    _clean(b"".join(sink.bodies))


def _told(runs: dict[str, dict[str, Any]], campaign_id: str) -> None:
    calls = [run for run in runs.values() if run["run_type"] == "llm"]
    steps = {run["extra"]["metadata"]["step"] for run in calls}
    assert steps >= {"brief", "study", "write_copy", "translate"}
    for run in calls:
        metadata = run["extra"]["metadata"]
        assert metadata["campaign"] == campaign_id
        assert metadata["tenant"] == "default"
        assert metadata["attempt"] == 1
        agent, _, digest = metadata["prompt"].partition("@")
        assert f"agent:{agent}" in run["tags"]
        assert len(digest) == 12
    assert {"brief", "gate_copy", "translate", "package"} <= {run["name"] for run in runs.values()}
    assert all(run.get("parent_run_id") in runs for run in runs.values() if run["id"] != campaign_id)


def _clean(told: bytes) -> None:
    assert b"base64," not in told
    assert PHOTO.read_bytes()[:200] not in told
    assert b"lsv2_secret_key" not in told


@pytest.mark.parametrize("way", ["refused", "silent"])
async def test_a_dead_endpoint_slows_nothing(data_dir: Path, way: str) -> None:
    async def silent(_: Request) -> JSONResponse:
        await asyncio.sleep(60)
        return JSONResponse({})

    app = Starlette(routes=[Route("/{path:path}", silent, methods=["GET", "POST", "PATCH"])])
    plain = await _seconds(Settings(data_dir=data_dir / "plain"))
    if way == "refused":
        traced = await _seconds(_traced(data_dir / "traced", f"http://127.0.0.1:{free_port()}"))
    else:
        async with serving(app) as url:
            traced = await _seconds(_traced(data_dir / "traced", url))
    assert traced < plain * 2 + 3, "only the two seconds that the end may take"


async def _seconds(settings: Settings) -> float:
    began = time.monotonic()
    async with running(settings) as service:
        campaign = await service.create(languages=[])
        await service.still(campaign["id"])
        await service.approve(campaign["id"])
        assert (await service.approve(campaign["id"]))["status"] == "completed"
    return time.monotonic() - began
