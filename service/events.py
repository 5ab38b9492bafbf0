"""Progress as a Redis stream for each campaign: written by whoever runs it, read by any replica."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, cast

import structlog

from graph.checkpoints import FAILURES, AsyncClient

log = structlog.get_logger()

_APPEND = """
local n = redis.call('INCR', KEYS[2])
redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], n .. '-0', 'e', ARGV[2], 'd', ARGV[3])
redis.call('EXPIRE', KEYS[1], ARGV[4])
redis.call('EXPIRE', KEYS[2], ARGV[4])
return n
"""
_KEEP, _KEEP_SECONDS = 5000, 90 * 86_400
_WAIT_SECONDS = 5.0


@dataclass(frozen=True)
class Event:
    """One thing that happened; `id` rises within its campaign."""

    id: int
    type: str
    data: dict[str, Any]

    @property
    def last(self) -> bool:
        """Whether the campaign has ended with it."""
        return bool(self.data.get("final"))


class Events:
    """The event streams of all campaigns."""

    def __init__(self, redis: AsyncClient, *, prefix: str = "fanfare") -> None:
        self._redis = redis
        self._prefix = prefix
        self._append = redis.register_script(_APPEND)

    async def publish(self, campaign_id: str, kind: str, data: dict[str, Any]) -> None:
        """Add an event. One that the server does not take is logged and lost: the record is the truth."""
        stream, counter = self._keys(campaign_id)
        body = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
        try:
            await self._append(keys=[stream, counter], args=[_KEEP, kind, body, _KEEP_SECONDS])
        except FAILURES as error:
            log.warning("event_lost", campaign=campaign_id, event_type=kind, error=str(error))

    async def follow(
        self, campaign_id: str, *, after: int = 0, final: Callable[[], Awaitable[Event | None]] | None = None
    ) -> AsyncIterator[Event | None]:
        """Events later than `after` as they come, until the campaign's last; None when none came for a while.

        `final` is asked then: its event ends a stream whose last one was lost.
        """
        stream, _ = self._keys(campaign_id)
        while True:
            answer: Any = await self._redis.xread(
                {stream: f"{after}-0"}, count=200, block=int(_WAIT_SECONDS * 1000)
            )
            if not answer:
                if final and (last := await final()):
                    yield replace(last, id=after + 1)
                    return
                yield None
            for event in _decode(answer):
                after = event.id
                yield event
                if event.last and not await self._more(stream, after):
                    return
            await asyncio.sleep(0)

    async def all_of(self, campaign_id: str) -> list[Event]:
        """Every event that is still kept."""
        entries: Any = await self._redis.xrange(self._keys(campaign_id)[0])
        return [_event(entry) for entry in entries]

    async def erase(self, campaign_id: str) -> int:
        """Delete the stream; how many events that were."""
        stream, counter = self._keys(campaign_id)
        number: int = await self._redis.xlen(stream)
        await self._redis.delete(stream)
        await self._redis.delete(counter)
        return number

    async def _more(self, stream: str, after: int) -> bool:
        return bool(await self._redis.xrange(stream, min=f"({after}-0", count=1))

    def _keys(self, campaign_id: str) -> tuple[str, str]:
        return f"{self._prefix}:{{{campaign_id}}}:events", f"{self._prefix}:{{{campaign_id}}}:events:n"


def _decode(answer: Any) -> list[Event]:
    """XREAD's answer for one stream; RESP2 says it with pairs, RESP3 with a mapping and one list deeper."""
    if not answer:
        return []
    if isinstance(answer, dict):
        batches: Any = next(iter(cast("dict[bytes, Any]", answer).values()))
        return [_event(entry) for entry in batches[0]]
    return [_event(entry) for entry in answer[0][1]]


def _event(entry: Any) -> Event:
    number, fields = entry
    return Event(int(_text(number).split("-")[0]), _text(fields[b"e"]), json.loads(fields[b"d"]))


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
