"""The deliverer: takes what is due from the outbox and sends it, with patience and in no one's way."""

import asyncio
import email.utils
import math
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from service.announcements import body_of
from service.outbound import Outbound, Refused, Reply, Unanswered
from service.outbox import Due, Outbox
from service.signatures import signed
from service.tables import Delivery, later
from service.webhooks import CAMPAIGNS, Webhooks

log = structlog.get_logger()

_POLL_SECONDS: Final = 0.5
_AWAY_SECONDS: Final = 2.0
_PRUNE_SECONDS: Final = 3600.0
_DAY: Final = 86_400.0
_FACTOR: Final = 5
_GONE: Final = 410
_HEADERS: Final = {"content-type": "application/json", "user-agent": "Fanfare", "accept": "*/*"}


@dataclass(frozen=True)
class Patience:
    """How often a delivery is tried, and how long it waits after each attempt."""

    attempts: int = 10
    first_seconds: float = 5.0

    def pause(self, attempts: int, *, asked: float | None = None) -> float | None:
        """How long to wait after so many attempts, at least what the receiver `asked`; None after the last.

        Five times as long after each, up to a day, a fifth more or less: with 5 s at first, ten take three days.
        """
        if attempts >= self.attempts:
            return None
        usual = min(self.first_seconds * math.pow(_FACTOR, min(attempts - 1, 20)), _DAY)
        jitter = random.uniform(0.8, 1.2)  # noqa: S311 - spreads load
        return max(usual * jitter, min(asked or 0.0, _DAY))


@dataclass(frozen=True)
class Room:
    """How many deliveries may be under way at once: in all, for one tenant, and to one host."""

    most: int = 64
    of_tenant: int = 32
    to_host: int = 4


