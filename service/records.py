"""Campaign records: who asked for what, and how far it has come. The row is the truth."""

from collections.abc import Sequence
from typing import Any, cast

from sqlalchemy import ColumnElement, CursorResult, and_, select, tuple_, update
from sqlalchemy.exc import IntegrityError

from service.database import Database
from service.tables import AWAITING, Campaign, Status, now


class IdempotencyConflict(Exception):
    """The key was used before, with another body."""


class Records:
    """The campaigns of every tenant."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, campaign: Campaign) -> Campaign:
        """Write `campaign` down; with a key that was used for the same body, the earlier one.

        Raises `IdempotencyConflict` when the key was used for another body.
        """
        try:
            async with self._database.writing() as session:
                session.add(campaign)
        except IntegrityError:
            earlier = await self.by_key(campaign.tenant, campaign.idempotency_key)
            if earlier is None:
                raise
            if earlier.body_hash != campaign.body_hash:
                raise IdempotencyConflict from None
            return earlier
        return campaign

    async def get(self, campaign_id: str, *, tenant: str | None = None) -> Campaign | None:
        """The campaign, or None; with a tenant, only if it is theirs."""
        async with self._database.reading() as session:
            found = await session.get(Campaign, campaign_id)
        return found if found and tenant in (None, found.tenant) else None

    async def page(
        self, tenant: str, *, status: str | None, query: str | None, after: tuple[str, str] | None, limit: int
    ) -> Sequence[Campaign]:
        """Up to `limit` campaigns, newest first, older than `after` (created_at, id)."""
        wanted: list[ColumnElement[bool]] = [Campaign.tenant == tenant]
        if status:
            wanted.append(Campaign.status == status)
        if query:
            wanted.append(Campaign.name.icontains(query, autoescape=True))
        if after:
            wanted.append(tuple_(Campaign.created_at, Campaign.id) < tuple_(*after))
        rows = select(Campaign).where(*wanted).order_by(Campaign.created_at.desc(), Campaign.id.desc())
        async with self._database.reading() as session:
            return (await session.scalars(rows.limit(limit))).all()

    async def unfinished(self) -> Sequence[str]:
        """The ids of campaigns that were running, or about to, when the last process ended."""
        async with self._database.reading() as session:
            rows = select(Campaign.id).where(Campaign.status.in_(("queued", "running"))).order_by(Campaign.id)
            return (await session.scalars(rows)).all()

    async def change(
        self, campaign_id: str, values: dict[str, Any], *, where: Sequence[Status] | None = None
    ) -> bool:
        """Set `values` if the campaign's status is one of `where`; whether it was."""
        conditions = [Campaign.id == campaign_id]
        if where is not None:
            conditions.append(Campaign.status.in_(where))
        return await self._update(and_(*conditions), values)

    async def decide(self, campaign_id: str, *, gate: str, revision: str, decision: dict[str, Any]) -> bool:
        """Take `decision` if `gate` is open at `revision`; of many at once, exactly one is taken."""
        open_gate = and_(
            Campaign.id == campaign_id, Campaign.status == AWAITING[gate], Campaign.revision == revision
        )
        values = {"status": "queued", "revision": None, "decided_revision": revision, "decision": decision}
        return await self._update(open_gate, values)

    async def _update(self, condition: ColumnElement[bool], values: dict[str, Any]) -> bool:
        async with self._database.writing() as session:
            statement = update(Campaign).where(condition).values(**values, updated_at=now())
            result = cast("CursorResult[Any]", await session.execute(statement))
        return result.rowcount == 1

    async def by_key(self, tenant: str, key: str | None) -> Campaign | None:
        """The campaign that was created with an idempotency key, or None."""
        async with self._database.reading() as session:
            rows = select(Campaign).where(Campaign.tenant == tenant, Campaign.idempotency_key == key)
            return (await session.scalars(rows)).one_or_none() if key else None
