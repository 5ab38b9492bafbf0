"""What is kept of people can be had as an archive, and can be gone: from every store, whatever is under way."""

import asyncio
import io
import json
import zipfile
from pathlib import Path
from typing import Any, cast

import pytest
from PIL import Image
from sqlalchemy import select

from service import retention
from service.settings import Settings
from service.tables import Base, Campaign
from service.wiring import Fanfare
from tests.login import house
from tests.running import AURORA, Service, running

CANARY = "Qwertzuiop"
ASKED: dict[str, Any] = {
    **AURORA,
    "product": {
        "name": f"Aurora {CANARY}",
        "features": ["40 h battery", "Noise cancelling", "Folds flat"],
        "description": f"Ask {CANARY} at the counter.",
    },
    "placements": ["x_post"],
}


def inside(service: Service) -> Fanfare:
    assert service.fanfare is not None
    return service.fanfare


async def last_by(service: Service, campaign_id: str) -> str:
    """Who decided last, as the history has it."""
    told = (await service.get(f"/v1/campaigns/{campaign_id}/history"))["items"]
    return str([entry["by"] for entry in told if entry["kind"] == "decision"][-1])


async def rows(fanfare: Fanfare) -> str:
    """Every value of every table but the audit log's, as it lies there."""
    async with fanfare.database.reading() as session:
        found = [row for table in Base.metadata.sorted_tables for row in await session.execute(select(table))]
    return "\n".join(str(tuple(row)) for row in found)


async def keys_and_values(fanfare: Fanfare) -> bytes:
    """The whole of Redis."""
    redis = cast("Any", fanfare.redis)
    found: list[bytes] = []
    async for key in redis.scan_iter(count=1000):
        match await redis.type(key):
            case b"string":
                found.append(await redis.get(key))
            case b"hash":
                found.append(repr(await redis.hgetall(key)).encode())
            case b"set":
                found.append(repr(await redis.smembers(key)).encode())
            case b"zset":
                found.append(repr(await redis.zrange(key, 0, -1)).encode())
            case b"stream":
                found.append(repr(await redis.xrange(key)).encode())
            case kind:
                raise AssertionError(f"{key!r} is a {kind!r}")
        found.append(key)
    return b"\n".join(found)


async def traces(fanfare: Fanfare, word: str) -> list[str]:
    """Where a word is still to be found: in tables, in Redis, or in any file of the data folder."""
    found: list[str] = []
    if word in await rows(fanfare):
        found.append("database")
    if word.encode() in await keys_and_values(fanfare):
        found.append("redis")
    files = [path for path in fanfare.settings.data_dir.rglob("*") if path.is_file()]
    return found + [path.name for path in files if word.encode() in path.read_bytes()]


async def until_gone(fanfare: Fanfare, word: str) -> list[str]:
    """As `traces`, with a moment for the server to finish rewriting its log."""
    left, patience = await traces(fanfare, word), 100
    while left and patience:
        await asyncio.sleep(0.05)
        left, patience = await traces(fanfare, word), patience - 1
    return left


async def test_an_erased_campaign_is_in_no_store_any_more(
    service: Service, capfd: pytest.CaptureFixture[str]
) -> None:
    fanfare = inside(service)
    kept = await service.create(languages=[], placements=["x_post"], approval="none")
    await service.still(kept["id"])
    campaign = await service.create(ASKED)
    await service.still(campaign["id"])
    await service.decide(campaign["id"], "respond", comment=f"{CANARY} wants it shorter")
    await service.still(campaign["id"])
    await service.approve(campaign["id"])
    assert (await service.approve(campaign["id"]))["status"] == "completed"
    assert {"database", "redis"} < set(await traces(fanfare, CANARY))

    answer = await service.http.delete(f"/v1/campaigns/{campaign['id']}")
    assert answer.status_code == 200, answer.text
    report = answer.json()
    assert report["campaigns"] == [campaign["id"]]
    assert {"answers", "assets", "events", "decisions", "campaigns"} <= report["erased"].keys()
    assert await until_gone(fanfare, CANARY) == []
    assert campaign["id"].encode() not in await keys_and_values(fanfare)
    assert CANARY not in "".join(capfd.readouterr())
    for path in ("", "/content", "/history", "/package.zip"):
        assert (await service.http.get(f"/v1/campaigns/{campaign['id']}{path}")).status_code == 404
    assert (await service.http.delete(f"/v1/campaigns/{campaign['id']}")).status_code == 404
    assert (await service.http.get(f"/v1/campaigns/{kept['id']}/package.zip")).status_code == 200, (
        "the other is whole"
    )


