"""The schema: every table of the records, as the migrations leave it."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Literal

from sqlalchemy import JSON, Float, ForeignKey, ForeignKeyConstraint, Index, MetaData, String, Text, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from uuid_utils import uuid7

from graph.state import Gate
from service.sealing import SealedJSON, SealedText

Status = Literal[
    "queued", "running", "awaiting_copy_approval", "awaiting_creative_approval",
    "completed", "rejected", "failed", "cancelled",
]  # fmt: skip
ENDED: frozenset[Status] = frozenset({"completed", "rejected", "failed", "cancelled"})
DeliveryStatus = Literal["pending", "delivered", "dead"]
UNFINISHED: tuple[Status, ...] = ("queued", "running")
AWAITING: dict[str, Status] = {"copy": "awaiting_copy_approval", "creatives": "awaiting_creative_approval"}
GATES: dict[Status, Gate] = {"awaiting_copy_approval": "copy", "awaiting_creative_approval": "creatives"}

_UNFINISHED = text(f"status IN ({', '.join(repr(status) for status in UNFINISHED)})")


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
    progress: Mapped[float] = mapped_column(Float, default=0.0)
    order: Mapped[dict[str, Any]] = mapped_column(SealedJSON)
    budget_usd: Mapped[str | None] = mapped_column(String(16))
    revision: Mapped[str | None] = mapped_column(String(64))
    decided_revision: Mapped[str | None] = mapped_column(String(64))
    interrupt_id: Mapped[str | None] = mapped_column(String(64))
    decision: Mapped[dict[str, Any] | None] = mapped_column(SealedJSON)
    cost: Mapped[dict[str, Any]]
    error: Mapped[dict[str, Any] | None] = mapped_column(SealedJSON)
    package_sha256: Mapped[str | None] = mapped_column(String(64))
    webhook_url: Mapped[str | None] = mapped_column(String(2048))
    idempotency_key: Mapped[str | None] = mapped_column(String(255))
    body_hash: Mapped[str] = mapped_column(String(64))
    created_by: Mapped[str | None] = mapped_column(String(255))
    created_at: Mapped[str] = mapped_column(String(32))
    updated_at: Mapped[str] = mapped_column(String(32))

    __table_args__ = (
        Index("ix_campaigns_tenant_created", "tenant", "created_at", "id"),
        Index("ix_campaigns_tenant_status", "tenant", "status", "created_at", "id"),
        Index("ix_campaigns_unfinished", "id", postgresql_where=_UNFINISHED, sqlite_where=_UNFINISHED),
        Index("uq_campaigns_idempotency", "tenant", "idempotency_key", unique=True),
    )

    @property
    def ended(self) -> bool:
        """Whether nothing will happen to it by itself any more."""
        return self.status in ENDED


class SeenPicture(Base):
    """One uploaded photo, and the campaign that last used it."""

    __tablename__ = "pictures"

    tenant: Mapped[str] = mapped_column(String(64), primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    fingerprint: Mapped[str] = mapped_column(String(64))
    media_type: Mapped[str] = mapped_column(String(32))
    width: Mapped[int]
    height: Mapped[int]
    bytes: Mapped[int]
    notice: Mapped[str | None] = mapped_column(Text)
    campaign_id: Mapped[str | None] = mapped_column(String(36))
    created_at: Mapped[str] = mapped_column(String(32))

    __table_args__ = (Index("ix_pictures_tenant_created", "tenant", "created_at"),)


class Decided(Base):
    """One decision that was taken at a gate: who, on which revision, and what they said to the team."""

    __tablename__ = "decisions"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    tenant: Mapped[str] = mapped_column(String(64))
    campaign_id: Mapped[str] = mapped_column(String(36))
    gate: Mapped[str] = mapped_column(String(16))
    revision: Mapped[str] = mapped_column(String(64))
    type: Mapped[str] = mapped_column(String(16))
    by: Mapped[str] = mapped_column(String(255))
    comment: Mapped[str | None] = mapped_column(SealedText)
    edits: Mapped[dict[str, Any]] = mapped_column(SealedJSON)
    decided_at: Mapped[str] = mapped_column(String(32))

    __table_args__ = (Index("ix_decisions_campaign", "campaign_id", "decided_at", "id"),)


class Webhook(Base):
    """An address that hears of every campaign of a tenant."""

    __tablename__ = "webhooks"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    tenant: Mapped[str] = mapped_column(String(64))
    url: Mapped[str] = mapped_column(String(2048))
    created_at: Mapped[str] = mapped_column(String(32))
    disabled_at: Mapped[str | None] = mapped_column(String(32))

    __table_args__ = (Index("ix_webhooks_tenant", "tenant", "id"),)


class WebhookSecret(Base):
    """What signs deliveries: of one webhook, or of all addresses that a tenant's campaigns name themselves."""

    __tablename__ = "webhook_secrets"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    tenant: Mapped[str] = mapped_column(String(64))
    signs_for: Mapped[str] = mapped_column(String(36))
    secret: Mapped[str] = mapped_column(SealedText)
    created_at: Mapped[str] = mapped_column(String(32))
    expires_at: Mapped[str | None] = mapped_column(String(32))

    __table_args__ = (
        Index("ix_webhook_secrets_signs_for", "tenant", "signs_for"),
        Index(
            "uq_webhook_secrets_current", "tenant", "signs_for", unique=True,
            sqlite_where=text("expires_at IS NULL"), postgresql_where=text("expires_at IS NULL"),
        ),
    )  # fmt: skip


