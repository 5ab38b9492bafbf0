"""The ledger of answers in Redis: one call at a time for each key, in all processes together."""

import asyncio
import contextlib
import hashlib
import random
import secrets
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote

from langgraph.checkpoint.serde.base import SerializerProtocol
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from agents.ledger import cancellations, surely
from graph.checkpoints import FAILURES, AsyncClient, CheckpointStoreError
from graph.checkpoints.connections import describe
from graph.checkpoints.errors import explain
from graph.checkpoints.scripts import Script
from service.scripts import run_script

# KEYS: 1 the entry, 2 the lock. ARGV: 1 the caller's token.

# Returns the entry if there is one other than that whose SHA-1 is ARGV[3]; otherwise whether the caller holds
# the lock now. A client repeats a call whose answer was lost, so the token may hold it already.
_TAKE = Script("""
local entry = redis.call('GET', KEYS[1])
if entry and (ARGV[3] == '' or redis.sha1hex(entry) ~= ARGV[3]) then return entry end
if redis.call('GET', KEYS[2]) == ARGV[1] then return 1 end
return redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2]) and 1 or 0
""")
# Returns whether the lock is still the caller's, and renewed.
_RENEW = Script("""
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[2], ARGV[2])
""")
_STORE = Script("""
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
if redis.call('GET', KEYS[2]) == ARGV[1] then redis.call('DEL', KEYS[2]) end
""")
_OWN = Script("redis.call('SADD', KEYS[1], ARGV[3]); redis.call('PEXPIRE', KEYS[1], ARGV[2])")
_RELEASE = Script("if redis.call('GET', KEYS[2]) == ARGV[1] then redis.call('DEL', KEYS[2]) end")

