"""The schema: every table of the records, as the migrations leave it."""

from datetime import UTC, datetime
from typing import Any, ClassVar, Literal

from sqlalchemy import JSON, ForeignKeyConstraint, Index, MetaData, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from uuid_utils import uuid7

Status = Literal[
    "queued", "running", "awaiting_copy_approval", "awaiting_creative_approval",
    "completed", "rejected", "failed", "cancelled",
]  # fmt: skip
ENDED: frozenset[Status] = frozenset({"completed", "rejected", "failed", "cancelled"})
AWAITING: dict[str, Status] = {"copy": "awaiting_copy_approval", "creatives": "awaiting_creative_approval"}


class Base(DeclarativeBase):
    """The tables; constraints have names, so that SQLite can change them too."""

    type_annotation_map: ClassVar = {dict[str, Any]: JSON}
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


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


class Asset(Base):
    """Bytes that are kept, or about to be: the row comes first, so that a sweep never takes what is on its way."""

    __tablename__ = "assets"

    tenant: Mapped[str] = mapped_column(String(64), primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    kept_at: Mapped[str] = mapped_column(String(32))
    picture: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    """Of an uploaded photo: what it is, and what it said of itself before it was cleaned."""

    __table_args__ = (Index("ix_assets_kept_at", "kept_at"),)


class AssetReference(Base):
    """Who needs an asset: `owner` is a campaign's id, or another thing's that holds pictures."""

    __tablename__ = "asset_references"

    tenant: Mapped[str] = mapped_column(String(64), primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    owner: Mapped[str] = mapped_column(String(255), primary_key=True)

    __table_args__ = (
        ForeignKeyConstraint(["tenant", "sha256"], ["assets.tenant", "assets.sha256"]),
        Index("ix_asset_references_owner", "owner"),
    )


def now() -> str:
    """The time as RFC 3339 in UTC, to the millisecond."""
    return told(datetime.now(UTC))


def told(time: datetime) -> str:
    """A time of UTC as RFC 3339, to the millisecond: such texts sort by time."""
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def new_id() -> str:
    """A UUIDv7: ids sort by time."""
    return str(uuid7())
