"""How operators name the database, and what they are told when it cannot be used."""

import asyncio
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError
from typer.testing import CliRunner

from service import migrations
from service.cli import app
from service.database import Database, locate_database, place
from service.doctor import _database  # pyright: ignore[reportPrivateUsage]
from service.server import Unavailable, opened
from service.settings import Settings
from tests.databases import empty_database
from tests.running import ROOT, running
from tests.stores import free_port


@pytest.mark.parametrize(
    ("url", "driver", "called"),
    [
        ("postgres://u:p%40ss@db/records", "postgresql+psycopg", "Postgres at db:5432/records"),
        ("postgresql://u@db:6000/records?sslmode=require", "postgresql+psycopg", "Postgres at db:6000/records"),
        ("postgresql+psycopg:///records?host=/run/pg", "postgresql+psycopg", "Postgres at /run/pg:5432/records"),
        ("sqlite:////srv/fanfare.db", "sqlite+aiosqlite", "SQLite at /srv/fanfare.db"),
        ("sqlite+aiosqlite:///fanfare.db", "sqlite+aiosqlite", "SQLite at fanfare.db"),
    ],
)
def test_a_url_is_read_as_operators_write_it(url: str, driver: str, called: str) -> None:
    located = locate_database(url)
    assert (located.drivername, place(located)) == (driver, called)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mysql://u:secret@db/records", "must begin with postgresql:// or sqlite:///, not with mysql://"),
        ("postgresql+asyncpg://u:secret@db/records", "not with postgresql+asyncpg://"),
        ("secret", "must look like postgresql://"),
        ("postgresql://u:secret@db:port/records", "must look like postgresql://"),
        ("postgresql://u:secret@db/records?sslmod=require", "knows no option sslmod"),
        ("sqlite://", "SQLite needs a file"),
        ("sqlite:///:memory:", "SQLite needs a file"),
    ],
)
def test_a_url_that_cannot_be_used_is_told_without_its_secret(url: str, said: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(said)) as refused:
        Settings(database_url=url)
    assert "secret" not in str(refused.value)


def test_without_a_database_of_its_own_a_replica_copies_nothing() -> None:
    with pytest.raises(ValidationError, match="is a copy of FANFARE_DATABASE_URL, which is not set"):
        Settings(database_replica_url="postgresql://db/records")
    told = CliRunner().invoke(app, ["list"], env={"FANFARE_DATABASE_REPLICA_URL": "postgresql://db/records"})
    assert (told.exit_code, "which is not set." in told.output) == (2, True)


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        (
            "database_url",
            "postgresql://u:secret@127.0.0.1:1/records",
            "Postgres at 127.0.0.1:1/records cannot be used",
        ),
        ("database_url", "sqlite:////nowhere/fanfare.db", "unable to open database file"),
        ("data_dir", "/proc/nobody/writes/here", "/proc/nobody"),
    ],
)
async def test_a_store_that_cannot_be_opened_is_told_in_a_sentence(
    data_dir: Path, name: str, value: str, said: str
) -> None:
    settings = Settings.model_validate({"data_dir": data_dir, name: value})
    with pytest.raises(Unavailable) as told:
        async with opened(settings, command="a test"):
            pass
    assert said in str(told.value)
    assert str(told.value).endswith("Run `fanfare doctor` to see what is missing.")
    assert "secret" not in str(told.value)


def test_serve_ends_with_a_sentence_and_a_code_not_with_a_traceback(tmp_path: Path, taken: int) -> None:
    database = f"postgresql://u:secret@127.0.0.1:{free_port()}/records"
    code, said = _serve(free_port(), tmp_path, FANFARE_DATABASE_URL=database)
    assert (code, "cannot be used now" in said, "Traceback" in said, "Port" in said) == (6, True, False, False), (
        said
    )
    code, said = _serve(taken, tmp_path)
    assert (code, f"Port {taken} on 127.0.0.1 is not to be had" in said, "Traceback" in said) == (6, True, False)


def _serve(port: int, data_dir: Path, **settings: str) -> tuple[int, str]:
    told = subprocess.run(
        [sys.executable, "-m", "service.cli", "serve", "--port", str(port)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "FANFARE_DATA_DIR": str(data_dir), **settings},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return told.returncode, told.stderr


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("FANFARE_DATABASE_URL", "mysql://u:secret@db/records", "FANFARE_DATABASE_URL: it must begin with"),
        ("FANFARE_REDIS_URL", "http://u:secret@db", "FANFARE_REDIS_URL: A Redis URL begins with"),
        ("FANFARE_REDIS_URL", "redis://u:secret@db/0?unheard_of=1", "that redis-py does not know."),
        ("FANFARE_REDIS_URL", "redis+cluster://u:secret@db?unheard_of=1", "that redis-py does not know."),
    ],
)
def test_a_url_that_cannot_be_read_is_named_by_its_setting(name: str, value: str, said: str) -> None:
    told = CliRunner().invoke(app, ["serve"], env={name: value})
    assert (told.exit_code, said in told.output, "secret" in told.output) == (2, True, False)


async def test_readiness_warns_of_a_replica_that_is_away_and_lists_go_on(
    postgres_server: str, data_dir: Path
) -> None:
    nowhere = f"postgresql://127.0.0.1:{free_port()}/records"
    with empty_database(postgres_server) as url:
        settings = Settings(data_dir=data_dir, database_url=url, database_replica_url=nowhere)
        async with running(settings) as service:
            ready = await service.get("/readyz")
            assert (ready["status"], len(ready["warnings"])) == ("ready", 1)
            assert ready["warnings"][0].startswith("Lists come from the primary")
            assert (await service.get("/v1/campaigns"))["items"] == []


def test_the_doctor_says_how_the_database_stands(postgres_url: str) -> None:
    assert _examined(database_url=postgres_url) == ("note", "has no tables yet")
    assert _examined(database_url=postgres_url, migrate="check") == ("bad", "has no tables yet")
    asyncio.run(migrations.upgrade(postgres_url))
    assert _examined(database_url=postgres_url) == ("ok", "is at revision")
    assert _examined(database_url="postgresql://127.0.0.1:1/x") == ("bad", "cannot be used now")


def _examined(**settings: str) -> tuple[str, str]:
    found = asyncio.run(_database(Settings.model_validate(settings)))
    says = re.search("has no tables yet|is at revision|cannot be used now", found.says)
    return found.level, says.group() if says else found.says


async def test_settings_reach_the_pool(postgres_url: str, tmp_path: Path) -> None:
    settings = Settings(
        data_dir=tmp_path, database_url=postgres_url, database_pool_size=3, database_statement_timeout_seconds=7
    )
    async with Database.open(settings.records_url, pool=settings.pool) as database, database.reading() as session:
        connection = await session.connection()
        assert (await connection.exec_driver_sql("SHOW statement_timeout")).scalar_one() == "7s"
        assert "Pool size: 3" in database.engine.pool.status()
