"""The SQL database, SQLite or Postgres: sessions that read, list or write, each on the engine that suits it."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import structlog
from sqlalchemy import URL, Connection, event, make_url, text
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

from graph.checkpoints import KeyRing
from service.outages import DatabaseUnavailable, database_at
from service.sealing import seal

log = structlog.get_logger()

_SQLITE, _POSTGRES = "sqlite+aiosqlite", "postgresql+psycopg"
_DRIVERS = {
    "sqlite": _SQLITE, _SQLITE: _SQLITE,
    "postgres": _POSTGRES, "postgresql": _POSTGRES, _POSTGRES: _POSTGRES,
}  # fmt: skip
_REPLICA_REST_SECONDS = 10.0
"""How long a replica that was away is not asked, so that lists do not wait for it every time."""


@dataclass(frozen=True)
class Pool:
    """How many connections an engine may have, and how long anybody waits for one and for its answers."""

    size: int = 10
    overflow: int = 10
    timeout_seconds: float = 10.0
    recycle_seconds: int = 1800
    connect_seconds: int = 5
    statement_seconds: float = 15.0

    @property
    def patience_seconds(self) -> float:
        """How long all of it may take together."""
        return self.timeout_seconds + self.connect_seconds + self.statement_seconds


def locate_database(url: str) -> URL:
    """Read a URL; ValueError with the form that it should have, and nothing of its password.

    `sqlite:///file` and `postgresql://[user:password@]host[:port]/database`, where libpq's options (`sslmode`,
    `target_session_attrs`, …) go into the query. `postgres://` says the same as `postgresql://`.
    """
    try:
        found = make_url(url)
    except (ArgumentError, ValueError):  # they may quote the password
        raise ValueError(
            "it must look like postgresql://user:password@host/database, with / ? # @ in a password written as "
            "%2F %3F %23 %40, or like sqlite:////folder/file"
        ) from None
    driver = _DRIVERS.get(found.drivername)
    if driver is None:
        raise ValueError(f"it must begin with postgresql:// or sqlite:///, not with {found.drivername}://")
    if driver == _SQLITE and (found.database or ":memory:") == ":memory:":
        raise ValueError("SQLite needs a file, as in sqlite:////folder/file")
    if driver == _POSTGRES:
        _require_libpq(found.query)
    return found.set(drivername=driver)


def _require_libpq(query: Mapping[str, Any]) -> None:
    """Raise ValueError unless the driver is there and knows every option."""
    if find_spec("psycopg") is None:
        raise ValueError("Postgres needs its driver: pip install 'psycopg[binary]'")
    import_module("psycopg")
    known = import_module("psycopg.pq").Conninfo.get_defaults()
    if odd := set(query) - {option.keyword.decode() for option in known}:
        raise ValueError(f"Postgres knows no option {', '.join(sorted(odd))}")


def place(url: URL) -> str:
    """Name the database in messages, without user or password."""
    if url.drivername == _SQLITE:
        return f"SQLite at {url.database}"
    host = url.host or url.query.get("host") or "localhost"
    return f"Postgres at {host}:{url.port or 5432}/{url.database or ''}"


class Database:
    """Sessions; what a store reads stays usable after its session has closed.

    Every session raises `DatabaseUnavailable` when the database is away. `replica` is a copy that may lag behind.
    On Postgres a session's block is cut off after `patience` seconds: a server that hangs keeps no limits.
    """

    def __init__(
        self, engine: AsyncEngine, *, replica: AsyncEngine | None = None, patience: float | None = None
    ) -> None:
        self.engine = engine
        self._place = place(engine.url)
        self._replica_place = place(replica.url) if replica else ""
        self._write = async_sessionmaker(engine.execution_options(writing=True), expire_on_commit=False)
        self._read = async_sessionmaker(_reader(engine), expire_on_commit=False)
        self._list = async_sessionmaker(_reader(replica), expire_on_commit=False) if replica else None
        self._list_again_at = 0.0
        self._patience = None if _is_sqlite(engine) else patience
        # SQLite's own waiting for a lock is a lottery, which the same writer can lose again and again.
        self._turn = asyncio.Lock() if _is_sqlite(engine) else contextlib.nullcontext()

    @classmethod
    @contextlib.asynccontextmanager
    async def open(
        cls, url: str, *, replica_url: str | None = None, pool: Pool | None = None, ring: KeyRing | None = None
    ) -> AsyncGenerator["Database"]:
        """The database at `url`, as `locate_database` reads it; nothing is asked of it yet.

        Sealed columns are encrypted under `ring`.
        """
        pool = pool or Pool()
        engine = _engine(locate_database(url), pool)
        replica = _engine(locate_database(replica_url), pool, read_only=True) if replica_url else None
        seal(engine, ring)
        if replica:
            seal(replica, ring)
        try:
            yield cls(engine, replica=replica, patience=pool.patience_seconds)
        finally:
            for each in (engine, replica):
                if each:
                    await each.dispose()

    @contextlib.asynccontextmanager
    async def reading(self) -> AsyncGenerator[AsyncSession]:
        """A session that sees everything written before."""
        async with self._bounded(self._place), self._read() as session:
            yield session

    @contextlib.asynccontextmanager
    async def listing(self) -> AsyncGenerator[AsyncSession]:
        """A session for lists: on the replica if there is one and it answers, so perhaps a little old."""
        if self._list is None or not await self._replica_answers():
            async with self.reading() as session:
                yield session
            return
        async with self._bounded(self._replica_place), self._list() as session:
            yield session

    @contextlib.asynccontextmanager
    async def writing(self) -> AsyncGenerator[AsyncSession]:
        """A session whose block is one transaction: committed at its end, taken back when it raises.

        On SQLite one writes at a time, in the order of asking: never open one within another.
        """
        async with self._bounded(self._place), self._turn, self._write.begin() as session:
            yield session

    async def ping(self) -> None:
        """Raise `DatabaseUnavailable` unless the database answers."""
        async with self.reading() as session:
            await session.execute(text("SELECT 1"))

    async def ping_replica(self) -> None:
        """Raise `DatabaseUnavailable` unless the replica answers, where there is one."""
        if self._list:
            async with self._bounded(self._replica_place), self._list() as session:
                await session.connection()  # the pool asks whether it is alive

    @contextlib.asynccontextmanager
    async def _bounded(self, where: str) -> AsyncGenerator[None]:
        bound = asyncio.timeout(self._patience)
        try:
            with database_at(where):
                async with bound:
                    yield
        except TimeoutError as error:
            if not bound.expired():
                raise
            said = f"{where} cannot be used now (no answer within {self._patience:g} seconds)."
            raise DatabaseUnavailable(said) from error

    async def _replica_answers(self) -> bool:
        if time.monotonic() < self._list_again_at:
            return False
        try:
            await self.ping_replica()
        except DatabaseUnavailable as error:
            self._list_again_at = time.monotonic() + _REPLICA_REST_SECONDS
            log.warning("replica_away", error=str(error))
            return False
        return True


def _engine(url: URL, pool: Pool, *, read_only: bool = False) -> AsyncEngine:
    sqlite = url.drivername == _SQLITE
    engine = create_async_engine(
        url, hide_parameters=True, pool_size=pool.size, max_overflow=pool.overflow,
        pool_timeout=pool.timeout_seconds, pool_recycle=pool.recycle_seconds, pool_pre_ping=not sqlite,
        connect_args={} if sqlite else _bounds(url, pool, read_only=read_only),
    )  # fmt: skip
    if sqlite:
        prepare_sqlite(engine.sync_engine, busy_seconds=pool.statement_seconds)
    return engine


def _bounds(url: URL, pool: Pool, *, read_only: bool) -> dict[str, Any]:
    """What libpq and the server hold a connection to; options in the URL come on top."""
    options = [f"-c statement_timeout={int(pool.statement_seconds * 1000)}"]
    if read_only:
        options.append("-c default_transaction_read_only=on")
    if given := url.query.get("options"):
        options.append(given if isinstance(given, str) else " ".join(given))
    return {
        "connect_timeout": pool.connect_seconds,
        "tcp_user_timeout": int(pool.statement_seconds * 1000),  # a host that is gone says nothing
        "options": " ".join(options),
    }


def _reader(engine: AsyncEngine) -> AsyncEngine:
    """The engine without transactions around single reads, which on Postgres cost two round trips."""
    return engine if _is_sqlite(engine) else engine.execution_options(isolation_level="AUTOCOMMIT")


def _is_sqlite(engine: AsyncEngine) -> bool:
    return engine.dialect.name == "sqlite"


def prepare_sqlite(engine: Any, *, busy_seconds: float, foreign_keys: bool = True) -> None:
    """Let a sync engine's connections wait for locks, and take the lock for writing before they read.

    A transaction that reads first and writes later is refused at once when somebody wrote in between, however
    long it may wait.
    """

    def connected(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # the driver would begin transactions of its own, too late
        cursor = connection.cursor()
        pragmas = (
            f"busy_timeout={int(busy_seconds * 1000)}",
            "journal_mode=WAL",
            "synchronous=FULL",
            "secure_delete=ON",  # what was erased is overwritten
            f"foreign_keys={'ON' if foreign_keys else 'OFF'}",
        )
        for pragma in pragmas:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    def begun(connection: Connection) -> None:
        writing = connection.get_execution_options().get("writing")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")

    event.listen(engine, "connect", connected)
    event.listen(engine, "begin", begun)
