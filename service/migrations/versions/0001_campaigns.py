"""Campaigns."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "campaigns",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("status", sa.String(32), nullable=False),
        sa.Column("step", sa.String(64)),
        sa.Column("progress", sa.Float, nullable=False),
        sa.Column("order", sa.JSON, nullable=False),
        sa.Column("budget_usd", sa.String(16)),
        sa.Column("revision", sa.String(64)),
        sa.Column("decided_revision", sa.String(64)),
        sa.Column("interrupt_id", sa.String(64)),
        sa.Column("decision", sa.JSON),
        sa.Column("cost", sa.JSON, nullable=False),
        sa.Column("error", sa.JSON),
        sa.Column("package_sha256", sa.String(64)),
        sa.Column("idempotency_key", sa.String(255)),
        sa.Column("body_hash", sa.String(64), nullable=False),
        sa.Column("created_at", sa.String(32), nullable=False),
        sa.Column("updated_at", sa.String(32), nullable=False),
    )
    op.create_index("ix_campaigns_tenant_created", "campaigns", ["tenant", "created_at", "id"])
    op.create_index("ix_campaigns_status", "campaigns", ["status"])
    op.create_index("uq_campaigns_idempotency", "campaigns", ["tenant", "idempotency_key"], unique=True)


def downgrade() -> None:
    """Take back."""
    op.drop_table("campaigns")
