"""The purse in Redis: a campaign's book and its tenant's day, decided upon in one call, in whole micro-dollars."""

import asyncio
import contextlib
import random
import secrets
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any
from urllib.parse import quote

from agents.ledger import cancellations
from agents.model import Account, BudgetSpent, ModelBusy
from agents.purse import Reservation
from graph.checkpoints import FAILURES, AsyncClient, CheckpointStoreError
from graph.checkpoints.connections import describe
from graph.checkpoints.errors import explain
from graph.checkpoints.scripts import Script
from service.scripts import run_script

# KEYS: 1 the campaign's book, 2 its holds, 3 and 4 those of the tenant's day. A book is a hash of spent and
# reserved. Holds are a sorted set of id:amount by the time at which each expires; an expired one is kept with
# that time negated and no longer reserved, so that its cost can still be booked, and booked once only.
# ARGV: 1 id:amount, 2 amount, 3 and 4 the seconds for which a campaign and a day are kept.

# ARGV: 5 the hold's milliseconds, 6 and 7 the limits of campaign and day, or ''. Returns what decided (0 admitted,
# 1 the campaign is spent, 2 the day is spent, 3 wait) and what was spent there.
_RESERVE = Script("""
if redis.call('ZSCORE', KEYS[2], ARGV[1]) then return {0, '0'} end  -- a call repeated after a lost answer
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local wait = false
for i = 1, 2 do
  local book, holds = KEYS[2 * i - 1], KEYS[2 * i]
  for _, hold in ipairs(redis.call('ZRANGEBYSCORE', holds, 0, now)) do
    redis.call('HINCRBY', book, 'reserved', 0 - string.match(hold, '%d+$'))
    redis.call('ZADD', holds, -now, hold)
  end
  if ARGV[5 + i] ~= '' then
    local spent = redis.call('HGET', book, 'spent') or '0'
    local reserved = tonumber(redis.call('HGET', book, 'reserved') or '0')
    local left = tonumber(ARGV[5 + i]) - tonumber(spent)
    if left <= 0 then return {i, spent} end
    wait = wait or (redis.call('ZCOUNT', holds, 0, '+inf') > 0 and reserved + tonumber(ARGV[2]) > left)
  end
end
if wait then return {3, '0'} end
for i = 1, 2 do
  redis.call('HINCRBY', KEYS[2 * i - 1], 'reserved', ARGV[2])
  redis.call('ZADD', KEYS[2 * i], now + ARGV[5], ARGV[1])
  redis.call('EXPIRE', KEYS[2 * i - 1], ARGV[2 + i])
  redis.call('EXPIRE', KEYS[2 * i], ARGV[2 + i])
end
return {0, '0'}
""")

# ARGV: 5 what the call cost.
_SETTLE = Script("""
for i = 1, 2 do
  local book, holds = KEYS[2 * i - 1], KEYS[2 * i]
  local expires = redis.call('ZSCORE', holds, ARGV[1])
  if expires then
    redis.call('ZREM', holds, ARGV[1])
    if tonumber(expires) > 0 then redis.call('HINCRBY', book, 'reserved', 0 - ARGV[2]) end
    redis.call('HINCRBY', book, 'spent', ARGV[5])
    redis.call('EXPIRE', book, ARGV[2 + i])
    redis.call('EXPIRE', holds, ARGV[2 + i])
  end
end
""")

_MICRO = 1_000_000
_MOST = 10**12
"""A million dollars in micro-dollars: no call costs more, and Lua's doubles stay exact for nine thousand such."""
_KEPT_SECONDS = (90 * 86_400, 8 * 86_400)
_LONGEST_PAUSE = 0.5
_PAID_SECONDS = 10.0
"""How long booking is tried again while Redis is away: the money is spent."""


