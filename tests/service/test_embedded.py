"""The private server and the tables, where people put them."""

import os
import signal
from pathlib import Path

import pytest
from redis.asyncio import Redis
from sqlalchemy import Connection, inspect
from sqlalchemy.ext.asyncio import create_async_engine

from service import migrations
from service.embedded import DataFolderInUse, hold, private_server
from service.tables import Base


@pytest.mark.parametrize("name", ["plain", "with a space", "läng" * 30, 'q"uote'])
async def test_what_was_written_is_there_again(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    for expected in (None, b"kept"):
        async with private_server(folder) as url, Redis.from_url(url) as client:
            assert await client.get("key") == expected
            await client.set("key", "kept")
            assert (await client.config_get("appendonly"))["appendonly"] == "yes"


async def test_a_server_killed_hard_loses_nothing_that_was_answered(tmp_path: Path) -> None:
    async with private_server(tmp_path) as url, Redis.from_url(url) as client:
        await client.set("key", "kept")
        os.kill(int((tmp_path / "valkey.pid").read_text()), signal.SIGKILL)
    async with private_server(tmp_path) as url, Redis.from_url(url) as client:
        assert await client.get("key") == b"kept"


def test_a_folder_is_held_by_one(tmp_path: Path) -> None:
    with hold(tmp_path, "fanfare serve", "http://127.0.0.1:8000"):
        with pytest.raises(DataFolderInUse, match="fanfare serve") as refused, hold(tmp_path, "another"):
            pass
        assert refused.value.holder["pid"] == os.getpid()
    with hold(tmp_path, "another"):
        pass


async def test_the_migrations_make_what_the_records_say_and_take_it_away(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'a folder.db'}"
    await migrations.upgrade(url)
    await migrations.upgrade(url)
    assert await _columns(url) == {
        (name, column.name): column.nullable
        for name, table in Base.metadata.tables.items()
        for column in table.columns
    }
    await migrations.downgrade(url)
    assert await _columns(url) == {}


async def _columns(url: str) -> dict[tuple[str, str], bool]:
    def look(connection: Connection) -> dict[tuple[str, str], bool]:
        inspector = inspect(connection)
        return {
            (table, str(one["name"])): bool(one["nullable"])
            for table in inspector.get_table_names()
            if table != "alembic_version"
            for one in inspector.get_columns(table)
        }

    engine = create_async_engine(url)
    async with engine.connect() as connection:
        columns = await connection.run_sync(look)
    await engine.dispose()
    return columns
