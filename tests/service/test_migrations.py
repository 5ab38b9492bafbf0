"""The database's history: up, down, twice at once, and what `fanfare db` says of it."""

import asyncio
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text
from typer.testing import CliRunner

from service import migrations
from service.cli import app
from service.database import locate_database
from service.migrations import SchemaMismatch, open_engine
from service.outages import DatabaseUnavailable
from service.server import Unavailable, opened
from service.settings import Settings
from service.tables import Base
from tests.running import ROOT
from tests.stores import free_port

T = TypeVar("T")
SCRIPTS = ScriptDirectory(str(ROOT / "service/migrations"))
HEAD = SCRIPTS.get_current_head()


def look(url: str, ask: Callable[[Connection], T]) -> T:
    """What `ask` finds in the database."""
    engine = open_engine(locate_database(url))
    with engine.connect() as connection:
        return ask(connection)


def tables(url: str) -> set[str]:
    return look(url, lambda connection: set(inspect(connection).get_table_names()) - {"alembic_version"})


def differences(connection: Connection) -> list[Any]:
    options = {"compare_type": True, "compare_server_default": True}
    found: list[Any] = compare_metadata(MigrationContext.configure(connection, opts=options), Base.metadata)
    return found


async def test_the_migrations_make_what_the_tables_say(database_url: str) -> None:
    await migrations.upgrade(database_url)
    assert tables(database_url) == set(Base.metadata.tables)
    assert look(database_url, differences) == []
    assert look(database_url, _predicates) == 1, (
        "one index is of part of a table, which the comparison does not see"
    )


def _predicates(connection: Connection) -> int:
    indexes = inspect(connection).get_indexes("campaigns")
    options = [index.get("dialect_options", {}) for index in indexes]
    return sum(bool(each.get("postgresql_where") or each.get("sqlite_where") is not None) for each in options)


async def test_every_step_goes_up_down_and_up_again(database_url: str) -> None:
    await migrations.upgrade(database_url)
    steps = [script.revision for script in SCRIPTS.walk_revisions()]
    for revision in [*steps[1:], "base"]:
        await migrations.downgrade(database_url, revision)
    assert tables(database_url) == set()
    await migrations.upgrade(database_url)
    await migrations.upgrade(database_url)
    assert look(database_url, differences) == []


async def test_three_processes_that_start_at_once_migrate_once(database_url: str) -> None:
    work = "import asyncio, sys; from service import migrations; asyncio.run(migrations.upgrade(sys.argv[1]))"
    started = [await _python("-c", work, database_url) for _ in range(3)]
    ended = await asyncio.gather(*(process.communicate() for process in started))
    assert [process.returncode for process in started] == [0, 0, 0], ended
    assert look(database_url, differences) == []


async def _python(*words: str) -> asyncio.subprocess.Process:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return await asyncio.create_subprocess_exec(
        sys.executable, *words, env=environment, stderr=asyncio.subprocess.PIPE
    )


def test_check_and_upgrade_say_how_it_stands(database_url: str) -> None:
    code, said = told("db", "check", database_url=database_url)
    assert code == 1
    assert f"has no tables yet; this version wants {HEAD}. Run: fanfare db upgrade" in said
    asyncio.run(migrations.upgrade(database_url))
    asyncio.run(migrations.downgrade(database_url, "0001"))
    code, said = told("db", "check", "--json", database_url=database_url)
    assert (code, json.loads(said)["found"], json.loads(said)["wanted"]) == (1, "0001", HEAD)
    assert told("db", "upgrade", database_url=database_url)[0] == 0
    code, said = told("db", "check", database_url=database_url)
    assert (code, f"is at revision {HEAD}, as this version wants it." in said) == (0, True)


def told(*words: str, **settings: str) -> tuple[int, str]:
    """A command's exit code and all that it said."""
    environment = {f"FANFARE_{name.upper()}": value for name, value in settings.items()}
    answer = CliRunner().invoke(app, words, env=environment)
    assert isinstance(answer.exception, SystemExit | None), answer.exception
    return answer.exit_code, answer.output


def test_a_database_of_a_newer_version_is_left_alone(database_url: str) -> None:
    asyncio.run(migrations.upgrade(database_url))
    look(database_url, _from_the_future)
    with pytest.raises(SchemaMismatch, match="9999, which this version does not know"):
        asyncio.run(migrations.upgrade(database_url))
    code, said = told("db", "upgrade", database_url=database_url)
    assert (code, "Run the version that wrote there, or a newer one." in said) == (1, True)


def _from_the_future(connection: Connection) -> None:
    connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    connection.commit()


async def test_a_service_that_only_checks_does_not_start_on_an_old_database(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, migrate="check")
    with pytest.raises(Unavailable, match="Run: fanfare db upgrade"):
        async with opened(settings, command="a test"):
            pass
    assert not (tmp_path / "fanfare.db").exists()
    await migrations.upgrade(settings.records_url)
    async with opened(settings, command="a test") as fanfare:
        await fanfare.database.ping()


def test_a_database_that_is_away_is_named_without_its_password() -> None:
    url = f"postgresql://fanfare:secret@127.0.0.1:{free_port()}/records"
    with pytest.raises(DatabaseUnavailable, match=r"Postgres at 127\.0\.0\.1:\d+/records cannot be used") as away:
        asyncio.run(migrations.upgrade(url))
    assert "secret" not in str(away.value)
    code, said = told("db", "check", database_url=url)
    assert (code, "Check FANFARE_DATABASE_URL." in said, "secret" in said) == (6, True, False)
