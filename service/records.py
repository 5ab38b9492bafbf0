"""Campaign records: who asked for what, and how far it has come. The row is the truth."""

import contextlib
from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar, Literal, cast

from sqlalchemy import JSON, ColumnElement, CursorResult, Index, String, and_, event, select, tuple_, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from uuid_utils import uuid7

Status = Literal[
    "queued", "running", "awaiting_copy_approval", "awaiting_creative_approval",
    "completed", "rejected", "failed", "cancelled",
]  # fmt: skip
ENDED: frozenset[Status] = frozenset({"completed", "rejected", "failed", "cancelled"})
AWAITING: dict[str, Status] = {"copy": "awaiting_copy_approval", "creatives": "awaiting_creative_approval"}


class IdempotencyConflict(Exception):
    """The key was used before, with another body."""


class Base(DeclarativeBase):
    """The tables."""

    type_annotation_map: ClassVar = {dict[str, Any]: JSON}


class Campaign(Base):
    """One campaign."""

    __tablename__ = "campaigns"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    tenant: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(200))
    status: Mapped[Status] = mapped_column(String(32))
    step: Mapped[str | None] = mapped_column(String(64))
    progress: Mapped[float] = mapped_column(default=0.0)
    order: Mapped[dict[str, Any]]
    budget_usd: Mapped[str | None] = mapped_column(String(16))
    revision: Mapped[str | None] = mapped_column(String(64))
    decided_revision: Mapped[str | None] = mapped_column(String(64))
    interrupt_id: Mapped[str | None] = mapped_column(String(64))
    decision: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    cost: Mapped[dict[str, Any]]
    error: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    package_sha256: Mapped[str | None] = mapped_column(String(64))
    idempotency_key: Mapped[str | None] = mapped_column(String(255))
    body_hash: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[str] = mapped_column(String(32))
    updated_at: Mapped[str] = mapped_column(String(32))

    __table_args__ = (
        Index("ix_campaigns_tenant_created", "tenant", "created_at", "id"),
        Index("ix_campaigns_status", "status"),
        Index("uq_campaigns_idempotency", "tenant", "idempotency_key", unique=True),
    )

    @property
    def ended(self) -> bool:
        """Whether nothing will happen to it by itself any more."""
        return self.status in ENDED


def now() -> str:
    """The time as RFC 3339 in UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def new_id() -> str:
    """A UUIDv7: ids sort by time."""
    return str(uuid7())


class Records:
    """The campaigns of every tenant."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self._session = async_sessionmaker(engine, expire_on_commit=False)

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, url: str) -> AsyncGenerator["Records"]:
        """Records at `url`, an SQLAlchemy URL of an async driver."""
        engine = create_async_engine(url)
        if engine.dialect.name == "sqlite":
            event.listen(engine.sync_engine, "connect", _prepare_sqlite)
        try:
            yield cls(engine)
        finally:
            await engine.dispose()

    async def create(self, campaign: Campaign) -> Campaign:
        """Write `campaign` down; with a key that was used for the same body, the earlier one.

        Raises `IdempotencyConflict` when the key was used for another body.
        """
        try:
            async with self._session.begin() as session:
                session.add(campaign)
        except IntegrityError:
            earlier = await self._by_key(campaign.tenant, campaign.idempotency_key)
            if earlier is None:
                raise
            if earlier.body_hash != campaign.body_hash:
                raise IdempotencyConflict from None
            return earlier
        return campaign

    async def get(self, campaign_id: str, *, tenant: str | None = None) -> Campaign | None:
        """The campaign, or None; with a tenant, only if it is theirs."""
        async with self._session() as session:
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
        async with self._session() as session:
            return (await session.scalars(rows.limit(limit))).all()

    async def unfinished(self) -> Sequence[str]:
        """The ids of campaigns that were running, or about to, when the last process ended."""
        async with self._session() as session:
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
        async with self._session.begin() as session:
            statement = update(Campaign).where(condition).values(**values, updated_at=now())
            result = cast("CursorResult[Any]", await session.execute(statement))
        return result.rowcount == 1

    async def _by_key(self, tenant: str, key: str | None) -> Campaign | None:
        async with self._session() as session:
            rows = select(Campaign).where(Campaign.tenant == tenant, Campaign.idempotency_key == key)
            return (await session.scalars(rows)).one_or_none() if key else None


def _prepare_sqlite(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=5000", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
