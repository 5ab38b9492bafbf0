"""What an operator does to the kept pictures themselves, while no other process has the data folder."""

import contextlib
from collections.abc import AsyncGenerator

from service.client import MISSING, Unavailable
from service.settings import Settings
from service.sweep import Lost, Sweep, Unneeded
from service.wiring import open_fanfare
from tools.assets import AssetStoreUnavailable


async def swept(settings: Settings, *, dry_run: bool) -> list[Unneeded]:
    """Forget what nobody needs any more, or only say what that is. Raises Unavailable or DataFolderInUse."""
    async with _sweep(settings, "fanfare assets sweep") as sweep:
        return await sweep.once(dry_run=dry_run)


async def lost(settings: Settings, *, read: bool) -> list[Lost]:
    """What a campaign needs and is not there. Raises Unavailable or DataFolderInUse."""
    async with _sweep(settings, "fanfare assets check") as sweep:
        return await sweep.lost(read=read)


@contextlib.asynccontextmanager
async def _sweep(settings: Settings, command: str) -> AsyncGenerator[Sweep]:
    try:
        async with open_fanfare(settings, command=command, recover=False) as fanfare:
            yield fanfare.sweep
    except (AssetStoreUnavailable, *MISSING) as error:
        raise Unavailable(str(error)) from error
