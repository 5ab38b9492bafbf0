"""Failures to come in, counted in Redis for all replicas, so that guessing is slow."""

import asyncio
from typing import Any

import structlog

from graph.checkpoints import AsyncClient, CheckpointStoreError
from graph.checkpoints.scripts import Script
from service.problems import Problem
from service.scripts import run_script

log = structlog.get_logger()

WINDOW_SECONDS = 300
MOST_BY_ADDRESS = 20
MOST_BY_KEY = 100
_PATIENCE_SECONDS = 2.0
_TAG = "{%failures}"
"""Keeps both counts in one slot of a cluster; no tenant can be called so, and erase it with their keys."""

# KEYS: 1 the address's count, 2 that of what it asked for. Returns both, and the seconds left of each.
_READ = Script("""
local function number(key) return tonumber(redis.call('GET', key) or '0') end
return {number(KEYS[1]), number(KEYS[2]), redis.call('TTL', KEYS[1]), redis.call('TTL', KEYS[2])}
""")
# ARGV: 1 the seconds of a window, which begins with its first failure.
_COUNT = Script("""
for i = 1, 2 do
  if redis.call('INCR', KEYS[i]) == 1 then redis.call('EXPIRE', KEYS[i], ARGV[1]) end
end
""")


class Attempts:
    """Refuses an address after `MOST_BY_ADDRESS` failures in a window, whatever it asks for.

    After `MOST_BY_KEY` failures with one key's id, wherever they came from, addresses that have failed themselves
    are refused for that key: many addresses get one try each, and its owner still comes in. While Redis is away
    nobody is refused: the check itself costs the same for a wrong secret and for a wrong id.
    """

    def __init__(self, redis: AsyncClient, *, prefix: str = "fanfare") -> None:
        self._redis = redis
        self._prefix = prefix

    async def check(self, address: str, wanted: str | None) -> None:
        """Raise a 429 problem when there were too many failures already; `address` as a `Peer` is written."""
        told = await self._run(_READ, address, wanted, [])
        if told is None:
            return
        by_address, by_key, address_left, key_left = (int(number) for number in told)
        if by_address >= MOST_BY_ADDRESS:
            raise _too_many(address_left)
        if wanted and by_key >= MOST_BY_KEY and by_address:
            raise _too_many(max(address_left, key_left))

    async def failed(self, address: str, wanted: str | None) -> None:
        """Count a failure of `address` with the key or link `wanted`."""
        await self._run(_COUNT, address, wanted, [WINDOW_SECONDS])

    async def _run(self, script: Script, address: str, wanted: str | None, args: list[int]) -> Any:
        keys = [f"{self._prefix}:{_TAG}:from:{address}", f"{self._prefix}:{_TAG}:of:{wanted}"]
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                return await run_script(self._redis, script, keys, args, where="The count of failed logins")
        except (CheckpointStoreError, TimeoutError) as error:
            log.warning("attempts_uncounted", error=type(error).__name__)
            return None


def _too_many(seconds: int) -> Problem:
    wait = max(1, seconds)
    detail = f"Too many failed logins from here; try again in {wait} seconds."
    return Problem(429, "too-many-failures", "Too many failures", detail, headers={"Retry-After": str(wait)})
