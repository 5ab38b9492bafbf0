"""The outbox: events on their way to webhooks, written with what they tell of and kept until they have arrived."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, delete, select, update

from service.database import Database
from service.tables import Campaign, Delivery, DeliveryStatus, Webhook, later, now


@dataclass(frozen=True)
class Due:
    """A delivery that is to be sent now."""

    id: str
    host: str
    tenant: str


class Outbox:
    """Every tenant's deliveries. Several processes may claim at once: each delivery is one's alone."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def due(self, *, limit: int, not_to: Collection[str], not_of: Collection[str]) -> Sequence[Due]:
        """What is to be sent, the longest due first, but `not_to` these hosts and `not_of` these tenants."""
        wanted = [Delivery.due_at <= now(), Delivery.host.not_in(not_to), Delivery.tenant.not_in(not_of)]
        rows = select(Delivery.id, Delivery.host, Delivery.tenant).where(*wanted).order_by(Delivery.due_at)
        async with self._database.reading() as session:
            return [Due(*row) for row in await session.execute(rows.limit(limit))]

    async def claim(self, ids: Collection[str], *, seconds: float) -> Sequence[Delivery]:
        """Of `ids` those that nobody else has claimed; they are due again in `seconds` unless settled before."""
        free = (Delivery.id.in_(ids), Delivery.due_at <= now())
        unlocked = select(Delivery.id).where(*free).with_for_update(skip_locked=True)
        claimed = (
            update(Delivery)
            .where(Delivery.id.in_(unlocked), *free)
            .values(due_at=later(seconds), attempts=Delivery.attempts + 1)
            .returning(Delivery)
            .execution_options(synchronize_session=False)
        )
        async with self._database.writing() as session:
            return (await session.scalars(claimed)).all()

    async def delivered(self, delivery: Delivery, *, status: int) -> None:
        """It has arrived, whoever else may be sending it again by now."""
        ended = {
            "status": "delivered",
            "due_at": None,
            "ended_at": now(),
            "last_status": status,
            "last_error": None,
        }
        await self._settle(Delivery.id == delivery.id, ended)

    async def postpone(self, delivery: Delivery, *, seconds: float, status: int | None, error: str) -> None:
        """It has not arrived; send it again in `seconds`."""
        values = {"due_at": later(seconds), "last_status": status, "last_error": error}
        await self._settle(_as_claimed(delivery), values)

    async def bury(self, delivery: Delivery, *, status: int | None, error: str) -> None:
        """It will not arrive; somebody has to look."""
        ended = {"status": "dead", "due_at": None, "ended_at": now(), "last_status": status, "last_error": error}
        await self._settle(_as_claimed(delivery), ended)

    async def silence(self, delivery: Delivery) -> None:
        """Write down nothing more for where it was going: the webhook, or the address that its campaign named."""
        webhook = update(Webhook).where(Webhook.id == delivery.webhook_id).values(disabled_at=now())
        named = (Campaign.id == delivery.campaign_id, Campaign.webhook_url == delivery.url)
        campaign = update(Campaign).where(*named).values(webhook_url=None)
        async with self._database.writing() as session:
            await session.execute(webhook if delivery.webhook_id else campaign)

    async def get(self, delivery_id: str, *, tenant: str) -> Delivery | None:
        """The delivery, if it is there and the tenant's."""
        async with self._database.reading() as session:
            found = await session.get(Delivery, delivery_id)
        return found if found and found.tenant == tenant else None

    async def page(
        self, tenant: str, *, status: DeliveryStatus | None, webhook_id: str | None, after: str | None, limit: int
    ) -> Sequence[Delivery]:
        """Up to `limit` deliveries, newest first, older than the one whose id is `after`."""
        wanted: list[ColumnElement[bool]] = [Delivery.tenant == tenant]
        if status:
            wanted.append(Delivery.status == status)
        if webhook_id:
            wanted.append(Delivery.webhook_id == webhook_id)
        if after:
            wanted.append(Delivery.id < after)
        async with self._database.reading() as session:
            rows = select(Delivery).where(*wanted).order_by(Delivery.id.desc()).limit(limit)
            return (await session.scalars(rows)).all()

    async def replay(self, delivery_id: str) -> bool:
        """Send it again, as if for the first time; whether it had ended."""
        ended = (Delivery.id == delivery_id, Delivery.status != "pending")
        again = {"status": "pending", "attempts": 0, "due_at": now(), "ended_at": None}
        changed = update(Delivery).where(*ended).values(again).returning(Delivery.id)
        async with self._database.writing() as session:
            return (await session.scalars(changed)).one_or_none() is not None

    async def prune(self, *, before: str) -> None:
        """Forget deliveries that ended before then, well or not."""
        async with self._database.writing() as session:
            await session.execute(delete(Delivery).where(Delivery.ended_at < before))

    async def _settle(self, which: ColumnElement[bool], values: dict[str, Any]) -> None:
        async with self._database.writing() as session:
            await session.execute(update(Delivery).where(which, Delivery.status == "pending").values(values))


def _as_claimed(delivery: Delivery) -> ColumnElement[bool]:
    """Nobody else has claimed it since: a lease may have run out."""
    return (Delivery.id == delivery.id) & (Delivery.attempts == delivery.attempts)
