"""The outbox, the webhooks and the deliverer on an SQL database, with several processes' worth of them at once."""

import asyncio
import contextlib
import ipaddress
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text
from starlette.responses import Response

from service import migrations
from service.database import Database
from service.deliveries import Deliverer, Patience, Room, seconds_of
from service.outbound import Rules, open_outbound
from service.outbox import Outbox
from service.records import IdempotencyConflict, Records
from service.tables import Campaign, Delivery, Status, later, new_id, now
from service.webhooks import CAMPAIGNS, Webhooks
from tests.receivers import Receiver, receiving

HOOK = "https://hooks.example/fanfare"


@pytest.fixture(params=["sqlite"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind."""
    return {"sqlite": f"sqlite+aiosqlite:///{tmp_path / 'a test.db'}"}[request.param]


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A migrated database."""
    await migrations.upgrade(database_url)
    async with Database.open(database_url) as opened:
        yield opened


def campaign(number: int = 0, *, tenant: str = "acme", **more: Any) -> Campaign:
    return Campaign(
        id=new_id(), tenant=tenant, name="Aurora", status="queued", step=None, progress=0.0, order={}, cost={},
        body_hash=str(number), created_at=now(), updated_at=now(), **more,
    )  # fmt: skip


async def all_of(database: Database) -> Sequence[Delivery]:
    async with database.reading() as session:
        return (await session.scalars(select(Delivery).order_by(Delivery.id))).all()


@contextlib.asynccontextmanager
async def delivering(
    database: Database, *receivers: Receiver, count: int = 1, room: Room | None = None
) -> AsyncGenerator[None]:
    """So many deliverers at work on one database within the block, as so many processes would have them."""
    networks = (ipaddress.ip_network("127.0.0.0/8"),)
    ports = frozenset(one.port for one in receivers)
    rules = Rules(ports, plain_http=True, names=frozenset({"localhost"}), networks=networks)
    patience = Patience(attempts=3, first_seconds=0.02)
    outbox, webhooks = Outbox(database), Webhooks(database)
    async with open_outbound(rules, seconds=10) as outbound:
        deliverers = [
            Deliverer(outbox, webhooks, outbound, patience=patience, keep_days=1, room=room) for _ in range(count)
        ]
        for one in deliverers:
            one.start()
        try:
            yield
        finally:
            await asyncio.gather(*(one.drain(0.5) for one in deliverers))


async def settled(database: Database) -> Sequence[Delivery]:
    """Every delivery, once none is pending."""
    deadline = time.monotonic() + 60
    while [one for one in await all_of(database) if one.status == "pending"]:
        assert time.monotonic() < deadline, "still pending"
        await asyncio.sleep(0.05)
    return await all_of(database)


# Events and what they tell of


async def test_of_many_changes_at_once_one_is_made_and_one_event_is_written(database: Database) -> None:
    records = Records(database)
    made = await records.create(campaign(webhook_url=HOOK))
    ends: list[Status] = ["cancelled", "failed"]
    changes = [
        records.change(made.id, {"status": ends[number % 2]}, where=("queued", "running")) for number in range(20)
    ]
    assert sum(await asyncio.gather(*changes)) == 1
    ended = await records.get(made.id)
    assert ended is not None
    written = await all_of(database)
    assert [one.type for one in written] == ["campaign.created", f"campaign.{ended.status}"]
    assert written[1].data["status"] == ended.status
    assert written[1].occurred_at == ended.updated_at


async def test_a_run_that_is_repeated_writes_nothing_twice(database: Database) -> None:
    records = Records(database)
    made = await records.create(campaign(webhook_url=HOOK))
    for _ in range(3):
        await records.change(made.id, {"status": "running"}, where=("queued", "running"))
        await records.change(made.id, {"progress": 0.5}, where=("running",))
    waiting = {"status": "awaiting_copy_approval", "revision": "r1"}
    assert [await records.change(made.id, waiting, where=("running",)) for _ in range(3)] == [True, False, False]
    written = await all_of(database)
    assert [one.type for one in written] == ["campaign.created", "campaign.approval.requested"]
    assert (written[1].data["gate"], written[1].data["revision"]) == ("copy", "r1")


async def test_a_change_whose_event_cannot_be_written_is_not_made(database: Database) -> None:
    records = Records(database)
    made = await records.create(campaign(webhook_url=HOOK))
    with pytest.raises(KeyError):
        await records.change(made.id, {"status": "failed", "error": {"wrong": "shape"}}, where=("queued",))
    kept = await records.get(made.id)
    assert kept is not None
    assert kept.status == "queued"
    assert len(await all_of(database)) == 1


async def test_a_repeated_request_is_one_event(database: Database) -> None:
    records = Records(database)
    first = campaign(1, idempotency_key="k", webhook_url=HOOK)
    again = campaign(1, idempotency_key="k", webhook_url=HOOK)
    assert {(await records.create(one)).id for one in (first, again)} == {first.id}
    with pytest.raises(IdempotencyConflict):
        await records.create(campaign(2, idempotency_key="k", webhook_url=HOOK))
    assert len(await all_of(database)) == 1


async def test_only_the_tenant_s_own_webhooks_hear(database: Database) -> None:
    webhooks, records = Webhooks(database), Records(database)
    ours, secret = await webhooks.add("acme", HOOK)
    theirs, other = await webhooks.add("globex", HOOK)
    assert secret != other
    await records.create(campaign())
    assert [one.webhook_id for one in await all_of(database)] == [ours.id]
    assert await webhooks.get(theirs.id, tenant="acme") is None
    assert not await webhooks.remove(theirs.id, tenant="acme")
    await webhooks.enable(theirs.id, tenant="acme")
    assert await webhooks.secrets("globex", theirs.id) == [other]
    assert await webhooks.secrets("acme", theirs.id) == []
    delivery = (await all_of(database))[0]
    outbox = Outbox(database)
    assert await outbox.get(delivery.id, tenant="globex") is None
    assert await outbox.page("globex", status=None, webhook_id=None, after=None, limit=10) == []


# Secrets


async def test_of_many_rotations_at_once_one_secret_stays(database: Database) -> None:
    webhooks = Webhooks(database)
    await asyncio.gather(*(webhooks.ensure_secret("acme") for _ in range(10)))
    first = await webhooks.secrets("acme", CAMPAIGNS)
    assert len(first) == 1
    await webhooks.ensure_secret("acme")
    assert await webhooks.secrets("acme", CAMPAIGNS) == first
    made = await asyncio.gather(*(webhooks.rotate("acme", CAMPAIGNS, overlap_seconds=0) for _ in range(5)))
    assert len(set(made)) == 5
    left = await webhooks.secrets("acme", CAMPAIGNS)
    assert len(left) == 1
    assert left[0] in made


async def test_a_signature_header_stays_short_however_often_a_secret_rotates(database: Database) -> None:
    webhooks = Webhooks(database)
    made = [await webhooks.rotate("acme", CAMPAIGNS, overlap_seconds=3600) for _ in range(8)]
    assert await webhooks.secrets("acme", CAMPAIGNS) == made[:2:-1]


async def test_removing_what_stands_for_campaigns_leaves_its_secret(database: Database) -> None:
    webhooks = Webhooks(database)
    await webhooks.ensure_secret("acme")
    assert not await webhooks.remove(CAMPAIGNS, tenant="acme")
    assert len(await webhooks.secrets("acme", CAMPAIGNS)) == 1


# Claims


async def test_what_is_claimed_is_one_s_alone_until_the_lease_ends(database: Database) -> None:
    outbox = Outbox(database)
    for number in range(10):
        await Records(database).create(campaign(number, webhook_url=HOOK))
    ids = [one.id for one in await outbox.due(limit=50, not_to=[], not_of=[])]
    assert len(await outbox.claim(ids, seconds=-1)) == 10
    claims = await asyncio.gather(*(outbox.claim(ids, seconds=60) for _ in range(4)))
    assert sorted(one.id for claim in claims for one in claim) == sorted(ids)
    assert {one.attempts for claim in claims for one in claim} == {2}
    assert await outbox.due(limit=50, not_to=[], not_of=[]) == []


async def test_who_comes_back_after_the_lease_takes_nothing_back_but_success(database: Database) -> None:
    outbox = Outbox(database)
    await Records(database).create(campaign(webhook_url=HOOK))
    ids = [one.id for one in await all_of(database)]
    (slow,) = await outbox.claim(ids, seconds=-1)
    (quick,) = await outbox.claim(ids, seconds=60)
    await outbox.bury(slow, status=None, error="Too late.")
    await outbox.postpone(slow, seconds=-1, status=None, error="Too late.")
    assert await outbox.due(limit=1, not_to=[], not_of=[]) == []
    await outbox.delivered(slow, status=200)
    await outbox.postpone(quick, seconds=0, status=503, error="Busy.")
    (kept,) = await all_of(database)
    assert (kept.status, kept.last_status, kept.due_at) == ("delivered", 200, None)


async def test_several_deliverers_send_each_event_once(database: Database) -> None:
    async with receiving() as receiver:
        for number in range(40):
            await Records(database).create(campaign(number, webhook_url=receiver.url))
        await Webhooks(database).ensure_secret("acme")
        async with delivering(database, receiver, count=3):
            assert {one.status for one in await settled(database)} == {"delivered"}
        assert len(receiver.received) == len({one.headers["webhook-id"] for one in receiver.received}) == 40


# Who may hold up whom


async def test_a_host_that_hangs_takes_its_own_room_only(database: Database) -> None:
    async with receiving(seconds=60) as stuck, receiving() as quick:
        records = Records(database)
        for number in range(30):
            await records.create(campaign(number, webhook_url=stuck.url.replace("127.0.0.1", "localhost")))
        for number in range(10):
            await records.create(campaign(number, webhook_url=quick.url))
        await Webhooks(database).ensure_secret("acme")
        async with delivering(database, stuck, quick, room=Room(most=8, of_tenant=6, to_host=2)):
            await quick.gets(10)
            assert len(stuck.received) == 2


async def test_a_tenant_with_many_hosts_that_hang_leaves_room_for_others(database: Database) -> None:
    async with receiving(seconds=60) as stuck, receiving() as quick:
        records, webhooks = Records(database), Webhooks(database)
        for host in ("127.0.0.1", "localhost"):
            for number in range(5):
                await records.create(campaign(number, webhook_url=stuck.url.replace("127.0.0.1", host)))
        await records.create(campaign(tenant="globex", webhook_url=quick.url))
        for tenant in ("acme", "globex"):
            await webhooks.ensure_secret(tenant)
        async with delivering(database, stuck, quick, room=Room(most=4, of_tenant=3, to_host=2)):
            await quick.gets(1)
            await stuck.gets(3)
            assert len(stuck.received) == 3


async def test_a_deliverer_outlives_an_outage_of_the_database(database: Database) -> None:
    async with receiving() as receiver:
        await Webhooks(database).ensure_secret("acme")
        async with delivering(database, receiver):
            await _rename(database, "webhook_deliveries", "elsewhere")
            await asyncio.sleep(0.7)  # longer than it waits between two looks
            await _rename(database, "elsewhere", "webhook_deliveries")
            await Records(database).create(campaign(webhook_url=receiver.url))
            await receiver.gets(1)


async def _rename(database: Database, old: str, new: str) -> None:
    async with database.writing() as session:
        await session.execute(text(f"ALTER TABLE {old} RENAME TO {new}"))


# Patience


async def test_what_never_arrives_is_given_up_and_kept(database: Database) -> None:
    async with receiving(lambda _: Response(status_code=500)) as receiver:
        await Records(database).create(campaign(webhook_url=receiver.url))
        await Webhooks(database).ensure_secret("acme")
        async with delivering(database, receiver):
            (dead,) = await settled(database)
        assert (dead.status, dead.attempts, dead.last_status) == ("dead", 3, 500)
        assert dead.last_error == f"127.0.0.1:{receiver.port} answered 500."
        assert len(receiver.received) == 3


async def test_a_delivery_that_kills_its_process_each_time_is_given_up(database: Database) -> None:
    async with receiving() as receiver:
        await Records(database).create(campaign(webhook_url=receiver.url))
        await Webhooks(database).ensure_secret("acme")
        ids = [one.id for one in await all_of(database)]
        for _ in range(3):
            assert len(await Outbox(database).claim(ids, seconds=-1)) == 1
        async with delivering(database, receiver):
            (dead,) = await settled(database)
        assert (dead.status, receiver.received) == ("dead", [])


async def test_without_a_secret_nothing_is_sent(database: Database) -> None:
    async with receiving() as receiver:
        await Records(database).create(campaign(webhook_url=receiver.url))
        async with delivering(database, receiver):
            (dead,) = await settled(database)
        assert dead.last_error == "There is no secret to sign it with; rotate, then replay."
        assert receiver.received == []


async def test_a_campaign_s_own_address_that_is_gone_is_told_no_more(database: Database) -> None:
    async with receiving(lambda _: Response(status_code=410)) as receiver:
        records = Records(database)
        made = await records.create(campaign(webhook_url=receiver.url))
        await Webhooks(database).ensure_secret("acme")
        async with delivering(database, receiver):
            await settled(database)
            await records.change(made.id, {"status": "cancelled"})
            assert len(await settled(database)) == 1
        assert len(receiver.received) == 1


async def test_what_has_ended_is_forgotten_after_a_while(database: Database) -> None:
    outbox = Outbox(database)
    for number in range(3):
        await Records(database).create(campaign(number, webhook_url=HOOK))
    arrived, given_up, waiting = await outbox.claim([one.id for one in await all_of(database)], seconds=60)
    await outbox.delivered(arrived, status=200)
    await outbox.bury(given_up, status=500, error="No.")
    await outbox.prune(before=later(-60))
    assert len(await all_of(database)) == 3
    await outbox.prune(before=later(60))
    assert [one.id for one in await all_of(database)] == [waiting.id]


async def test_a_campaign_that_is_erased_takes_its_deliveries_along(database: Database) -> None:
    made = await Records(database).create(campaign(webhook_url=HOOK))
    async with database.writing() as session:
        await session.delete(await session.get_one(Campaign, made.id))
    assert await all_of(database) == []


def test_ten_attempts_take_three_days() -> None:
    patience = Patience()
    pauses = [patience.pause(attempt) for attempt in range(1, 11)]
    assert pauses[-1] is None
    known = [pause for pause in pauses if pause is not None]
    assert 4 <= known[0] <= 6
    assert 60 * 3600 <= sum(known) <= 90 * 3600
    assert max(known) <= 1.2 * 86_400
    assert len({patience.pause(1) for _ in range(20)}) > 1, "not all at the same moment"


def test_a_receiver_is_left_in_peace_as_long_as_it_asks_but_a_day_at_most() -> None:
    patience = Patience()
    assert patience.pause(1, asked=600) == 600
    assert patience.pause(1, asked=1e9) == 86_400
    assert (patience.pause(1, asked=0) or 0) >= 4
    assert (seconds_of("120"), seconds_of(None), seconds_of("soon"), seconds_of("-5")) == (120, None, None, None)
    assert 50 < (seconds_of(formatdate(time.time() + 60, usegmt=True)) or 0) < 70
    assert seconds_of(formatdate(0, usegmt=True)) == 0
    assert seconds_of("9" * 400) is not None