async def test_a_campaign_is_erased_in_the_middle_of_its_run(service: Service) -> None:
    fanfare = inside(service)
    campaigns = [await service.create({**ASKED, "languages": ["de", "ja", "fr"]}) for _ in range(3)]
    for wait, campaign in enumerate(campaigns):
        await asyncio.sleep(0.15 * wait)
        answer = await service.http.delete(f"/v1/campaigns/{campaign['id']}")
        assert answer.status_code == 200, answer.text
    await asyncio.sleep(0.5)
    assert await until_gone(fanfare, CANARY) == []
    assert (await service.get("/v1/campaigns"))["items"] == []


async def test_an_erased_tenant_leaves_its_neighbour_whole_and_no_trace_of_itself(
    data_dir: Path, database_url: str
) -> None:
    async with house(data_dir, database_url=database_url) as here:
        async with here.somebody("admin") as theirs, here.somebody("admin", tenant="rival") as others:
            await theirs.http.post("/v1/webhooks", json={"url": f"https://{CANARY.lower()}.example.com/hook"})
            link = None
            few: dict[str, Any] = {**ASKED, "languages": []}
            for asked in (ASKED, few):
                campaign = await theirs.create(asked)
                await theirs.still(campaign["id"])
                link = await theirs.http.post(f"/v1/campaigns/{campaign['id']}/links", json={"gate": "copy"})
            assert link is not None
            assert link.status_code == 201, link.text
            same = await others.create({**AURORA, "placements": ["x_post"]})
            await others.still(same["id"])

            unsure = await theirs.http.post("/v1/tenant/erase", json={"confirm": "rival"})
            assert (unsure.status_code, unsure.json()["code"]) == (409, "not-confirmed")
            answer = await theirs.http.post("/v1/tenant/erase", json={"confirm": "acme"})
            assert answer.status_code == 200, answer.text
            assert len(answer.json()["campaigns"]) == 2
            assert (await theirs.http.get("/v1/campaigns")).status_code == 401, "their keys are gone as well"
            await others.approve(same["id"])
            assert (await others.approve(same["id"]))["status"] == "completed"
        for word in (CANARY, CANARY.lower(), "acme"):
            assert await until_gone(here.fanfare, word) == [], word


async def test_a_person_is_taken_out_of_what_they_decided(data_dir: Path) -> None:
    async with house(data_dir) as here:
        key = await here.key("admin", name=CANARY)
        async with here.with_key(key) as them, here.somebody("admin") as admin:
            campaign = await them.create({**AURORA, "placements": ["x_post"], "languages": []})
            await them.still(campaign["id"])
            await them.decide(campaign["id"], "respond", comment=f"{CANARY} says: shorter")
            await them.still(campaign["id"])
            await them.decide(campaign["id"], "approve", comment=f"Fine by {CANARY}")
            await them.still(campaign["id"])
            named = await admin.create(ASKED)
            await admin.still(named["id"])
            subject = await last_by(them, campaign["id"])
            open_one = await admin.http.post("/v1/people/erase", json={"person": subject})
            assert open_one.status_code == 200, open_one.text
            assert open_one.json()["still_open"] == [campaign["id"]]

            assert (await admin.approve(campaign["id"]))["status"] == "completed"
            gone = (await admin.http.post("/v1/people/erase", json={"person": CANARY})).json()
            assert (gone["erased"], gone["still_open"]) == ({"keys held": 1}, [])
            assert gone["named_in"] == [named["id"]]
            told = (await admin.get(f"/v1/campaigns/{campaign['id']}/history"))["items"]
            decided = [(entry["by"], entry["comment"]) for entry in told if entry["kind"] == "decision"]
            assert decided[:2] == [("erased", None), ("erased", None)]
            assert (await admin.http.delete(f"/v1/campaigns/{named['id']}")).status_code == 200
        assert await until_gone(here.fanfare, CANARY) == []


async def test_a_comment_in_a_cancelled_campaign_goes_with_the_campaign(data_dir: Path) -> None:
    async with house(data_dir) as here:
        key = await here.key("admin", name=CANARY)
        async with here.with_key(key) as them, here.somebody("admin") as admin:
            campaign = await them.create({**AURORA, "placements": ["x_post"], "languages": []})
            await them.still(campaign["id"])
            await them.decide(campaign["id"], "respond", comment=f"{CANARY} says: shorter")
            await them.still(campaign["id"])
            subject = await last_by(them, campaign["id"])
            await them.http.post(f"/v1/campaigns/{campaign['id']}/cancel")
            for person in (subject, CANARY):
                told = (await admin.http.post("/v1/people/erase", json={"person": person})).json()
                assert told["still_open"] == [campaign["id"]]
            assert (await admin.http.delete(f"/v1/campaigns/{campaign['id']}")).status_code == 200
        assert await until_gone(here.fanfare, CANARY) == []


