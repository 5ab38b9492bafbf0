"""Indexes for the lists: by status, and what is unfinished."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_UNFINISHED = sa.text("status IN ('queued', 'running')")


def upgrade() -> None:
    """Apply."""
    op.drop_index("ix_campaigns_status", "campaigns")
    op.create_index("ix_campaigns_tenant_status", "campaigns", ["tenant", "status", "created_at", "id"])
    op.create_index(
        "ix_campaigns_unfinished", "campaigns", ["id"],
        postgresql_where=_UNFINISHED, sqlite_where=_UNFINISHED,
    )  # fmt: skip


def downgrade() -> None:
    """Take back."""
    op.drop_index("ix_campaigns_unfinished", "campaigns")
    op.drop_index("ix_campaigns_tenant_status", "campaigns")
    op.create_index("ix_campaigns_status", "campaigns", ["status"])