class Deliverer:
    """Sends what is due until it is drained. A host or tenant that is slow takes no one else's room."""

    def __init__(
        self, outbox: Outbox, webhooks: Webhooks, outbound: Outbound, *, patience: Patience, keep_days: float,
        room: Room | None = None,
    ) -> None:  # fmt: skip
        self._outbox = outbox
        self._webhooks = webhooks
        self._outbound = outbound
        self._patience = patience
        self._keep_seconds = keep_days * _DAY
        self._room = room or Room()
        self._lease_seconds = 30.0 + 2 * outbound.seconds
        self._hosts, self._tenants = Counter[str](), Counter[str]()
        self._sending = set[asyncio.Task[None]]()
        self._changed = asyncio.Event()
        self._loop: asyncio.Task[None] | None = None
        self._stopping = False
        self._pruned = float("-inf")

    def start(self) -> None:
        """Deliver from now on, until `drain` is called."""
        self._loop = asyncio.create_task(self._run(), name="deliveries")
        self._loop.add_done_callback(_tell)

    async def drain(self, seconds: float) -> None:
        """Begin no more, and let what is under way end within `seconds`; the rest is due once its lease ends."""
        self._stopping = True
        self._changed.set()
        if self._loop:
            await _end(self._loop, seconds=seconds)
            await _end(*self._sending, seconds=seconds)

    async def _run(self) -> None:
        while not self._stopping:
            self._changed.clear()
            try:
                await self._prune()
                started, pause = await self._start_due(), _POLL_SECONDS
            except Exception as error:  # a process edge: it goes on when the database is back
                log.warning("outbox_unavailable", exc_info=error)
                started, pause = 0, _AWAY_SECONDS
            if not started:
                await self._rest(pause)

    async def _rest(self, seconds: float) -> None:
        """Wait until a delivery has ended, or for `seconds`."""
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            return

    async def _start_due(self) -> int:
        """Begin what is due and has room; how many that are."""
        left = self._room.most - len(self._sending)
        if left <= 0:
            return 0
        full_hosts = [host for host, count in self._hosts.items() if count >= self._room.to_host]
        full_tenants = [tenant for tenant, count in self._tenants.items() if count >= self._room.of_tenant]
        due = await self._outbox.due(limit=left, not_to=full_hosts, not_of=full_tenants)
        wanted = self._fitting(due)
        if not wanted:
            return 0
        claimed = await self._outbox.claim(wanted, seconds=self._lease_seconds)
        for delivery in claimed:
            self._begin(delivery)
        return len(claimed)

    def _fitting(self, due: Sequence[Due]) -> list[str]:
        hosts, tenants = self._hosts.copy(), self._tenants.copy()
        fitting: list[str] = []
        for one in due:
            if hosts[one.host] < self._room.to_host and tenants[one.tenant] < self._room.of_tenant:
                hosts[one.host] += 1
                tenants[one.tenant] += 1
                fitting.append(one.id)
        return fitting

    def _begin(self, delivery: Delivery) -> None:
        self._hosts[delivery.host] += 1
        self._tenants[delivery.tenant] += 1
        task = asyncio.create_task(self._deliver(delivery), name=f"delivery {delivery.id}")
        self._sending.add(task)
        task.add_done_callback(lambda done: self._ended(delivery, done))

    def _ended(self, delivery: Delivery, done: asyncio.Task[None]) -> None:
        self._sending.discard(done)
        for counts, key in ((self._hosts, delivery.host), (self._tenants, delivery.tenant)):
            counts[key] -= 1
            if not counts[key]:
                del counts[key]
        self._changed.set()
        _tell(done)  # its lease runs out, and it is sent again

    async def _deliver(self, delivery: Delivery) -> None:
        keys = await self._webhooks.secrets(delivery.tenant, delivery.webhook_id or CAMPAIGNS)
        if obstacle := await self._obstacle(delivery, keys):
            await self._outbox.bury(delivery, status=None, error=obstacle)
            return
        try:
            reply = await self._send(delivery, keys)
        except (Refused, Unanswered) as error:
            await self._failed(delivery, error=str(error))
            return
        if 200 <= reply.status < 300:  # noqa: PLR2004 - success, in HTTP
            await self._outbox.delivered(delivery, status=reply.status)
        elif reply.status == _GONE:
            await self._outbox.silence(delivery)
            told = f"{delivery.host} answered {_GONE}: it wants no more, so nothing else is sent there."
            await self._outbox.bury(delivery, status=_GONE, error=told)
        else:
            told = f"{delivery.host} answered {reply.status}."
            await self._failed(delivery, error=told, status=reply.status, asked=seconds_of(reply.retry_after))

    async def _obstacle(self, delivery: Delivery, keys: Sequence[str]) -> str | None:
        """Why it cannot be sent at all."""
        if delivery.attempts > self._patience.attempts:
            return delivery.last_error or "Whoever tried to send it came to no end, every time."
        if not keys:
            return "There is no secret to sign it with; rotate, then replay."
        webhook_id = delivery.webhook_id
        webhook = await self._webhooks.get(webhook_id, tenant=delivery.tenant) if webhook_id else None
        return "The webhook is disabled; enable it, then replay." if webhook and webhook.disabled_at else None

    async def _send(self, delivery: Delivery, keys: Sequence[str]) -> Reply:
        body = body_of(delivery)
        signature = signed(body, event_id=delivery.event_id, timestamp=int(time.time()), keys=keys)
        return await self._outbound.post(delivery.url, content=body, headers=_HEADERS | signature)

    async def _failed(
        self, delivery: Delivery, *, error: str, status: int | None = None, asked: float | None = None
    ) -> None:
        pause = self._patience.pause(delivery.attempts, asked=asked)
        log.warning("delivery_failed", delivery=delivery.id, error=error, attempt=delivery.attempts)
        if pause is None:
            await self._outbox.bury(delivery, status=status, error=error)
        else:
            await self._outbox.postpone(delivery, seconds=pause, status=status, error=error)

    async def _prune(self) -> None:
        if time.monotonic() - self._pruned > _PRUNE_SECONDS:
            await self._outbox.prune(before=later(-self._keep_seconds))
            self._pruned = time.monotonic()


def _tell(done: asyncio.Task[None]) -> None:
    if not done.cancelled() and (error := done.exception()):
        log.error("delivery_broken", task=done.get_name(), exc_info=error)


async def _end(*tasks: asyncio.Task[None], seconds: float) -> None:
    """Wait for `tasks`, and cancel those that have not ended within `seconds`."""
    if tasks:
        _, late = await asyncio.wait(tasks, timeout=seconds)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)


def seconds_of(retry_after: str | None) -> float | None:
    """What a Retry-After header asks for, which is seconds or a date; None if it is neither."""
    text = (retry_after or "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None
