"""What a tenant may use: campaigns on a day, and bytes kept. Counted in Redis, and never exceeded by a race."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import quote

import structlog

from graph.checkpoints import AsyncClient, CheckpointStoreError
from graph.checkpoints.scripts import Script
from service.problems import Problem
from service.scripts import run_script
from tools.assets import AssetRef, AssetStore, Kept, Opened, identified

log = structlog.get_logger()

# KEYS: a day's count. ARGV: how many there may be, and the seconds for which the count is kept.
_TAKE = Script("""
if tonumber(redis.call('GET', KEYS[1]) or '0') >= tonumber(ARGV[1]) then return 0 end
redis.call('INCR', KEYS[1])
redis.call('EXPIRE', KEYS[1], ARGV[2])
return 1
""")
_GIVE_BACK = Script("""
if tonumber(redis.call('GET', KEYS[1]) or '0') > 0 then redis.call('DECR', KEYS[1]) end
""")

# KEYS: what is kept, a hash of bytes by SHA-256, and their sum. ARGV: the SHA-256, its bytes, and how many there
# may be in all, or ''. Bytes that are kept already cost nothing. Returns 1 when they were added, 2 when they were
# there before, 0 when there is no room.
_KEEP = Script("""
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1 then return 2 end
if ARGV[3] ~= '' and tonumber(redis.call('GET', KEYS[2]) or '0') + ARGV[2] > tonumber(ARGV[3]) then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('INCRBY', KEYS[2], ARGV[2])
return 1
""")
_DROP = Script("""
local bytes = redis.call('HGET', KEYS[1], ARGV[1])
if bytes then
  redis.call('HDEL', KEYS[1], ARGV[1])
  redis.call('DECRBY', KEYS[2], bytes)
end
""")
_STORED = Script("return redis.call('GET', KEYS[1])")
_NO_ROOM, _ADDED = 0, 1
_DAY_KEPT_SECONDS: Final = 2 * 86_400


@dataclass
class Taken:
    """One campaign of a tenant's day; `used` turns false when nothing came of it."""

    used: bool = True