async def test_archives_hold_what_is_kept_and_nothing_that_opens_anything(data_dir: Path) -> None:
    async with house(data_dir) as here, here.somebody("admin") as admin, here.somebody("viewer") as viewer:
        campaign = await admin.create(ASKED)
        await admin.still(campaign["id"])
        await admin.decide(campaign["id"], "respond", comment="Shorter, please")
        await admin.still(campaign["id"])
        await admin.http.post("/v1/webhooks", json={"url": "https://hooks.example.com/fanfare"})
        by = await last_by(admin, campaign["id"])

        unused = await admin.http.post("/v1/assets", files={"file": ("logo.png", grey_png())})

        whole = await admin.http.get(f"/v1/campaigns/{campaign['id']}/export")
        files = unpacked(whole.content)
        assert json.loads(files["campaign.json"])["campaign"][0]["order"]["product"] == {
            **ASKED["product"], "url": None, "evidence": [],
        }  # fmt: skip
        assert "Shorter, please" in files["history.json"].decode()
        assert {name.partition("/")[0] for name in files} == {
            "campaign.json", "state.json", "checkpoints.json", "history.json", "events.json", "files",
        }  # fmt: skip
        tenant = unpacked((await admin.http.get("/v1/tenant/export")).content)
        assert {f"campaigns/{campaign['id']}/{name}" for name in files} <= tenant.keys()
        assert f"files/{unused.json()['sha256']}.png" in tenant, "no campaign needs it, and it is the tenant's"
        told = tenant["tenant.json"].decode()
        assert "hooks.example.com" in told
        assert "whsec_" not in told
        assert '"secret' not in told
        person = json.loads(
            unpacked((await admin.http.post("/v1/people/export", json={"person": by})).content)["person.json"]
        )
        assert [one["comment"] for one in person["decisions"]] == ["Shorter, please"]
        assert [one["id"] for one in person["campaigns_created"]] == [campaign["id"]]
        for method, path in (("GET", "/v1/tenant/export"), ("GET", "/v1/audit")):
            assert (await viewer.http.request(method, path)).status_code == 403


def grey_png() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (200, 200), "grey").save(buffer, "PNG")
    return buffer.getvalue()


def unpacked(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


async def test_the_audit_log_tells_what_was_done_and_names_nobody(data_dir: Path) -> None:
    async with house(data_dir) as here, here.somebody("admin") as admin:
        campaign = await admin.create(ASKED)
        await admin.still(campaign["id"])
        await admin.decide(campaign["id"], "reject", comment=CANARY)
        await admin.http.post("/v1/campaigns/nobody/cancel")
        await admin.http.delete(f"/v1/campaigns/{campaign['id']}")
        first = await admin.get("/v1/audit?limit=2")
        entries = [*first["items"], *(await admin.get(f"/v1/audit?cursor={first['next_cursor']}"))["items"]]
        assert [(entry["action"], entry["target"]) for entry in entries] == [
            ("campaign.erased", campaign["id"]),
            ("decide", campaign["id"]),
            ("create_campaign", None),
        ]
        assert len({entry["actor"] for entry in entries}) == 1
        assert entries[0]["facts"]["campaigns"] == 1
        assert not [word for word in (CANARY, "acme", "key:", "Aurora") if word in json.dumps(entries)]


async def test_ended_campaigns_go_when_their_time_is_over(data_dir: Path) -> None:
    async with running(Settings(data_dir=data_dir, retention_days=30)) as service:
        fanfare = inside(service)
        old, young, waiting = [
            await service.create(languages=[], placements=["x_post"], approval=approval)
            for approval in ("none", "none", "required")
        ]
        for campaign in (old, young, waiting):
            await service.still(campaign["id"])
        async with fanfare.database.writing() as session:
            for campaign in (old, waiting):
                (await session.get_one(Campaign, campaign["id"])).updated_at = "2020-01-01T00:00:00.000Z"
        assert await retention.once(fanfare) == 1
        assert await retention.once(fanfare) == 0
        left = {campaign["id"] for campaign in (await service.get("/v1/campaigns"))["items"]}
        assert left == {young["id"], waiting["id"]}