class Delivery(Base):
    """One event on its way to one address; `due_at` is also the lease of whoever is sending it."""

    __tablename__ = "webhook_deliveries"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    event_id: Mapped[str] = mapped_column(String(36))
    tenant: Mapped[str] = mapped_column(String(64))
    campaign_id: Mapped[str] = mapped_column(ForeignKey("campaigns.id", ondelete="CASCADE"), index=True)
    webhook_id: Mapped[str | None] = mapped_column(ForeignKey("webhooks.id", ondelete="CASCADE"), index=True)
    type: Mapped[str] = mapped_column(String(64))
    occurred_at: Mapped[str] = mapped_column(String(32))
    data: Mapped[dict[str, Any]]
    url: Mapped[str] = mapped_column(String(2048))
    host: Mapped[str] = mapped_column(String(300))
    status: Mapped[DeliveryStatus] = mapped_column(String(16))
    attempts: Mapped[int] = mapped_column(default=0)
    due_at: Mapped[str | None] = mapped_column(String(32), index=True)
    ended_at: Mapped[str | None] = mapped_column(String(32), index=True)
    last_status: Mapped[int | None]
    last_error: Mapped[str | None] = mapped_column(String(500))

    __table_args__ = (Index("ix_webhook_deliveries_tenant_status", "tenant", "status", "id"),)


class ApiKey(Base):
    """A key to the service: its secret is kept as a hash, and was shown once."""

    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    tenant: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(100))
    roles: Mapped[list[str]] = mapped_column(JSON)
    secret_sha256: Mapped[str] = mapped_column(String(64))
    created_by: Mapped[str] = mapped_column(String(255))
    created_at: Mapped[str] = mapped_column(String(32))
    expires_at: Mapped[str | None] = mapped_column(String(32))
    revoked_at: Mapped[str | None] = mapped_column(String(32))
    last_used_at: Mapped[str | None] = mapped_column(String(32))

    __table_args__ = (Index("ix_api_keys_tenant", "tenant", "id"),)


class ReviewLink(Base):
    """A link that lets somebody without an account decide at one gate of one campaign."""

    __tablename__ = "review_links"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    tenant: Mapped[str] = mapped_column(String(64))
    campaign_id: Mapped[str] = mapped_column(ForeignKey("campaigns.id", ondelete="CASCADE"))
    gate: Mapped[Gate] = mapped_column(String(16))
    name: Mapped[str | None] = mapped_column(String(100))
    secret_sha256: Mapped[str] = mapped_column(String(64))
    created_by: Mapped[str] = mapped_column(String(255))
    created_at: Mapped[str] = mapped_column(String(32))
    expires_at: Mapped[str] = mapped_column(String(32))
    revoked_at: Mapped[str | None] = mapped_column(String(32))
    opened_at: Mapped[str | None] = mapped_column(String(32))

    __table_args__ = (Index("ix_review_links_campaign", "campaign_id", "id"),)


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


class AuditEntry(Base):
    """That something was done, by whom under a pseudonym, and to what: never a name, a text or an address."""

    __tablename__ = "audit"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    at: Mapped[str] = mapped_column(String(32))
    tenant: Mapped[str] = mapped_column(String(32))
    actor: Mapped[str] = mapped_column(String(32))
    action: Mapped[str] = mapped_column(String(64))
    target: Mapped[str | None] = mapped_column(String(64))
    facts: Mapped[dict[str, Any]]

    __table_args__ = (Index("ix_audit_tenant", "tenant", "id"), Index("ix_audit_at", "at"))


def now() -> str:
    """The time as RFC 3339 in UTC, to the millisecond: such texts sort by time."""
    return later(0)


def later(seconds: float) -> str:
    """The time in so many seconds, as `now` writes it."""
    return told(datetime.now(UTC) + timedelta(seconds=seconds))


def told(time: datetime) -> str:
    """A time of UTC as RFC 3339, to the millisecond."""
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def new_id() -> str:
    """A UUIDv7: ids sort by time."""
    return str(uuid7())


def is_id(text: str) -> bool:
    """Whether `text` is written as ids are; anything else need not be looked for, and some databases refuse to."""
    return _ID.fullmatch(text) is not None


_ID = re.compile(r"[0-9a-f-]{36}")
