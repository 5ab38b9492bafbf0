"""Postgres and Redis that are killed and come back: what was acknowledged ends well, and callers get a sentence."""

import asyncio
from collections.abc import AsyncGenerator, Generator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from service.settings import Settings
from tests.databases import Postgres, postgres
from tests.running import AURORA, Service, running
from tests.stores import Server, start_server

SMALL: dict[str, Any] = {**AURORA, "languages": [], "placements": ["x_post"], "approval": "none"}


@pytest.fixture
def database() -> Generator[Postgres]:
    """A Postgres to break."""
    with postgres() as server:
        yield server


@pytest.fixture
def redis(tmp_path: Path) -> Generator[Server]:
    """A Redis to break, which syncs its append-only file every second."""
    server = start_server("valkey", tmp_path)
    yield server
    server.kill()


@pytest.fixture
async def service(data_dir: Path, database: Postgres, redis: Server) -> AsyncGenerator[Service]:
    """The service on both."""
    settings = Settings(data_dir=data_dir, database_url=database.url, redis_url=redis.url)
    async with running(settings) as started:
        yield started


async def test_while_postgres_is_away_callers_are_told_and_afterwards_all_is_there(
    service: Service, database: Postgres
) -> None:
    waiting = await service.still((await service.create(SMALL, approval="required"))["id"])
    path = f"/v1/campaigns/{waiting['id']}"
    decision = {"gate": "copy", "revision": waiting["revision"], "type": "approve"}
    database.kill()
    for path_read in (
        path,
        "/v1/campaigns",
        f"{path}/content",
        f"{path}/approval",
        "/",
        f"/campaigns/{waiting['id']}",
    ):
        _says_unavailable(await service.http.get(path_read))
    _says_unavailable(await service.post(SMALL))
    _says_unavailable(await service.http.post(f"{path}/decisions", json=decision))
    ready = await service.http.get("/readyz")
    assert (ready.status_code, ready.json()["checks"]["redis"]) == (503, "ok")
    assert "cannot be used now" in ready.json()["checks"]["database"]
    assert (await service.http.get("/healthz")).status_code == 200
    database.start()
    assert await service.get(path) == waiting
    assert (await service.approve(waiting["id"]))["status"] == "awaiting_creative_approval"
    assert (await service.approve(waiting["id"]))["status"] == "completed"


def _says_unavailable(answer: httpx2.Response) -> None:
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable"), answer.text
    assert "Try again in a moment." in answer.json()["detail"]
    assert int(answer.headers["retry-after"]) > 0


async def test_a_campaign_made_while_redis_is_away_goes_on_by_itself(service: Service, redis: Server) -> None:
    redis.kill()
    campaign = await service.create(SMALL)
    await _refused(service, campaign["id"])
    assert (await service.get(f"/v1/campaigns/{campaign['id']}"))["error"] is None
    redis.start()
    assert (await service.still(campaign["id"]))["status"] == "completed"


async def _refused(service: Service, campaign_id: str) -> None:
    """Wait until the run has met the outage and put the campaign back."""
    seen: set[str] = set()
    while not {"running", "queued"} <= seen or "running" not in seen:
        seen.add((await service.get(f"/v1/campaigns/{campaign_id}"))["status"])
        await asyncio.sleep(0.05)
