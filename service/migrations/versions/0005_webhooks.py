"""Webhooks: their secrets, and what is on its way to them."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Apply."""
    with op.batch_alter_table("campaigns") as campaigns:
        campaigns.add_column(sa.Column("webhook_url", sa.String(2048)))
    op.create_table(
        "webhooks",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("url", sa.String(2048), nullable=False),
        sa.Column("created_at", sa.String(32), nullable=False),
        sa.Column("disabled_at", sa.String(32)),
        sa.PrimaryKeyConstraint("id", name="pk_webhooks"),
    )
    op.create_index("ix_webhooks_tenant", "webhooks", ["tenant", "id"])
    _create_secrets()
    _create_deliveries()


def _create_secrets() -> None:
    op.create_table(
        "webhook_secrets",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("signs_for", sa.String(36), nullable=False),
        sa.Column("secret", sa.Text, nullable=False),
        sa.Column("created_at", sa.String(32), nullable=False),
        sa.Column("expires_at", sa.String(32)),
        sa.PrimaryKeyConstraint("id", name="pk_webhook_secrets"),
    )
    op.create_index("ix_webhook_secrets_signs_for", "webhook_secrets", ["tenant", "signs_for"])
    current = sa.text("expires_at IS NULL")
    op.create_index(
        "uq_webhook_secrets_current", "webhook_secrets", ["tenant", "signs_for"], unique=True,
        sqlite_where=current, postgresql_where=current,
    )  # fmt: skip


def _create_deliveries() -> None:
    op.create_table(
        "webhook_deliveries",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("event_id", sa.String(36), nullable=False),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("campaign_id", sa.String(36), nullable=False),
        sa.Column("webhook_id", sa.String(36)),
        sa.Column("type", sa.String(64), nullable=False),
        sa.Column("occurred_at", sa.String(32), nullable=False),
        sa.Column("data", sa.JSON, nullable=False),
        sa.Column("url", sa.String(2048), nullable=False),
        sa.Column("host", sa.String(300), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("due_at", sa.String(32)),
        sa.Column("ended_at", sa.String(32)),
        sa.Column("last_status", sa.Integer),
        sa.Column("last_error", sa.String(500)),
        sa.PrimaryKeyConstraint("id", name="pk_webhook_deliveries"),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["campaigns.id"], ondelete="CASCADE", name="fk_webhook_deliveries_campaign_id"
        ),
        sa.ForeignKeyConstraint(
            ["webhook_id"], ["webhooks.id"], ondelete="CASCADE", name="fk_webhook_deliveries_webhook_id"
        ),
    )
    op.create_index("ix_webhook_deliveries_tenant_status", "webhook_deliveries", ["tenant", "status", "id"])
    for column in ("campaign_id", "webhook_id", "due_at", "ended_at"):
        op.create_index(f"ix_webhook_deliveries_{column}", "webhook_deliveries", [column])


def downgrade() -> None:
    """Take back."""
    op.drop_table("webhook_deliveries")
    op.drop_table("webhook_secrets")
    op.drop_table("webhooks")
    with op.batch_alter_table("campaigns") as campaigns:
        campaigns.drop_column("webhook_url")
