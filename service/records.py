"""Campaign records: who asked for what, and how far it has come. The row is the truth."""

from collections.abc import Sequence
from typing import Any, cast

from sqlalchemy import (
    ColumnElement,
    CursorResult,
    Update,
    and_,
    bindparam,
    delete,
    func,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from service.announcements import TYPES, announce
from service.catalogue import files_of
from service.database import Database
from service.tables import (
    AWAITING,
    UNFINISHED,
    ApiKey,
    AssetReference,
    Base,
    Campaign,
    Decided,
    ReviewLink,
    Status,
    now,
)

# Written out, not bound: only then does a planner see that the index of unfinished campaigns holds them all.
_UNFINISHED = Campaign.status.in_(bindparam("unfinished", UNFINISHED, expanding=True, literal_execute=True))

_UNSAYABLE = "\0"  # Postgres has no text with it, and refuses even to look for one


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
                session.add_all((campaign, *_needed_by(campaign)))
                await announce(session, campaign, "campaign.created")
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
        if _UNSAYABLE in campaign_id:
            return None
        async with self._database.reading() as session:
            found = await session.get(Campaign, campaign_id)
        return found if found and tenant in (None, found.tenant) else None

    async def page(
        self, tenant: str, *, status: str | None, query: str | None, after: tuple[str, str] | None, limit: int
    ) -> Sequence[Campaign]:
        """Up to `limit` campaigns, newest first, older than `after` (created_at, id).

        One that was made this moment may be missing.
        """
        if query and _UNSAYABLE in query:
            return []
        wanted: list[ColumnElement[bool]] = [Campaign.tenant == tenant]
        if status:
            wanted.append(Campaign.status == status)
        if query:
            wanted.append(Campaign.name.icontains(query, autoescape=True))
        if after:
            wanted.append(tuple_(Campaign.created_at, Campaign.id) < tuple_(*after))
        rows = select(Campaign).where(*wanted).order_by(Campaign.created_at.desc(), Campaign.id.desc())
        async with self._database.listing() as session:
            return (await session.scalars(rows.limit(limit))).all()

    async def unfinished(self) -> Sequence[str]:
        """The ids of campaigns that were running, or about to, when the last process ended."""
        async with self._database.reading() as session:
            rows = select(Campaign.id).where(_UNFINISHED).order_by(Campaign.id)
            return (await session.scalars(rows)).all()

    async def change(
        self, campaign_id: str, values: dict[str, Any], *, where: Sequence[Status] | None = None
    ) -> bool:
        """Set `values` if the campaign's status is one of `where`; whether it was."""
        conditions = [Campaign.id == campaign_id]
        if where is not None:
            conditions.append(Campaign.status.in_(where))
        async with self._database.writing() as session:
            return await _update(session, and_(*conditions), values)

    async def decide(self, decided: Decided, *, resume: dict[str, Any]) -> bool:
        """Take a decision if its gate is open at its revision, and write it into the history.

        Of many at once exactly one is taken. `resume` is what the run is handed at the gate.
        """
        open_gate = and_(
            Campaign.id == decided.campaign_id,
            Campaign.status == AWAITING[decided.gate],
            Campaign.revision == decided.revision,
        )
        values = {"status": "queued", "revision": None, "decided_revision": decided.revision, "decision": resume}
        async with self._database.writing() as session:
            taken = await _update(session, open_gate, values)
            if taken:
                session.add(decided)
        return taken

    async def decisions(self, campaign_id: str) -> Sequence[Decided]:
        """What was decided on the campaign, the first decision first."""
        rows = select(Decided).where(Decided.campaign_id == campaign_id).order_by(Decided.decided_at, Decided.id)
        async with self._database.reading() as session:
            return (await session.scalars(rows)).all()

    async def decided_by(self, tenant: str, person: str) -> Sequence[Decided]:
        """What a person decided in all campaigns of the tenant, the first decision first."""
        theirs = select(Decided).where(Decided.tenant == tenant, _by(person)).order_by(Decided.id)
        async with self._database.reading() as session:
            return (await session.scalars(theirs)).all()

    async def forget_person(self, tenant: str, person: str, *, as_: str) -> dict[str, int]:
        """Put another name in place of the person's, and drop their comments; how many rows, by table."""
        statements = {
            "decisions": update(Decided).where(Decided.tenant == tenant, _by(person)).values(by=as_, comment=None),
            "campaigns": _renamed(Campaign, Campaign.created_by, tenant, person, as_),
            "links made": _renamed(ReviewLink, ReviewLink.created_by, tenant, person, as_),
            "links held": update(ReviewLink)
            .where(ReviewLink.tenant == tenant, ReviewLink.name == person)
            .values(name=None),
            "keys made": _renamed(ApiKey, ApiKey.created_by, tenant, person, as_),
            "keys held": delete(ApiKey).where(ApiKey.tenant == tenant, ApiKey.name == person),
        }
        async with self._database.writing() as session:
            done = {
                name: await session.execute(statement.execution_options(synchronize_session=False))
                for name, statement in statements.items()
            }
        return {
            name: number for name, result in done.items() if (number := cast("CursorResult[Any]", result).rowcount)
        }

    async def count_by_status(self) -> dict[Status, int]:
        """How many campaigns of all tenants are in each status."""
        rows = select(Campaign.status, func.count()).group_by(Campaign.status)
        async with self._database.reading() as session:
            return {status: number for status, number in await session.execute(rows)}  # noqa: C416 - so typed

    async def by_key(self, tenant: str, key: str | None) -> Campaign | None:
        """The campaign that was created with an idempotency key, or None."""
        async with self._database.reading() as session:
            rows = select(Campaign).where(Campaign.tenant == tenant, Campaign.idempotency_key == key)
            return (await session.scalars(rows)).one_or_none() if key else None


async def _update(session: AsyncSession, condition: ColumnElement[bool], values: dict[str, Any]) -> bool:
    statement = update(Campaign).where(condition).values(**values, updated_at=now())
    changed = (await session.scalars(statement.returning(Campaign.id))).one_or_none()
    # In one transaction with the change: no event is lost, and none tells what did not happen.
    if changed and (kind := TYPES.get(values.get("status", "running"))):
        await announce(session, await session.get_one(Campaign, changed), kind)
    return changed is not None


def _needed_by(campaign: Campaign) -> list[AssetReference]:
    """What keeps a campaign's photo and its house's files from the moment that the campaign is there."""
    assets = sorted(set(files_of(campaign.order)))
    return [AssetReference(tenant=campaign.tenant, sha256=sha256, owner=campaign.id) for sha256 in assets]


def _by(person: str) -> ColumnElement[bool]:
    """Decisions of a person, who may have come by a link and given that name."""
    return or_(Decided.by == person, Decided.by.endswith(f" ({person})", autoescape=True))


def _renamed(table: type[Base], column: InstrumentedAttribute[Any], tenant: str, person: str, name: str) -> Update:
    return update(table).where(table.__table__.c.tenant == tenant, column == person).values({column.key: name})
