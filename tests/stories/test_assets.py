"""Pictures over their whole life: kept in S3, needed, forgotten, lost, and away."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, update

from service.outages import DatabaseUnavailable
from service.settings import Settings
from service.sweep import Sweep, Unneeded, taken
from service.tables import Asset, AssetReference, Campaign
from service.wiring import Fanfare, open_fanfare
from tests.objects import CREDENTIALS, ObjectServer, object_server
from tests.running import AURORA, PHOTO, ROOT, Service, running
from tools.assets import AssetNotFound
from tools.objects import ObjectAssets

POST = {**AURORA, "languages": [], "placements": ["x_post"], "approval": "none"}
LONG_AGO = "2020-01-01T00:00:00.000Z"


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Generator[ObjectServer]:
    with object_server(tmp_path_factory.mktemp("moto")) as server:
        yield server


def _of(service: Service) -> Fanfare:
    assert service.fanfare is not None
    return service.fanfare


async def _upload(service: Service, data: bytes | None = None) -> str:
    answer = await service.http.post("/v1/assets", files={"file": ("photo", data or PHOTO.read_bytes())})
    assert answer.status_code == 201, answer.text
    sha256: str = answer.json()["sha256"]
    return sha256


async def _completed(service: Service) -> dict[str, Any]:
    created = await service.post(POST)
    campaign = await service.still(created.json()["id"])
    assert campaign["status"] == "completed"
    return campaign


async def _age(fanfare: Fanfare) -> None:
    """Let a day go by for every asset."""
    async with fanfare.database.writing() as session:
        await session.execute(update(Asset).values(kept_at=LONG_AGO))


async def test_the_sweep_goes_on_after_an_outage(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.sweep._SHORTEST_SECONDS", 0.05)
    swept, once = asyncio.Event(), Sweep.once
    faults: list[Exception] = [ValueError("a fault of ours"), DatabaseUnavailable("The database is away.")]

    async def unlucky(self: Sweep) -> list[Unneeded]:
        if faults:
            raise faults.pop()
        swept.set()
        return await once(self)

    monkeypatch.setattr(Sweep, "once", unlucky)
    async with running(Settings(data_dir=data_dir, assets_grace_seconds=0.1)), asyncio.timeout(10):
        await swept.wait()


async def _all(fanfare: Fanfare) -> set[str]:
    return {one.sha256 async for one in fanfare.assets.kept()}


async def test_a_campaign_lives_in_s3_from_photo_to_package(
    s3: ObjectServer, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**CREDENTIALS, "AWS_ENDPOINT_URL": s3.endpoint}.items():
        monkeypatch.setenv(name, value)
    async with running(Settings(data_dir=data_dir, assets_url=s3.make_bucket())) as service:
        campaign = await _completed(service)
        package = await service.http.get(f"/v1/campaigns/{campaign['id']}/package.zip")
        assert package.content.startswith(b"PK")
        picture = await service.http.get((await service.content(campaign["id"]))["creatives"][0]["url"])
        assert picture.status_code == 200
        assert len(await _all(_of(service))) > len(("photo", "package"))
        assert not (data_dir / "assets").exists()
        assert (await service.http.get("/readyz")).json()["checks"]["assets"] == "ok"
        assert await _of(service).sweep.lost(read=True) == []


async def test_while_the_store_is_away_people_are_told_and_nothing_is_lost(
    s3: ObjectServer, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**CREDENTIALS, "AWS_ENDPOINT_URL": s3.endpoint}.items():
        monkeypatch.setenv(name, value)
    async with running(Settings(data_dir=data_dir, assets_url=s3.make_bucket())) as service:
        store, fanfare = _of(service).assets.store, _of(service)
        created = await service.post({**POST, "approval": "required"})
        waiting = await service.still(created.json()["id"])
        fanfare.assets.store = ObjectAssets.at("s3://pictures/some/prefix", endpoint="http://127.0.0.1:9")
        sha256 = "ab" * 32
        for answer in (
            await service.post(POST),
            await service.http.get(f"/v1/assets/{sha256}"),
            await service.http.get(fanfare.picture_links.to(sha256, tenant="default")),
            await service.http.post("/v1/assets", files={"file": ("photo", PHOTO.read_bytes())}),
        ):
            assert (answer.status_code, answer.json()["code"]) == (503, "unavailable"), answer.text
        ready = await service.http.get("/readyz")
        assert ready.status_code == 503
        assert "pictures" in ready.json()["checks"]["assets"]
        stopped = await service.approve(waiting["id"])
        assert stopped["status"] == "failed"
        assert stopped["error"]["code"] == "asset-store"
        assert stopped["error"]["detail"].endswith(".")
        fanfare.assets.store = store
        assert (await service.http.post(f"/v1/campaigns/{waiting['id']}/retry")).status_code == 202
        again = await service.still(waiting["id"])
        assert again["status"] == "awaiting_creative_approval", "it goes on from where it stopped"


async def test_what_nobody_needs_goes_and_what_a_campaign_needs_stays(service: Service) -> None:
    fanfare = _of(service)
    campaign = await _completed(service)
    needed = await _all(fanfare)
    other = await fanfare.assets.put(b"nobody's", "image/png", tenant="acme")
    assert await fanfare.sweep.once() == [], "it is young"
    await _age(fanfare)
    assert [one.sha256 for one in await fanfare.sweep.once(dry_run=True)] == [other.sha256]
    assert await _all(fanfare) == {*needed, other.sha256}
    assert [one.sha256 for one in await fanfare.sweep.once()] == [other.sha256]
    assert await _all(fanfare) == needed
    assert await fanfare.sweep.once() == []
    assert (await service.http.get(f"/v1/campaigns/{campaign['id']}/package.zip")).status_code == 200


async def test_a_campaign_that_is_let_go_takes_only_its_own(service: Service) -> None:
    fanfare = _of(service)
    first, second = await _completed(service), await _completed(service)
    photo = (await fanfare.records.get(first["id"]) or Campaign()).order["picture"]["sha256"]
    assert await fanfare.assets.release(first["id"], tenant="default") > 0
    assert await fanfare.assets.get(photo, tenant="default"), "the other one has the same photo"
    assert await fanfare.sweep.lost() == []
    await fanfare.assets.release(second["id"], tenant="default")
    with pytest.raises(AssetNotFound):
        await fanfare.assets.get(photo, tenant="default")
    assert await _all(fanfare) == set()


async def test_bytes_without_a_row_are_found_and_go(service: Service, data_dir: Path) -> None:
    fanfare = _of(service)
    stray = await fanfare.assets.store.put(b"from a copy", "image/png", tenant="acme")
    await fanfare.sweep.once()
    assert await _all(fanfare) == {stray.sha256}
    path = next((data_dir / "assets").rglob("*.png"))
    os.utime(path, (1_000_000_000, 1_000_000_000))
    assert [one.sha256 for one in await fanfare.sweep.once()] == [stray.sha256]
    assert await _all(fanfare) == set()


async def test_a_put_that_was_killed_before_its_bytes_leaves_a_row_that_goes(service: Service) -> None:
    fanfare = _of(service)
    async with fanfare.database.writing() as session:
        session.add(Asset(tenant="acme", sha256="ab" * 32, kept_at=LONG_AGO))
    assert [one.sha256 for one in await fanfare.sweep.once()] == ["ab" * 32]
    async with fanfare.database.reading() as session:
        assert await session.get(Asset, ("acme", "ab" * 32)) is None


async def test_campaigns_from_before_there_was_a_catalogue_keep_their_pictures(service: Service) -> None:
    fanfare = _of(service)
    campaign = await _completed(service)
    before = await _all(fanfare)
    async with fanfare.database.writing() as session:
        await session.execute(delete(AssetReference))
        await session.execute(delete(Asset))
    for path in (fanfare.settings.data_dir / "assets").rglob("*.*"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
    assert await fanfare.sweep.once() == []
    assert await _all(fanfare) == before
    await _age(fanfare)
    assert await fanfare.sweep.once() == []
    assert (await service.http.get(f"/v1/campaigns/{campaign['id']}/package.zip")).status_code == 200


async def test_a_sweep_and_a_new_use_of_an_old_picture_never_lose_it(service: Service) -> None:
    """Many rounds of both at once: a campaign that was taken has its photo."""
    fanfare = _of(service)
    for _ in range(25):
        sha256 = await _upload(service)
        await _age(fanfare)
        asked = {**POST, "approval": "required", "image": sha256}
        creating = service.http.post("/v1/campaigns", json=asked)
        swept, created = await asyncio.gather(fanfare.sweep.once(), creating)
        assert created.status_code in (202, 422), created.text
        if created.status_code == 202:
            assert await fanfare.assets.get(sha256, tenant="default")
            assert not [one for one in swept if one.sha256 == sha256]
            await service.http.post(f"/v1/campaigns/{created.json()['id']}/cancel")
            await fanfare.assets.release(created.json()["id"], tenant="default")


async def test_a_sweep_and_the_same_upload_at_once_never_lose_it(service: Service) -> None:
    fanfare = _of(service)
    for _ in range(25):
        sha256 = await _upload(service)
        await _age(fanfare)
        _, again = await asyncio.gather(fanfare.sweep.once(), _upload(service))
        assert again == sha256
        assert await fanfare.assets.get(sha256, tenant="default")


async def test_of_many_processes_one_sweeps(service: Service) -> None:
    redis = _of(service).redis
    for _ in range(2):
        asked = await asyncio.gather(*(taken(redis, prefix="test", seconds=0.2) for _ in range(20)))
        assert asked.count(True) == 1
        await asyncio.sleep(0.25)


def _fanfare(data_dir: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "service.cli", *words], capture_output=True, text=True, timeout=100, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), "FANFARE_DATA_DIR": str(data_dir)},
    )  # fmt: skip


async def test_an_operator_is_told_what_is_lost_and_what_would_go(data_dir: Path) -> None:
    async with running(Settings(data_dir=data_dir)) as service:
        campaign = await _completed(service)
        stray = await _of(service).assets.put(b"nobody's", "image/png", tenant="acme")
        await _age(_of(service))
        would = await asyncio.to_thread(_fanfare, data_dir, "assets", "check")
        assert (would.returncode, "in use" in would.stderr) == (6, True)
    swept = await asyncio.to_thread(_fanfare, data_dir, "assets", "sweep")
    assert swept.stdout == f"acme  {stray.sha256}  kept {LONG_AGO}\n1 gone.\n", swept.stderr
    photo = next((data_dir / "assets" / "default").rglob("*.jpg"))
    package = next((data_dir / "assets" / "default").rglob("*.zip"))
    package.write_bytes(b"PK")
    shutil.move(photo, data_dir / "elsewhere")
    lost = await asyncio.to_thread(_fanfare, data_dir, "assets", "check", "--read", "--json")
    assert lost.returncode == 1
    found = {one["sha256"]: one for one in json.loads(lost.stdout)}
    assert {sha: one["what"] for sha, one in found.items()} == {photo.stem: "missing", package.stem: "damaged"}
    assert found[package.stem]["owners"] == [campaign["id"]]


async def test_what_a_reference_holds_cannot_go(data_dir: Path) -> None:
    async with open_fanfare(Settings(data_dir=data_dir), recover=False) as fanfare:
        ref = await fanfare.assets.put(b"held", "image/png", tenant="acme", owner="a brand")
        await _age(fanfare)
        await fanfare.assets.delete(ref.sha256, tenant="acme")
        assert not await fanfare.assets.drop(ref.sha256, tenant="acme", before="9999")
        assert await fanfare.assets.get(ref.sha256, tenant="acme") == b"held"
        assert await fanfare.assets.release("a brand", tenant="other") == 0
        assert await fanfare.assets.release("a brand", tenant="acme") == 1
        assert await _all(fanfare) == set()


async def test_many_keep_the_same_picture_for_many_at_once(data_dir: Path) -> None:
    async with open_fanfare(Settings(data_dir=data_dir), recover=False) as fanfare:
        await asyncio.gather(
            *(fanfare.assets.put(b"one", "image/png", tenant="acme", owner=f"owner {at % 5}") for at in range(20))
        )
        assert len(await _all(fanfare)) == 1
        assert await fanfare.sweep.lost() == []
