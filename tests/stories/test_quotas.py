"""A tenant's day and its room: twenty at once take no more than there is, and a refusal leaves nothing behind."""

import asyncio
import io
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import pytest
from PIL import Image

from graph.checkpoints import CheckpointStoreError, locate, open_async
from service.problems import Problem
from service.quotas import Quotas
from service.settings import Settings
from tests.running import AURORA, PHOTO, Service, running
from tests.stores import Server, start_server

SMALL = {"languages": [], "placements": ["x_post"]}


def photo(shade: int) -> bytes:
    """A photo of about a kilobyte, another for each shade."""
    file = io.BytesIO()
    Image.new("RGB", (200, 200), (shade, 90, 200)).save(file, "JPEG")
    return file.getvalue()


async def upload(service: Service, data: bytes) -> httpx2.Response:
    return await service.http.post("/v1/assets", files={"file": ("a.jpg", data, "image/jpeg")})


def stored(data_dir: Path) -> int:
    return sum(file.stat().st_size for file in (data_dir / "assets").rglob("*") if file.is_file())


async def test_of_twenty_at_once_a_day_takes_what_it_allows(data_dir: Path) -> None:
    async with running(Settings(data_dir=data_dir, tenant_day_campaigns=5)) as service:
        asked = [service.post({**AURORA, **SMALL}, photo=photo(shade)) for shade in range(0, 200, 10)]
        answers = await asyncio.gather(*asked)
        assert Counter(each.status_code for each in answers) == {202: 5, 429: 15}
        refused = next(each for each in answers if each.status_code == 429)
        assert refused.json()["code"] == "quota-exceeded"
        assert 0 < int(refused.headers["retry-after"]) <= 86_400
        listed = (await service.get("/v1/campaigns"))["items"]
        assert {each["id"] for each in listed} == {
            each.json()["id"] for each in answers if each.status_code == 202
        }
        for each in listed:
            await service.http.post(f"/v1/campaigns/{each['id']}/cancel")


async def test_a_refusal_stores_no_photo(data_dir: Path) -> None:
    async with running(Settings(data_dir=data_dir, tenant_day_campaigns=1)) as service:
        campaign = await service.create(SMALL)
        await service.still(campaign["id"])
        before = stored(data_dir)
        assert (await service.post({**AURORA, **SMALL}, photo=photo(7))).status_code == 429
        page = await service.http.post(
            "/new",
            data={"name": "Aurora", "features": "one\ntwo\nthree", "tone": "dry", "placements": "x_post"},
            files={"image": ("a.jpg", photo(8))},
        )
        assert page.status_code == 429
        assert "used up" in page.text
        assert stored(data_dir) == before


async def test_what_came_to_nothing_is_not_counted(data_dir: Path) -> None:
    async with running(Settings(data_dir=data_dir, tenant_day_campaigns=1)) as service:
        assert (await service.post({**AURORA, **SMALL}, photo=b"no photo")).status_code == 422
        key = {"Idempotency-Key": "spring"}
        first = await service.post({**AURORA, **SMALL}, headers=key)
        again = await service.post({**AURORA, **SMALL}, headers=key)
        assert (first.status_code, again.status_code) == (202, 202)
        assert first.json()["id"] == again.json()["id"], "asking again needs no second campaign"
        assert (await service.post({**AURORA, **SMALL})).status_code == 429
        await service.still(first.json()["id"])


async def test_of_twenty_uploads_at_once_those_that_fit_are_kept(data_dir: Path) -> None:
    photos = [photo(shade) for shade in range(0, 200, 10)]
    room = 6 * max(map(len, photos))
    async with running(Settings(data_dir=data_dir, tenant_storage_bytes=room)) as service:
        answers = await asyncio.gather(*(upload(service, each) for each in photos))
        assert set(Counter(each.status_code for each in answers)) == {201, 413}
        assert room - 2 * max(map(len, photos)) < stored(data_dir) <= room
        full = next(each for each in answers if each.status_code == 413)
        assert full.json()["code"] == "storage-full"
        taken = photos[[each.status_code for each in answers].index(201)]
        assert (await upload(service, taken)).status_code == 201, "what is there already needs no room"
        assert service.fanfare
        assert await service.fanfare.quotas.stored("default") == stored(data_dir)


async def test_a_campaign_under_way_ends_and_the_next_is_refused(data_dir: Path) -> None:
    room = len(PHOTO.read_bytes()) + 1000
    async with running(Settings(data_dir=data_dir, tenant_storage_bytes=room)) as service:
        campaign = await service.create(SMALL)
        await service.still(campaign["id"])
        await service.approve(campaign["id"])
        assert (await service.approve(campaign["id"]))["status"] == "completed"
        assert stored(data_dir) > room
        again = await service.http.post("/v1/campaigns", json={**AURORA, "image": "0" * 64})
        assert (again.status_code, again.json()["code"]) == (413, "storage-full")


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return start_server("valkey", tmp_path)


async def test_a_day_ends_at_midnight_and_tenants_have_their_own(server: Server) -> None:
    clock = [datetime(2026, 11, 27, 23, 59, 30, tzinfo=UTC)]
    async with open_async(locate(server.url), timeout=5) as client:
        quotas = Quotas(client, day_campaigns=1, now=lambda: clock[0])
        async with quotas.campaign("a"):
            pass
        async with quotas.campaign("b/{c}"):
            pass
        with pytest.raises(Problem) as refused:
            await quotas.campaign("a").__aenter__()
        assert refused.value.headers == {"Retry-After": "31"}
        clock[0] = datetime(2026, 11, 28, tzinfo=UTC)
        async with quotas.campaign("a") as taken:
            taken.used = False
        async with quotas.campaign("a"):
            pass
    server.kill()


async def test_without_redis_a_quota_fails_closed(server: Server) -> None:
    async with open_async(locate(server.url), timeout=1) as client:
        server.kill()
        quotas = Quotas(client, day_campaigns=1)
        with pytest.raises(CheckpointStoreError):
            await quotas.campaign("a").__aenter__()
        async with Quotas(client).campaign("a"):
            pass
