"""The database's history, run by Alembic under a lock, so that many may start at once."""

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import URL, Engine, NullPool, create_engine

from service.database import locate_database, place, prepare_sqlite
from service.outages import database_at

_Direction = Callable[[Config, str], None]
_HERE = Path(__file__).parent
_WAIT_SECONDS = 60
"""How long one who starts waits for another's migration, or a migration for a table that is in use."""
_TURN = threading.Lock()  # Alembic keeps what it is at in a module


@dataclass(frozen=True)
class Schema:
    """The revision that a database is at (None: without tables), and the one that this version wants."""

    where: str
    found: str | None
    wanted: str
    known: bool = True
    """Whether this version has the revision that was found in its own history."""

    @property
    def current(self) -> bool:
        """Whether this version can run on it."""
        return self.found == self.wanted

    def __str__(self) -> str:
        """Say how it stands, and what to do."""
        if self.current:
            return f"{self.where} is at revision {self.found}, as this version wants it."
        if not self.known:
            return (
                f"{self.where} is at revision {self.found}, which this version does not know; it wants "
                f"{self.wanted}. Run the version that wrote there, or a newer one."
            )
        standing = f"is at revision {self.found}" if self.found else "has no tables yet"
        return f"{self.where} {standing}; this version wants {self.wanted}. Run: fanfare db upgrade"


class SchemaMismatch(Exception):
    """The database is not at the revision that this version wants."""

    def __init__(self, schema: Schema) -> None:
        super().__init__(str(schema))
        self.schema = schema


async def upgrade(database_url: str) -> None:
    """Bring the database at `database_url` to this version's tables; a second one at once waits for the first.

    Raises `SchemaMismatch` for a database that a newer version has migrated.
    """
    await asyncio.to_thread(_upgrade, locate_database(database_url))


async def downgrade(database_url: str, revision: str = "base") -> None:
    """Go back to `revision`; to take every table of ours away, to the base."""
    await asyncio.to_thread(_run, command.downgrade, locate_database(database_url), revision)


async def schema(database_url: str) -> Schema:
    """How the database stands; nothing is changed."""
    return await asyncio.to_thread(_schema, locate_database(database_url))


async def require(database_url: str) -> None:
    """Raise `SchemaMismatch` unless the database is at the revision that this version wants."""
    found = await schema(database_url)
    if not found.current:
        raise SchemaMismatch(found)


def open_engine(url: URL) -> Engine:
    """A sync engine for one connection that migrates.

    SQLite changes a table by copying it and dropping the old one, which with foreign keys on would empty what
    refers to it; they are checked afterwards instead.
    """
    if url.get_backend_name() == "sqlite":
        engine = create_engine(url.set(drivername="sqlite"), poolclass=NullPool)
        prepare_sqlite(engine, busy_seconds=_WAIT_SECONDS, foreign_keys=False)
        return engine
    bounds = {"connect_timeout": 10, "options": f"-c lock_timeout={_WAIT_SECONDS}s"}
    return create_engine(url, poolclass=NullPool, connect_args=bounds)


def _upgrade(url: URL) -> None:
    try:
        _run(command.upgrade, url, "head")
    except CommandError:
        found = _schema(url)
        if found.known:
            raise
        raise SchemaMismatch(found) from None


def _run(direction: _Direction, url: URL, revision: str) -> None:
    with _TURN, database_at(place(url)):
        direction(_config(url), revision)


def _schema(url: URL) -> Schema:
    scripts = ScriptDirectory.from_config(_config(url))
    found, wanted = _found(url), scripts.get_current_head()
    known = found is None or found in {script.revision for script in scripts.walk_revisions()}
    return Schema(place(url), found, wanted or "", known)


def _found(url: URL) -> str | None:
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").exists():
        return None  # opening it would make the file
    engine = open_engine(url)
    with database_at(place(url)), engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def _config(url: URL) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_HERE).replace("%", "%%"))
    config.attributes["url"] = url
    return config
