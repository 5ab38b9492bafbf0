"""A short cut for writes: one connection for all of them, one packet for each turn of the event loop.

redis-py lends a connection to one command at a time, which takes more CPU than all other work of a saver.
Whatever goes wrong here is left to redis-py: every write may be repeated without harm.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import Any, TypeAlias, cast

from redis.asyncio import ConnectionPool, RedisCluster

from graph.checkpoints.errors import FAILURES

Argument: TypeAlias = bytes | str | int

_NIL = b"$-1"


@asynccontextmanager
async def open_line(client: Any, *, timeout: float) -> AsyncGenerator["Line | None"]:
    """Give a line to the server of a redis-py client, and close it afterwards; a cluster has none."""
    if isinstance(client, RedisCluster):
        yield None
        return
    line = Line(client.connection_pool, timeout=timeout)
    try:
        yield line
    finally:
        await line.aclose()


class Line:
    """Runs scripts that answer nil, over one connection made as those of `pool` are.

    Answers come in the order of the calls. A caller who gives up leaves its place in the queue, so nobody is
    given another's answer. The connection is opened in the background, and again after it was lost.
    """

    def __init__(self, pool: ConnectionPool, *, timeout: float) -> None:
        self._pool = pool
        self._timeout = timeout
        self._wire: _Wire | None = None
        self._opening: asyncio.Task[None] | None = None

    async def run(self, digest: str, keys: tuple[str, ...], args: Sequence[Argument]) -> bool:
        """Whether it was run; False says nothing, so ask redis-py. TimeoutError after `timeout` seconds."""
        wire = self._wire
        if wire is None or wire.lost:
            if self._opening is None or self._opening.done():
                self._opening = asyncio.create_task(self._open())
            return False
        count = b"*%d\r\n" % (3 + len(keys) + len(args))
        return await wire.send([count, _head(digest, keys), *(_packed(arg) for arg in args)])

    async def aclose(self) -> None:
        """Close the connection; what was not answered yet was perhaps not done."""
        if self._opening:
            self._opening.cancel()
            await asyncio.wait([self._opening])
        if self._wire:
            await self._wire.aclose()

    async def _open(self) -> None:
        if self._wire:
            await self._wire.aclose()
        # RESP 3 would let the server push messages in between the answers.
        pushless: dict[str, Any] = {"protocol": 2, "maint_notifications_config": None}
        connection: Any = self._pool.connection_class(**{**self._pool.connection_kwargs, **pushless})
        try:
            await connection.connect()
        except FAILURES:
            return
        self._wire = _Wire(connection, self._timeout)


class _Wire(asyncio.BufferedProtocol):
    """Takes over the transport of a connection on which redis-py has signed in."""

    def __init__(self, connection: Any, timeout: float) -> None:
        self.lost = False
        self._connection = connection
        self._timeout = timeout
        self._loop = asyncio.get_running_loop()
        self._room = memoryview(bytearray(4096))  # a bytearray would not do: TLS reads into a slice of it
        self._rest = b""
        self._leaving: list[bytes] = []
        self._waiting: deque[tuple[asyncio.Future[bool], float]] = deque()
        self._alarm: asyncio.TimerHandle | None = None
        self._transport = cast("asyncio.Transport", connection._writer.transport)  # noqa: SLF001 - no public way
        self._before = self._transport.get_protocol()
        self._transport.set_protocol(self)

    def send(self, command: list[bytes]) -> asyncio.Future[bool]:
        """Send with all else that is sent in this turn of the loop; the answer is whether it was nil."""
        if not self._leaving:
            self._loop.call_soon(self._leave)
        self._leaving += command
        answer: asyncio.Future[bool] = self._loop.create_future()
        self._waiting.append((answer, self._loop.time()))
        return answer

    async def aclose(self) -> None:
        """Close the transport through redis-py, which still counts it as its own."""
        self._end()
        await self._connection.disconnect()

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - the contract
        """See `asyncio.BufferedProtocol`."""
        return self._room

    def buffer_updated(self, nbytes: int) -> None:
        """See `asyncio.BufferedProtocol`."""
        *answers, self._rest = (self._rest + self._room[:nbytes]).split(b"\r\n")
        for answer in answers:
            known = answer == _NIL or answer.startswith(b"-")
            if not known or b"READONLY" in answer or not self._waiting:
                self._end()
                return
            _tell(self._waiting.popleft()[0], done=answer == _NIL)

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.BaseProtocol`."""
        self._end()
        self._before.connection_lost(exc)

    def _leave(self) -> None:
        if self.lost:
            return
        self._transport.write(b"".join(self._leaving))
        self._leaving.clear()
        if self._alarm is None:
            self._alarm = self._loop.call_later(self._timeout, self._look)

    def _look(self) -> None:
        """One timer for the oldest call is enough: no other is answered before it."""
        self._alarm = None
        if not self._waiting:
            return
        due = self._waiting[0][1] + self._timeout
        if due > self._loop.time():
            self._alarm = self._loop.call_at(due, self._look)
        else:
            self._end(TimeoutError(f"no answer within {self._timeout:g} seconds"))

    def _end(self, error: TimeoutError | None = None) -> None:
        self.lost = True
        if self._alarm:
            self._alarm.cancel()
        self._transport.abort()
        while self._waiting:
            _tell(self._waiting.popleft()[0], done=False, error=error)


def _tell(answer: asyncio.Future[bool], *, done: bool, error: TimeoutError | None = None) -> None:
    if answer.done():  # its caller gave up
        return
    if error:
        answer.set_exception(error)
    else:
        answer.set_result(done)


@lru_cache(maxsize=1024)
def _head(digest: str, keys: tuple[str, ...]) -> bytes:
    command: tuple[Argument, ...] = ("EVALSHA", digest, len(keys), *keys)
    return b"".join(_packed(arg) for arg in command)


def _packed(arg: Argument) -> bytes:
    data = arg if isinstance(arg, bytes) else str(arg).encode()
    return b"$%d\r\n%b\r\n" % (len(data), data)
