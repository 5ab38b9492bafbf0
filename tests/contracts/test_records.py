"""What records promise, on SQLite and on Postgres alike."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from sqlalchemy import delete, func, select, text
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from service import migrations
from service.database import Database, Pool
from service.outages import DatabaseUnavailable
from service.records import IdempotencyConflict, Records
from service.tables import Campaign, new_id
from tests.databases import empty_database, postgres
from tests.records import TENANT, decision, migrated, record
from tests.stores import free_port

AT_ONCE = 20


@pytest.fixture
async def database(database_url: str) -> AsyncGenerator[Database]:
    """A database of each kind, with its tables."""
    async with migrated(database_url) as opened:
        yield opened


@pytest.fixture
def records(database: Database) -> Records:
    return Records(database)


async def test_what_was_created_is_there_with_every_value(records: Records) -> None:
    order = {"product": {"name": "Čokoláda 🍫"}, "languages": ["ja"], "zero": "\x00", "nested": [1, 2.5, None]}
    made = await records.create(record(name="Čokoláda 🍫" * 10, order=order, budget_usd="0.50"))
    found = await records.get(made.id)
    assert found is not None
    assert (found.name, found.order, found.budget_usd) == ("Čokoláda 🍫" * 10, order, "0.50")
    assert (found.decision, found.progress, found.cost) == (None, 0.0, {})


async def test_another_tenant_finds_nothing(records: Records) -> None:
    made = await records.create(record())
    assert await records.get(made.id, tenant=TENANT)
    assert await records.get(made.id, tenant="other") is None
    assert await records.page("other", status=None, query=None, after=None, limit=10) == []


async def test_twenty_with_one_key_make_one_campaign(records: Records) -> None:
    made = await asyncio.gather(*(records.create(record(idempotency_key="k")) for _ in range(AT_ONCE)))
    assert len({campaign.id for campaign in made}) == 1
    assert len(await records.page(TENANT, status=None, query=None, after=None, limit=AT_ONCE)) == 1


async def test_a_key_is_its_tenant_s_and_its_body_s(records: Records) -> None:
    first = await records.create(record(idempotency_key="k"))
    other = await records.create(record(idempotency_key="k", tenant="other"))
    assert other.id != first.id
    with pytest.raises(IdempotencyConflict):
        await records.create(record(idempotency_key="k", body_hash="1" * 64))
    with pytest.raises(IntegrityError):
        await records.create(record(id=first.id))


async def test_of_twenty_decisions_exactly_one_is_taken(records: Records) -> None:
    waiting = await records.create(record(status="awaiting_copy_approval", revision="r1", interrupt_id="i"))
    resumes = [{"type": "approve" if number % 2 else "reject"} for number in range(AT_ONCE)]
    taken = await asyncio.gather(
        *(
            records.decide(decision(waiting, by=f"person {number}"), resume=resume)
            for number, resume in enumerate(resumes)
        )
    )
    assert sum(taken) == 1
    written = await records.decisions(waiting.id)
    assert [one.by for one in written] == [f"person {taken.index(True)}"]
    found = await records.get(waiting.id)
    assert found is not None
    assert (found.status, found.revision, found.decided_revision) == ("queued", None, "r1")
    assert found.decision == resumes[taken.index(True)]


@pytest.mark.parametrize(("gate", "revision"), [("creatives", "r1"), ("copy", "r0")])
async def test_a_decision_on_what_is_not_shown_changes_nothing(records: Records, gate: str, revision: str) -> None:
    waiting = await records.create(record(status="awaiting_copy_approval", revision="r1"))
    said = decision(waiting, gate=gate, revision=revision)
    assert not await records.decide(said, resume={"type": "approve"})
    assert await records.decisions(waiting.id) == []
    found = await records.get(waiting.id)
    assert found is not None
    assert (found.status, found.decision, found.updated_at) == (
        waiting.status, None, waiting.updated_at,
    )  # fmt: skip


async def test_a_change_is_made_only_from_the_statuses_named(records: Records) -> None:
    made = await records.create(record())
    assert not await records.change(made.id, {"status": "completed"}, where=("running",))
    changed = await asyncio.gather(
        *(records.change(made.id, {"status": "running"}, where=("queued",)) for _ in range(AT_ONCE))
    )
    assert sum(changed) == 1
    assert not await records.change(new_id(), {"status": "running"})
    found = await records.get(made.id)
    assert found is not None
    assert (found.status, found.updated_at > made.updated_at) == ("running", True)


async def test_pages_neither_skip_nor_repeat_while_campaigns_are_added(records: Records) -> None:
    for number in range(25):
        await records.create(record(number // 3))  # three were made in the same millisecond
    before = [each.id for each in await records.page(TENANT, status=None, query=None, after=None, limit=100)]

    async def add() -> None:
        for number in range(20):
            await records.create(record(5000 + number))

    adding = asyncio.create_task(add())
    seen: list[Campaign] = []
    while page := await records.page(TENANT, status=None, query=None, after=_last(seen), limit=4):
        seen += page
    await adding
    numbers = [each.id for each in seen]
    assert len(numbers) == len(set(numbers))
    assert [number for number in numbers if number in before] == before
    assert len(await records.page(TENANT, status=None, query=None, after=None, limit=100)) == 45


def _last(seen: list[Campaign]) -> tuple[str, str] | None:
    return (seen[-1].created_at, seen[-1].id) if seen else None


async def test_lists_are_found_by_status_and_by_part_of_the_name(records: Records) -> None:
    for number, name in enumerate(["Aurora", "AURORA 50%", "Brisk_2"]):
        await records.create(record(number, name=name, status="completed" if number else "queued"))

    async def names(query: str | None, status: str | None = None) -> list[str]:
        rows = await records.page(TENANT, status=status, query=query, after=None, limit=10)
        return [row.name for row in rows]

    assert await names("aurora") == ["AURORA 50%", "Aurora"]
    assert await names("aurora", "completed") == ["AURORA 50%"]
    assert (await names("0%"), await names("k_2"), await names("_")) == (["AURORA 50%"], ["Brisk_2"], ["Brisk_2"])
    assert await names("a\x00b") == []


async def test_what_cannot_be_an_id_is_not_found(records: Records) -> None:
    for odd in ("", "\x00", "a" * 5000, "' OR 1=1 --"):
        assert await records.get(odd) is None


async def test_the_unfinished_are_those_that_should_run(records: Records) -> None:
    statuses = ("queued", "running", "awaiting_copy_approval", "completed", "failed", "cancelled")
    made = [await records.create(record(number, status=status)) for number, status in enumerate(statuses)]
    assert await records.unfinished() == [made[0].id, made[1].id]


async def test_two_hundred_writers_at_once_all_get_their_turn(records: Records) -> None:
    made = await asyncio.gather(*(records.create(record(number)) for number in range(200)))
    changed = await asyncio.gather(
        *(records.change(each.id, {"status": "running"}, where=("queued",)) for each in made)
    )
    assert all(changed)
    assert len(await records.unfinished()) == 200


async def test_writers_in_two_processes_wait_for_each_other(database_url: str) -> None:
    async with migrated(database_url) as one, migrated(database_url) as two:  # neither knows of the other's turn
        tasks = [Records(each).create(record(number)) for number in range(50) for each in (one, two)]
        await asyncio.gather(*tasks)
        assert len(await Records(one).unfinished()) == 100


async def test_a_transaction_that_reads_before_it_writes_is_not_refused(database: Database) -> None:
    async def count_and_add(number: int) -> None:
        async with database.writing() as session:
            await session.scalar(select(func.count()).select_from(Campaign))
            await asyncio.sleep(0)
            session.add(record(number))

    await asyncio.gather(*(count_and_add(number) for number in range(AT_ONCE)))


async def test_a_block_that_raises_leaves_nothing(database: Database, records: Records) -> None:
    async def half() -> None:
        async with database.writing() as session:
            session.add(record())
            await session.flush()
            raise LookupError

    with pytest.raises(LookupError):
        await half()
    assert await records.unfinished() == []
    await records.create(record())


async def test_a_statement_that_is_wrong_is_no_outage(database: Database) -> None:
    for statement in ("SELECT nothing FROM campaigns", "SELECT * FROM nowhere", "SELEC"):
        with pytest.raises(SQLAlchemyError):
            await _read(database, statement)


async def _read(database: Database, statement: str) -> None:
    async with database.reading() as session:
        await session.execute(text(statement))


async def test_a_database_without_tables_is_no_outage(database_url: str) -> None:
    await migrations.upgrade(database_url)
    await migrations.downgrade(database_url)
    async with Database.open(database_url) as database:
        with pytest.raises(SQLAlchemyError, match="campaigns"):
            await Records(database).unfinished()


async def test_a_file_that_is_no_database_is_an_outage(tmp_path: Path) -> None:
    (tmp_path / "fanfare.db").write_bytes(b"a letter to an aunt" * 100)
    async with Database.open(f"sqlite:///{tmp_path / 'fanfare.db'}") as database:
        with pytest.raises(DatabaseUnavailable, match="file is not a database"):
            await database.ping()


async def test_a_writer_that_waits_too_long_for_another_process_is_told(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'fanfare.db'}"
    async with migrated(url) as other, Database.open(url, pool=Pool(statement_seconds=0.1)) as database:
        async with other.writing() as session:
            await session.execute(text("SELECT 1"))
            with pytest.raises(DatabaseUnavailable, match="locked"):
                await Records(database).create(record())
            assert await Records(database).unfinished() == [], "reading goes on"
        await Records(database).create(record())


async def test_a_connection_that_does_not_come_free_is_an_outage(postgres_url: str) -> None:
    small = Pool(size=1, overflow=0, timeout_seconds=0.1)
    async with migrated(postgres_url, pool=small) as database, database.reading() as session:
        await session.execute(text("SELECT 1"))
        with pytest.raises(DatabaseUnavailable, match="timed out"):
            await database.ping()


async def test_a_statement_that_takes_too_long_is_an_outage(postgres_url: str) -> None:
    async with migrated(postgres_url, pool=Pool(statement_seconds=0.2)) as database:
        with pytest.raises(DatabaseUnavailable, match="statement timeout"):
            await _read(database, "SELECT pg_sleep(20)")


async def test_a_server_that_hangs_is_an_outage_and_answers_again_afterwards() -> None:
    quick = Pool(timeout_seconds=0.5, connect_seconds=2, statement_seconds=0.5)
    with postgres(fsync="off") as server:
        async with migrated(server.url, pool=quick) as database:
            made = await Records(database).create(record())
            with server.asleep():
                calls = (database.ping(), Records(database).change(made.id, {"step": "brief"}))
                told = await asyncio.gather(*calls, return_exceptions=True)
            assert [type(each) for each in told] == [DatabaseUnavailable] * 2, told
            assert await Records(database).get(made.id)


async def test_lists_come_from_the_replica_and_nothing_else_does(postgres_server: str, postgres_url: str) -> None:
    with empty_database(postgres_server) as behind:  # a copy that never catches up
        await migrations.upgrade(behind)
        async with migrated(postgres_url, replica_url=behind) as database:
            records = Records(database)
            made = await records.create(record())
            assert await records.get(made.id), "who has just created it must see it"
            assert await records.unfinished() == [made.id]
            assert await _listed(records) == []
            with pytest.raises(DatabaseUnavailable, match="read-only"):
                async with database.listing() as session:
                    await session.execute(delete(Campaign))


async def test_while_the_replica_is_away_lists_come_from_the_primary(postgres_url: str) -> None:
    nowhere = f"postgresql://127.0.0.1:{free_port()}/fanfare"
    async with migrated(postgres_url, replica_url=nowhere) as database:
        made = await Records(database).create(record())
        assert await _listed(Records(database)) == [made.id]
        with pytest.raises(
            DatabaseUnavailable, match=f"{nowhere.rpartition('@')[2].split('//')[1]} cannot be used"
        ):
            await database.ping_replica()


async def _listed(records: Records) -> list[str]:
    return [each.id for each in await records.page(TENANT, status=None, query=None, after=None, limit=100)]