class RedisPurse:
    """A `Purse` in Redis or Valkey, alone or a cluster: one round trip to reserve, one to settle.

    Reservations expire after `hold_seconds` by the server's clock, so that a killed process does not hold a
    budget for ever. A call that waits asks again in growing pauses, at most half a second; smaller ones may
    pass it, but each of them spends, so that it is admitted or refused when the rest is used up at the latest.
    After `patience_seconds` it fails with `ModelBusy`.

    `tenant_day_usd` limits what a tenant spends on one day (UTC) in all campaigns together; a call belongs to
    the day on which it was reserved. Without that limit and without a budget nothing is counted.
    A server that cannot be asked raises a `CheckpointStoreError`; `where` is what that calls it.
    """

    def __init__(
        self,
        redis: AsyncClient,
        *,
        prefix: str = "fanfare",
        tenant_day_usd: Decimal | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        hold_seconds: float = 600.0,
        patience_seconds: float = 900.0,
        pause_seconds: float = 0.02,
        where: str | None = None,
    ) -> None:
        self._redis: Any = redis
        self._prefix = quote(prefix, safe=":")
        self._day_usd = tenant_day_usd
        self._now = now
        self._hold = max(1, int(hold_seconds * 1000))
        self._patience = patience_seconds
        self._pause = pause_seconds
        place = describe(redis.get_connection_kwargs())
        self._where = where or f"The purse at {place}"

    async def reserve(self, account: Account, amount: Decimal) -> Reservation:
        """See `Purse.reserve`."""
        day = self._now().astimezone(UTC).date().isoformat()
        if account.budget_usd is None and self._day_usd is None:
            return Reservation("", account, amount, day)
        held = Reservation(secrets.token_hex(8), account, amount, day)
        try:
            await self._admitted(held)
        except asyncio.CancelledError:  # it may have been admitted, and nobody asked the model yet
            with contextlib.suppress(CheckpointStoreError):  # then it expires by itself
                await self.release(held)
            raise
        return held

    async def settle(self, reservation: Reservation, cost: Decimal) -> None:
        """See `Purse.settle`."""
        if reservation.id:
            await self._run(_SETTLE, reservation, [_micro(cost)])

    async def release(self, reservation: Reservation) -> None:
        """See `Purse.release`."""
        await self.settle(reservation, Decimal(0))

    async def spent(self, account: Account) -> Decimal:
        """US dollars that the account's campaign has spent, as far as it was counted."""
        book = self._keys(account, "")[0]
        try:
            told = await self._redis.execute_command("HGET", book, "spent")
        except FAILURES as error:
            raise explain(error, where=self._where, thread_id="") from error
        return Decimal(int(told or 0)) / _MICRO

    async def _admitted(self, held: Reservation) -> None:
        """Wait until the call may be made."""
        limits = [_limit(held.account.budget_usd), _limit(self._day_usd)]
        pause, until = self._pause, asyncio.get_running_loop().time() + self._patience
        before = cancellations()
        while True:
            decided, spent = await self._run(_RESERVE, held, [self._hold, *limits])
            if cancellations() > before:
                raise asyncio.CancelledError
            if decided == 0:
                return
            if decided in (1, 2):
                raise self._refusal(held, int(spent), of_day=decided == 2)  # noqa: PLR2004
            if asyncio.get_running_loop().time() > until:
                raise ModelBusy("Calls under way hold what is left of the budget; retry the campaign later.")
            await asyncio.sleep(pause * random.uniform(0.75, 1.25))  # noqa: S311 - nobody gains by guessing it
            pause = min(pause * 1.5, _LONGEST_PAUSE)

    def _refusal(self, held: Reservation, spent: int, *, of_day: bool) -> BudgetSpent:
        if of_day:
            return BudgetSpent(
                f"Tenant {held.account.tenant!r} has spent {_usd(spent)} of ${self._day_usd} for one day "
                f"({held.day} UTC): retry the campaign tomorrow, or raise FANFARE_TENANT_DAY_USD."
            )
        return BudgetSpent(
            f"The campaign has spent {_usd(spent)} of its budget of ${held.account.budget_usd}: "
            "raise budget_usd and retry the campaign."
        )

    def _keys(self, account: Account, day: str) -> tuple[str, str, str, str]:
        """All keys of a tenant are in one slot, so that one script may touch its day and its campaign."""
        tag = quote(account.tenant, safe="", errors="surrogatepass") or "%"
        start = f"{self._prefix}:{{{tag}}}:purse"
        campaign = f"{start}:campaign:{quote(account.campaign, safe='', errors='surrogatepass')}"
        return campaign, f"{campaign}:holds", f"{start}:day:{day}", f"{start}:day:{day}:holds"

    async def _run(self, script: Script, held: Reservation, args: Sequence[str | int]) -> Any:
        amount = _micro(held.amount)
        words = (f"{held.id}:{amount}", amount, *_KEPT_SECONDS, *args)
        patience = _PAID_SECONDS if script is _SETTLE else 0.0
        keys = self._keys(held.account, held.day)
        return await run_script(self._redis, script, keys, words, where=self._where, patience=patience)


def _micro(usd: Decimal) -> int:
    """Whole micro-dollars, rounded up; what is no amount at all costs the most."""
    if not usd.is_finite():
        return _MOST
    return int(min(max(usd * _MICRO, Decimal(0)), Decimal(_MOST)).to_integral_value(ROUND_CEILING))


def _limit(usd: Decimal | None) -> str:
    """A limit as the script takes it, rounded down; ValueError for one that is no amount."""
    if usd is None:
        return ""
    if not usd.is_finite():
        raise ValueError(f"A budget is an amount of US dollars, not {usd}.")
    return f"{(usd * _MICRO).to_integral_value(ROUND_FLOOR):f}"


def _usd(micro: int) -> str:
    return "$" + (f"{Decimal(micro) / _MICRO:.6f}".rstrip("0").rstrip("."))
