"""What the service needs, whether it is there, and what the operator should know about it."""

from collections.abc import Awaitable, Callable

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from graph.checkpoints import FAILURES, CheckpointStoreError
from service.api.models import Readiness
from service.wiring import Fanfare
from tools.assets import AssetStoreUnavailable


async def readiness(fanfare: Fanfare) -> Readiness:
    """Ask every store, and collect the warnings that do not stop the service."""
    warnings: list[str] = []

    async def redis() -> None:
        warnings.extend(await fanfare.saver.check())

    async def database() -> None:
        async with fanfare.database.engine.connect() as connection:
            await connection.execute(text("SELECT 1"))

    checks = {
        "redis": await _told(redis),
        "database": await _told(database),
        "assets": await _told(fanfare.assets.check),
    }
    ready = all(answer == "ok" for answer in checks.values())
    return Readiness(status="ready" if ready else "not-ready", checks=checks, warnings=warnings)


async def _told(check: Callable[[], Awaitable[None]]) -> str:
    try:
        await check()
    except (CheckpointStoreError, AssetStoreUnavailable, SQLAlchemyError, *FAILURES) as error:
        return f"cannot be reached: {error}"
    return "ok"