_PAID_SECONDS = 10.0
"""How long storing is tried again while Redis is away: the answer was paid for."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 0.5


class _Turn(NamedTuple):
    """The keys of a call, the token under which this process may hold their lock, and whose answers it joins."""

    keys: tuple[str, str]
    token: str
    owned: str | None


class RedisLedger:
    """A `Ledger` in Redis or Valkey, alone or a cluster.

    An entry that is there costs one round trip, one that is made two. While an answer is made a lock of
    `lease_seconds` is held and renewed, so that other processes wait for it, and take over that long after
    its maker died. Failures are tried one after another, never all at once: `make` should have a time limit.

    Entries are kept for `ttl_seconds` and written by `serializer`, as checkpoints are; one that it can no
    longer read counts as absent.
    A server that cannot be asked raises a `CheckpointStoreError`; `where` is what that calls it.
    """

    def __init__(
        self,
        redis: AsyncClient,
        *,
        prefix: str = "fanfare",
        ttl_seconds: float = 86_400,
        serializer: SerializerProtocol | None = None,
        lease_seconds: float = 10.0,
        where: str | None = None,
    ) -> None:
        self._redis: Any = redis
        self._prefix = quote(prefix, safe=":")
        self._ttl = max(1, int(ttl_seconds * 1000))
        self._lease = lease_seconds
        self._serializer = serializer or JsonPlusSerializer()
        place = describe(redis.get_connection_kwargs())
        self._where = where or f"The answer ledger at {place}"
        self._flights: dict[tuple[str, str], asyncio.Future[bytes | None]] = {}

    async def once(
        self,
        tenant: str,
        key: str,
        make: Callable[[], Awaitable[bytes]],
        *,
        accept: Callable[[bytes], bool],
        owner: str = "",
    ) -> tuple[bytes, bool]:
        """See `Ledger.once`."""
        name = (tenant, key)
        while flight := self._flights.get(name):
            # Unshielded, a caller that is cancelled would cancel the flight for all.
            entry = await asyncio.shield(flight)
            if entry is not None and accept(entry):
                return entry, False
        flight = self._flights[name] = asyncio.get_running_loop().create_future()
        entry = None
        try:
            entry, made = await self._found_or_made(self._turn(tenant, key, owner), make, accept)
            return entry, made
        finally:
            del self._flights[name]
            flight.set_result(entry)

    async def forget(self, tenant: str, owner: str) -> int:
        """Delete what was made for `owner`; how many entries that were."""
        owned = self._owned(tenant, owner)
        try:
            keys = await self._redis.smembers(owned)
            # One by one: on a cluster they lie in different slots.
            gone = [await self._redis.delete(key) for key in keys]
            await self._redis.delete(owned)
        except FAILURES as error:
            raise explain(error, where=self._where, thread_id="") from error
        return sum(gone)

    async def forget_tenant(self, tenant: str) -> int:
        """Delete all that was made for `tenant`, walking every key of the server; how many entries that were."""
        pattern = f"{self._prefix}:{{{_quoted(tenant)}/*}}:answer*"
        try:
            found = [key async for key in self._redis.scan_iter(match=pattern, count=1000)]
            gone = [await self._redis.delete(key) for key in found]
        except FAILURES as error:
            raise explain(error, where=self._where, thread_id="") from error
        return sum(gone)

    async def _found_or_made(
        self, turn: _Turn, make: Callable[[], Awaitable[bytes]], accept: Callable[[bytes], bool]
    ) -> tuple[bytes, bool]:
        try:
            found = await self._take(turn, accept)
        except asyncio.CancelledError:  # the lock may have been given to us
            await self._release(turn)
            raise
        if found is not None:
            return found, False
        return await self._make(turn, make), True

    async def _take(self, turn: _Turn, accept: Callable[[bytes], bool]) -> bytes | None:
        """An entry that is accepted, or None as soon as the lock is ours."""
        refused, pauses, before = "", _pauses(), cancellations()
        while True:
            told = await self._run(_TAKE, turn, [int(self._lease * 1000), refused])
            if cancellations() > before:
                raise asyncio.CancelledError
            if told == 1:
                return None
            if told == 0:
                await asyncio.sleep(next(pauses))
            elif (entry := self._read(told)) is not None and accept(entry):
                return entry
            else:
                refused = hashlib.sha1(told, usedforsecurity=False).hexdigest()

    async def _make(self, turn: _Turn, make: Callable[[], Awaitable[bytes]]) -> bytes:
        renewal = asyncio.create_task(self._renew(turn))
        try:
            entry = await make()
            await surely(self._store(turn, entry))
        except (Exception, asyncio.CancelledError):
            await self._release(turn)
            raise
        finally:
            renewal.cancel()
        return entry

    async def _renew(self, turn: _Turn) -> None:
        ours = 1
        while ours:
            await asyncio.sleep(self._lease / 3)
            with contextlib.suppress(CheckpointStoreError):  # the next renewal, or the storing, tells
                ours = await self._run(_RENEW, turn, [int(self._lease * 1000)])

    async def _release(self, turn: _Turn) -> None:
        with contextlib.suppress(CheckpointStoreError):  # then the lock expires by itself
            await self._run(_RELEASE, turn, [])

    async def _store(self, turn: _Turn, entry: bytes) -> None:
        kind, data = self._serializer.dumps_typed(entry)
        if turn.owned:  # before the entry: one that nobody owns could not be forgotten
            await self._run(_OWN, turn, [self._ttl, turn.keys[0]], keys=[turn.owned])
        await self._run(_STORE, turn, [kind.encode() + b"\0" + data, self._ttl])

    def _read(self, stored: bytes) -> bytes | None:
        kind, _, data = stored.partition(b"\0")
        try:
            entry = self._serializer.loads_typed((kind.decode(), data))
        except (CheckpointStoreError, ValueError, NotImplementedError):
            return None
        return entry if isinstance(entry, bytes) else None

    def _turn(self, tenant: str, key: str, owner: str) -> _Turn:
        start = self._start(tenant, key)
        owned = self._owned(tenant, owner) if owner else None
        return _Turn((f"{start}:answer", f"{start}:lock"), secrets.token_hex(8), owned)

    def _start(self, tenant: str, key: str) -> str:
        return f"{self._prefix}:{{{_quoted(tenant)}/{_quoted(key)}}}"

    def _owned(self, tenant: str, owner: str) -> str:
        return f"{self._start(tenant, owner)}:answers"

    async def _run(
        self,
        script: Script,
        turn: _Turn,
        args: Sequence[bytes | str | int],
        *,
        keys: Sequence[str] | None = None,
    ) -> Any:
        patience = _PAID_SECONDS if script in (_STORE, _OWN) else 0.0
        return await run_script(
            self._redis, script, keys or turn.keys, [turn.token, *args], where=self._where, patience=patience
        )


def _quoted(name: str) -> str:
    return quote(name, safe="", errors="surrogatepass")


def _pauses() -> Iterator[float]:
    """Seconds to wait, growing, and no two callers in step."""
    pause = _FIRST_PAUSE
    while True:
        yield pause * random.uniform(0.75, 1.25)  # noqa: S311 - nobody gains by guessing it
        pause = min(pause * 1.5, _LONGEST_PAUSE)
