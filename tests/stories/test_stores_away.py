"""Postgres and Redis that are killed and come back: what was acknowledged ends well, and callers are told."""

import asyncio
import collections
import contextlib
import logging
from collections.abc import AsyncGenerator, Generator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from service.settings import Settings
from tests.databases import Postgres, postgres
from tests.running import AURORA, Service, process, running
from tests.stores import Server, free_port, start_server

log = logging.getLogger(__name__)

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
    before = ""
    while True:
        status = (await service.get(f"/v1/campaigns/{campaign_id}"))["status"]
        if (before, status) == ("running", "queued"):
            return
        before = status
        await asyncio.sleep(0.05)


async def test_cancelled_while_redis_is_away_it_stays_cancelled(service: Service, redis: Server) -> None:
    redis.kill()
    campaign = await service.create(SMALL)
    answer = await service.http.post(f"/v1/campaigns/{campaign['id']}/cancel")
    assert (answer.status_code, answer.json()["status"]) == (202, "cancelled")
    redis.start()
    after = await service.create(SMALL)
    assert (await service.still(after["id"]))["status"] == "completed"
    assert (await service.get(f"/v1/campaigns/{campaign['id']}"))["status"] == "cancelled"


async def test_a_service_that_stops_while_redis_is_away_leaves_its_campaigns_to_the_next(
    data_dir: Path, database: Postgres, redis: Server
) -> None:
    settings = Settings(data_dir=data_dir, database_url=database.url, redis_url=redis.url)
    async with running(settings) as service:
        redis.kill()
        campaign = await service.create(SMALL)
        await _refused(service, campaign["id"])
    redis.start()
    async with running(settings) as service:
        assert (await service.still(campaign["id"]))["status"] == "completed"


async def test_what_could_not_be_written_down_is_found_again_in_the_checkpoints(
    data_dir: Path, redis: Server, postgres_url: str
) -> None:
    settings = Settings(data_dir=data_dir, database_url=postgres_url, redis_url=redis.url)
    async with running(settings) as service:
        assert service.fanfare
        lost: dict[str, Any] = {
            "status": "running",
            "revision": None,
            "interrupt_id": None,
            "package_sha256": None,
        }
        waiting = await service.still((await service.create(SMALL, approval="required"))["id"])
        ended = await service.still((await service.create(SMALL))["id"])
        for campaign in (waiting, ended):  # as a database leaves them that went away at the last moment
            assert await service.fanfare.records.change(campaign["id"], lost)
            service.fanfare.runs.go(campaign["id"])
            again = await service.still(campaign["id"])
            assert {**again, "updated_at": None} == {**campaign, "updated_at": None}
        archive = await service.http.get(f"/v1/campaigns/{ended['id']}/package.zip")
        assert archive.status_code == 200


@pytest.mark.faults
@pytest.mark.timeout(600)
@pytest.mark.parametrize("who", ["postgres", "redis", "both"])
async def test_under_load_with_stores_killed_again_and_again_every_campaign_ends(
    data_dir: Path, database: Postgres, redis: Server, who: str
) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environment = {
        "FANFARE_DATA_DIR": str(data_dir), "FANFARE_DATABASE_URL": database.url, "FANFARE_REDIS_URL": redis.url,
    }  # fmt: skip
    servers: list[Postgres | Server] = [database] if who == "postgres" else [redis]
    if who == "both":
        servers = [database, redis]
    with process("serve", "--port", str(port), url=f"{url}/healthz", **environment):
        async with httpx2.AsyncClient(base_url=url, timeout=60) as http:
            service = Service(http)
            told: collections.Counter[int] = collections.Counter()
            busy = asyncio.create_task(_create_and_read(service, told))
            for number in range(4):
                await asyncio.sleep(1.5)
                for server in servers:
                    server.kill()
                await asyncio.sleep(0.3 + number)
                for server in servers:
                    await asyncio.to_thread(server.start)
            await asyncio.sleep(1)
            busy.cancel()
            acknowledged = await busy
            ended = [(await service.still(each, seconds=300))["status"] for each in acknowledged]
            log.warning("%s killed: %s campaigns, answers %s", who, len(ended), dict(told))
            assert set(ended) == {"completed"}
            assert set(told) <= {200, 202, 503}
            assert told[202] == len(acknowledged)
            if who != "redis":
                assert told[503], "the database was away, and nobody was told"


async def _create_and_read(service: Service, told: collections.Counter[int]) -> list[str]:
    """Create and read until cancelled; the ids of what was acknowledged, and the status of every answer."""
    acknowledged: list[str] = []
    with contextlib.suppress(asyncio.CancelledError):
        while True:
            made = await service.post(SMALL)
            told[made.status_code] += 1
            if made.status_code == 202:
                acknowledged.append(made.json()["id"])
            for path in ("/v1/campaigns", *(f"/v1/campaigns/{each}/content" for each in acknowledged[-1:])):
                told[(await service.http.get(path)).status_code] += 1
            await asyncio.sleep(0.15)
    return acknowledged
