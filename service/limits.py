"""How often somebody may call: sliding windows counted in Redis, one count for all replicas."""

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias, cast
from urllib.parse import quote

import structlog
from limits import RateLimitItem, parse_many

from graph.checkpoints import AsyncClient, CheckpointStoreError
from graph.checkpoints.scripts import Script
from service.problems import Problem
from service.scripts import run_script

log = structlog.get_logger()

LimitName: TypeAlias = Literal["address", "caller", "tenant", "create"]

# KEYS: a hash for each limit: n, the number of the window that was counted last, and the calls in it (`now`) and
# in the one before. ARGV: for each limit its calls and its window in milliseconds. The calls of the window before
# weigh as much as a sliding window still covers of it. A call counts against every limit, or, when one of them is
# full, against none. Returns for each limit whether it is full, the calls left, and the milliseconds until the
# window ends or, where it is full, until a call will fit.
_HIT = Script("""
local time = redis.call('TIME')
local clock = time[1] * 1000 + math.floor(time[2] / 1000)
local counts, told, full = {}, {}, false
for i, key in ipairs(KEYS) do
  local most, window = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
  local number, into = math.floor(clock / window), clock % window
  local kept = redis.call('HMGET', key, 'n', 'now', 'before')
  local n, now, before = tonumber(kept[1]), tonumber(kept[2] or 0), tonumber(kept[3] or 0)
  if n == number - 1 then now, before = 0, now
  elseif n ~= number then now, before = 0, 0 end
  local used = now + before * (window - into) / window
  if used + 1 <= most then
    told[i] = {0, math.floor(most - used) - 1, window - into}
  else
    local at
    if now + 1 <= most then at = window - (most - 1 - now) * window / before
    else at = 2 * window - (most - 1) * window / now end
    told[i] = {1, 0, math.ceil(at - into)}
    full = true
  end
  counts[i] = {number, now + 1, before, 2 * window}
end
if not full then
  for i, key in ipairs(KEYS) do
    local count = counts[i]
    redis.call('HSET', key, 'n', count[1], 'now', count[2], 'before', count[3])
    redis.call('PEXPIRE', key, count[4])
  end
end
return told
""")

_PATIENCE_SECONDS = 1.0
_AWAY_SECONDS = 10.0


@dataclass(frozen=True)
class Limit:
    """What one name allows; `spares_here` when it leaves alone who calls from this machine itself."""

    items: Sequence[RateLimitItem]
    spares_here: bool


class Standing(NamedTuple):
    """Where a caller stands with one window of a limit, in calls and seconds."""

    policy: str
    calls: int
    window: int
    left: int
    reset: int
    full: bool


class Limits:
    """The limits in force, counted under `prefix`; one round trip a call, however many limits hold.

    Redis away or slow refuses nobody: nothing is counted until it is asked again, ten seconds later, and the
    log says so. What must not be exceeded is a quota (`service.quotas`), and that fails closed.
    """

    def __init__(self, redis: AsyncClient, limits: Mapping[LimitName, Limit], *, prefix: str = "fanfare") -> None:
        self._redis = redis
        self._limits = limits
        self._prefix = quote(prefix, safe=":")
        self._away_until = 0.0

    async def hit(self, room: str, subjects: Mapping[LimitName, str], *, here: bool) -> list[Standing]:
        """Count one call of each subject, unless a limit is full; all subjects belong to one `room`, as a tenant.

        `here` is whether the call comes from this machine itself.
        """
        held: list[tuple[LimitName, RateLimitItem]] = [
            (name, item) for name in subjects for item in self._items(name, here=here)
        ]
        keys = [self._key(room, item, name, subjects[name]) for name, item in held]
        args = [number for _, item in held for number in (item.amount, item.get_expiry() * 1000)]
        told = await self._ask(keys, args) if held else None
        return [
            Standing(_policy(name, item), item.amount, item.get_expiry(), left, math.ceil(wait / 1000), bool(full))
            for (name, item), (full, left, wait) in zip(held, told or (), strict=bool(told))
        ]

    def _items(self, name: LimitName, *, here: bool) -> Sequence[RateLimitItem]:
        limit = self._limits.get(name)
        return limit.items if limit and not (here and limit.spares_here) else ()

    def _key(self, room: str, item: RateLimitItem, *words: str) -> str:
        """All keys of a room are in one slot of a cluster, so that one script may touch them."""
        counted = item.key_for(*(quote(word, safe="") for word in words))
        return f"{self._prefix}:{{{quote(room, safe='')}}}:{counted}"

    async def _ask(self, keys: Sequence[str], args: Sequence[int]) -> Sequence[tuple[int, int, int]] | None:
        clock = asyncio.get_running_loop().time
        if clock() < self._away_until:
            return None
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                told = await run_script(self._redis, _HIT, keys, args, where="The rate limits' Redis")
        except (CheckpointStoreError, TimeoutError) as error:
            if clock() >= self._away_until:
                log.warning("limits_not_counted", seconds=_AWAY_SECONDS, error=str(error) or "no answer in time")
            self._away_until = clock() + _AWAY_SECONDS
            return None
        return cast("Sequence[tuple[int, int, int]]", told)


def limits_in(text: str) -> Sequence[RateLimitItem]:
    """The limits that `text` writes as the `limits` library does ("600/minute; 5000/hour"); `off` is none.

    Raises ValueError.
    """
    if text.strip().lower() == "off":
        return ()
    items = parse_many(text)
    if any(item.amount < 1 for item in items):
        raise ValueError("a limit allows one call at least; `off` takes it away")
    return items


def too_often(standings: Sequence[Standing]) -> Problem | None:
    """429 where a limit is full, with when to come back; else None."""
    full = max((each for each in standings if each.full), key=lambda each: each.reset, default=None)
    if full is None:
        return None
    said = f"{full.calls} calls in {full.window} s are allowed ({full.policy}); call again in {full.reset} s."
    return Problem(429, "rate-limited", "Too many calls", said, headers={"Retry-After": str(full.reset)})


def fields(standings: Sequence[Standing]) -> dict[str, str]:
    """Header fields as draft-ietf-httpapi-ratelimit-headers-10 has them; none where nothing is limited."""
    if not standings:
        return {}
    return {
        "RateLimit-Policy": ", ".join(f'"{each.policy}";q={each.calls};w={each.window}' for each in standings),
        "RateLimit": ", ".join(f'"{each.policy}";r={each.left};t={each.reset}' for each in standings),
    }


def _policy(name: LimitName, item: RateLimitItem) -> str:
    return f"{name}-{item.multiples if item.multiples > 1 else ''}{item.GRANULARITY.name}"
