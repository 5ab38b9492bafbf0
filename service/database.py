"""The SQL database, SQLite or Postgres: one engine, and sessions that read or write."""

import contextlib
from collections.abc import AsyncGenerator
from typing import Any

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

from graph.checkpoints import KeyRing
from service.sealing import seal


class Database:
    """Sessions on one engine; what a store reads stays usable after its session has closed."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self._session = async_sessionmaker(engine, expire_on_commit=False)

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, url: str, *, ring: KeyRing | None = None) -> AsyncGenerator["Database"]:
        """The database at `url`, an SQLAlchemy URL of an async driver; `ring` encrypts sealed columns."""
        engine = create_async_engine(url)
        seal(engine, ring)
        if engine.dialect.name == "sqlite":
            event.listen(engine.sync_engine, "connect", _prepare_sqlite)
        try:
            yield cls(engine)
        finally:
            await engine.dispose()

    def reading(self) -> AsyncSession:
        """A session to read in."""
        return self._session()

    def writing(self) -> contextlib.AbstractAsyncContextManager[AsyncSession]:
        """A session whose block is one transaction: committed at its end, taken back when it raises."""
        return self._session.begin()


def _prepare_sqlite(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=5000", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
