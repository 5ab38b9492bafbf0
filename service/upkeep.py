"""What an operator does to the stores without the service: to the kept pictures, and to the API keys."""

import contextlib
from collections.abc import AsyncGenerator

from graph.checkpoints import CheckpointStoreError
from service.keys import Keys
from service.migrations import SchemaMismatch
from service.outages import AWAY, DatabaseUnavailable
from service.sealing import reseal
from service.server import Unavailable, opened
from service.settings import Settings
from service.sweep import Lost, Sweep, Unneeded
from service.tables import Base
from service.wiring import open_database


async def swept(settings: Settings, *, dry_run: bool) -> list[Unneeded]:
    """Forget what nobody needs any more, or only say what that is. Raises Unavailable or DataFolderInUse."""
    async with _sweep(settings, "fanfare assets sweep") as sweep:
        return await sweep.once(dry_run=dry_run)


async def lost(settings: Settings, *, read: bool) -> list[Lost]:
    """What a campaign needs and is not there. Raises Unavailable or DataFolderInUse."""
    async with _sweep(settings, "fanfare assets check") as sweep:
        return await sweep.lost(read=read)


@contextlib.asynccontextmanager
async def keys(settings: Settings) -> AsyncGenerator[Keys]:
    """The API keys, also while a service runs on the same database. Raises Unavailable."""
    try:
        async with open_database(settings) as database:
            yield Keys(database)
    except (DatabaseUnavailable, SchemaMismatch, OSError) as error:
        raise Unavailable(str(error)) from error


async def resealed(settings: Settings) -> dict[str, int]:
    """Write every encrypted field anew under the first key; how many rows, by table. Raises Unavailable."""
    try:
        async with open_database(settings) as database:
            return await reseal(database.engine, Base)
    except (CheckpointStoreError, DatabaseUnavailable, SchemaMismatch, OSError) as error:
        raise Unavailable(str(error)) from error


@contextlib.asynccontextmanager
async def _sweep(settings: Settings, command: str) -> AsyncGenerator[Sweep]:
    try:
        async with opened(settings, command=command, recover=False) as fanfare:
            yield fanfare.sweep
    except AWAY as error:
        raise Unavailable(str(error)) from error
