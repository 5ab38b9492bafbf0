"""Outages: what tells a store that is away, where asking again later helps, from a fault of ours."""

import contextlib
import sqlite3
from collections.abc import Generator

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from graph.checkpoints import FAILURES, CheckpointStoreError
from tools.assets import AssetStoreUnavailable


class DatabaseUnavailable(Exception):
    """The database is down, starting, full, read-only or too slow; whether a last commit landed is unknown."""


AWAY = (DatabaseUnavailable, CheckpointStoreError, AssetStoreUnavailable, *FAILURES)
"""What the stores raise while one of them cannot be used."""
_SQLITE_AWAY = frozenset(
    {
        sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_NOTADB,
    }
)  # fmt: skip
"""SQLite raises an OperationalError for a missing table too, so that only its codes tell."""
_READ_ONLY = "25006"  # Postgres after a failover, while the URL still leads to the old primary


@contextlib.contextmanager
def database_at(where: str) -> Generator[None]:
    """Within it, an outage of the database called `where` raises `DatabaseUnavailable`; other faults stay."""
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error) as error:
        if not is_outage(error):
            raise
        raise DatabaseUnavailable(f"{where} cannot be used now ({_reason(error)}).") from error


def is_outage(error: Exception) -> bool:
    """Whether the database, not the statement, is what failed."""
    if isinstance(error, PoolTimeout) or (isinstance(error, DBAPIError) and error.connection_invalidated):
        return True
    original = _original(error)
    if (code := getattr(original, "sqlite_errorcode", None)) is not None:
        return (code & 0xFF) in _SQLITE_AWAY
    if getattr(original, "sqlstate", None) == _READ_ONLY:
        return True
    return isinstance(error, OperationalError | InterfaceError | sqlite3.OperationalError)


def is_away(error: BaseException) -> bool:
    """Whether a store that a run needs was away, so that the same run may succeed later by itself."""
    if isinstance(error, CheckpointStoreError):
        return error.retryable
    return isinstance(error, DatabaseUnavailable)


def _original(error: Exception) -> BaseException:
    return error.orig or error if isinstance(error, DBAPIError) else error


def _reason(error: Exception) -> str:
    """What the driver said, without the statement and its values."""
    said = str(_original(error)).strip()
    return (said.splitlines() or [type(error).__name__])[0].rstrip(".")
