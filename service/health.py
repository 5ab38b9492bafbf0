"""What the service needs, whether it is there, and what the operator should know about it."""

from collections.abc import Awaitable, Callable

from graph.checkpoints import FAILURES, CheckpointStoreError
from service.api.models import Readiness
from service.outages import DatabaseUnavailable
from service.wiring import Fanfare
from tools.assets import AssetStoreUnavailable


async def readiness(fanfare: Fanfare) -> Readiness:
    """Ask every store, and collect the warnings that do not stop the service."""
    warnings: list[str] = []

    async def redis() -> None:
        warnings.extend(await fanfare.saver.check())

    checks = {
        "redis": await _told(redis),
        "database": await _told(fanfare.database.ping),
        "assets": await _told(fanfare.assets.check),
    }
    if (replica := await _told(fanfare.database.ping_replica)) != "ok":
        warnings.append(f"Lists come from the primary: the replica {replica}")
    ready = all(answer == "ok" for answer in checks.values())
    if fanfare.authentication.required:  # strangers may ask, and need no names of servers
        checks, warnings = {name: answer.partition(":")[0] for name, answer in checks.items()}, []
    return Readiness(status="ready" if ready else "not-ready", checks=checks, warnings=warnings)


async def _told(check: Callable[[], Awaitable[None]]) -> str:
    try:
        await check()
    except (CheckpointStoreError, DatabaseUnavailable, AssetStoreUnavailable, *FAILURES) as error:
        return f"cannot be reached: {error}"
    return "ok"