class Quotas:
    """The quotas of every tenant; None is no limit.

    They fail closed: without Redis nothing new is taken, and what asks fails with a `CheckpointStoreError`.
    """

    def __init__(
        self,
        redis: AsyncClient,
        *,
        prefix: str = "fanfare",
        day_campaigns: int | None = None,
        storage_bytes: int | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._redis = redis
        self._prefix = quote(prefix, safe=":")
        self._day_campaigns = day_campaigns
        self._storage_bytes = storage_bytes
        self._now = now

    @contextlib.asynccontextmanager
    async def campaign(self, tenant: str) -> AsyncGenerator[Taken]:
        """One of the tenant's campaigns of today, given back when the block raises or did not use it.

        Raises a 429 problem when there are none left, and a 413 problem when there is no room for pictures.
        """
        taken = Taken()
        if self._storage_bytes is not None and await self.stored(tenant) >= self._storage_bytes:
            raise self._full()
        if self._day_campaigns is None:
            yield taken
            return
        day = self._key(tenant, f"campaigns:{self._now().astimezone(UTC).date().isoformat()}")
        if not await self._run(_TAKE, [day], [self._day_campaigns, _DAY_KEPT_SECONDS]):
            raise self._spent(self._day_campaigns)
        try:
            yield taken
        except BaseException:
            taken.used = False
            raise
        finally:
            if not taken.used:
                await self._give_back(day)

    async def stored(self, tenant: str) -> int:
        """Bytes that the tenant keeps, generated pictures and packages counted."""
        return int(await self._run(_STORED, [self._key(tenant, "stored:bytes")], []) or 0)

    async def keep(self, tenant: str, sha256: str, size: int, *, limited: bool) -> bool:
        """Count bytes that are about to be stored; whether they were not counted before.

        Raises a 413 problem when they are `limited` and do not fit. Without a limit nothing is counted, and
        Redis not needed.
        """
        if self._storage_bytes is None:
            return False
        most = self._storage_bytes if limited else ""
        answer = await self._run(_KEEP, self._stored_keys(tenant), [sha256, size, most])
        if answer == _NO_ROOM:
            raise self._full()
        return bool(answer == _ADDED)

    async def drop(self, tenant: str, sha256: str) -> None:
        """Count bytes no longer."""
        if self._storage_bytes is None:
            return
        await self._run(_DROP, self._stored_keys(tenant), [sha256])

    async def _give_back(self, day: str) -> None:
        try:
            await self._run(_GIVE_BACK, [day], [])
        except CheckpointStoreError as error:  # the day has one campaign less; what failed is worth more
            log.warning("quota_not_given_back", error=str(error))

    def _spent(self, most: int) -> Problem:
        now = self._now().astimezone(UTC)
        midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
        wait = int((midnight - now).total_seconds()) + 1
        detail = f"{most} campaigns a day (UTC) are allowed, and today's are used up; create it tomorrow."
        return Problem(429, "quota-exceeded", "Quota exceeded", detail, headers={"Retry-After": str(wait)})

    def _full(self) -> Problem:
        limit = f"{(self._storage_bytes or 0) / 1e6:g} MB"
        detail = f"The {limit} that may be kept are used up; erase campaigns, or ask for more room."
        return Problem(413, "storage-full", "Storage full", detail)

    def _stored_keys(self, tenant: str) -> list[str]:
        return [self._key(tenant, "stored"), self._key(tenant, "stored:bytes")]

    def _key(self, tenant: str, what: str) -> str:
        """All keys of a tenant are in one slot of a cluster."""
        return f"{self._prefix}:{{{quote(tenant, safe='') or '%'}}}:quota:{what}"

    async def _run(self, script: Script, keys: list[str], args: list[str | int]) -> Any:
        return await run_script(self._redis, script, keys, args, where="The quotas' Redis")


class MeteredAssets:
    """An `AssetStore` whose bytes are counted, and refused when nobody owns them and there is no room.

    Those are uploads. What a campaign under way makes is counted alone: half a campaign is worth nothing.
    """

    def __init__(self, assets: AssetStore, quotas: Quotas) -> None:
        self._assets = assets
        self._quotas = quotas

    async def put(self, data: bytes, media_type: str, *, tenant: str, owner: str | None = None) -> AssetRef:
        """See `AssetStore.put`; raises a 413 problem when there is no room."""
        ref = await asyncio.to_thread(identified, data, media_type)
        added = await self._quotas.keep(tenant, ref.sha256, ref.bytes, limited=owner is None)
        try:
            return await self._assets.put(data, media_type, tenant=tenant, owner=owner)
        except BaseException:
            if added:
                await self._quotas.drop(tenant, ref.sha256)
            raise

    async def get(self, sha256: str, *, tenant: str) -> bytes:
        """See `AssetStore.get`."""
        return await self._assets.get(sha256, tenant=tenant)

    async def open(self, sha256: str, *, tenant: str) -> Opened:
        """See `AssetStore.open`."""
        return await self._assets.open(sha256, tenant=tenant)

    async def find(self, sha256: str, *, tenant: str) -> AssetRef:
        """See `AssetStore.find`."""
        return await self._assets.find(sha256, tenant=tenant)

    def kept(self) -> AsyncIterator[Kept]:
        """See `AssetStore.kept`."""
        return self._assets.kept()

    async def delete(self, sha256: str, *, tenant: str) -> None:
        """See `AssetStore.delete`; the room is free again."""
        await self._assets.delete(sha256, tenant=tenant)
        await self._quotas.drop(tenant, sha256)

    async def tidy(self, *, seconds: float) -> None:
        """See `AssetStore.tidy`."""
        await self._assets.tidy(seconds=seconds)

    async def check(self) -> None:
        """See `AssetStore.check`."""
        await self._assets.check()
