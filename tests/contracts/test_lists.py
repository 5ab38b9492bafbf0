"""Which index each list uses, as the planners of SQLite and Postgres tell of the very statements that we send."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Generator
from contextlib import nullcontext
from typing import Any

import pytest
from sqlalchemy import Connection, event, insert, inspect, text

from service.database import Database
from service.records import Records
from service.tables import Campaign
from tests.databases import empty_database
from tests.records import TENANT, migrated, record

ROWS = 20_000
STATUSES = ["completed"] * 90 + ["failed"] * 6 + ["awaiting_copy_approval"] * 3 + ["queued"]
MIDDLE = record(ROWS // 2)

Ask = Callable[[Records], Awaitable[object]]


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def crowded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    """A database of each kind with many campaigns of ten tenants, of which few are unfinished."""
    file = tmp_path_factory.mktemp("crowded") / "fanfare.db"
    on_postgres = request.param == "postgres"
    with (
        empty_database(str(request.getfixturevalue("postgres_server")))
        if on_postgres
        else nullcontext(f"sqlite:///{file}") as url
    ):
        asyncio.run(_fill(url))
        yield url


async def _fill(url: str) -> None:
    async with migrated(url) as database:
        async with database.writing() as session:
            await session.execute(insert(Campaign), [_row(number) for number in range(ROWS)])
        async with database.writing() as session:
            await session.execute(text("ANALYZE"))


def _row(number: int) -> dict[str, Any]:
    tenant = TENANT if number % 10 == 0 else f"tenant {number % 10}"
    made = record(number, tenant=tenant, status=STATUSES[number // 10 % 100])
    return {attribute.key: getattr(made, attribute.key) for attribute in inspect(Campaign).column_attrs}


async def _newest(records: Records) -> None:
    await records.page(TENANT, status=None, query=None, after=None, limit=21)


async def _from_cursor(records: Records) -> None:
    await records.page(TENANT, status=None, query=None, after=(MIDDLE.created_at, MIDDLE.id), limit=21)


async def _of_status(records: Records) -> None:
    await records.page(TENANT, status="failed", query=None, after=None, limit=21)


async def _of_status_from_cursor(records: Records) -> None:
    await records.page(TENANT, status="failed", query=None, after=(MIDDLE.created_at, MIDDLE.id), limit=21)


async def _named(records: Records) -> None:
    """No index finds the middle of a name: the tenant's are walked, newest first, until the page is full."""
    await records.page(TENANT, status=None, query="aurora", after=None, limit=21)


async def _unfinished(records: Records) -> None:
    await records.unfinished()


async def _by_id(records: Records) -> None:
    await records.get(MIDDLE.id)


async def _by_key(records: Records) -> None:
    for _ in range(2):
        await records.create(record(idempotency_key="k"))


@pytest.mark.parametrize(
    ("ask", "index"),
    [
        (_newest, "ix_campaigns_tenant_created"),
        (_from_cursor, "ix_campaigns_tenant_created"),
        (_of_status, "ix_campaigns_tenant_status"),
        (_of_status_from_cursor, "ix_campaigns_tenant_status"),
        (_named, "ix_campaigns_tenant_created"),
        (_unfinished, "ix_campaigns_unfinished"),
        (_by_id, "pk_campaigns|sqlite_autoindex_campaigns"),
        (_by_key, "uq_campaigns_idempotency"),
    ],
)
async def test_what_is_read_comes_from_an_index_and_in_order(crowded: str, ask: Ask, index: str) -> None:
    async with Database.open(crowded) as database:
        statement, values = await _sent(database, ask)
        plan = await _plan(database, statement, values)
    assert re.search(index, plan), plan
    assert not re.search(r"Seq Scan|SCAN campaigns$|Sort|TEMP B-TREE", plan, re.MULTILINE), plan


async def _sent(database: Database, ask: Ask) -> tuple[str, Any]:
    """The last statement that reads, as it went to the driver."""
    sent: list[tuple[str, Any]] = []

    def hear(_connection: Connection, _cursor: object, statement: str, values: Any, *_more: object) -> None:
        sent.append((statement, values))

    event.listen(database.engine.sync_engine, "before_cursor_execute", hear)
    await ask(Records(database))
    event.remove(database.engine.sync_engine, "before_cursor_execute", hear)
    reads = [each for each in sent if each[0].startswith("SELECT")]
    return reads[-1]


async def _plan(database: Database, statement: str, values: Any) -> str:
    explain = "EXPLAIN" if database.engine.dialect.name == "postgresql" else "EXPLAIN QUERY PLAN"
    async with database.engine.connect() as connection:
        rows = await connection.exec_driver_sql(f"{explain} {statement}", values)
        return "\n".join(str(row[-1]) for row in rows)
