"""Uploaded photos and their fingerprints."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "pictures",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("sha256", sa.String(64), primary_key=True),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("media_type", sa.String(32), nullable=False),
        sa.Column("width", sa.Integer, nullable=False),
        sa.Column("height", sa.Integer, nullable=False),
        sa.Column("bytes", sa.Integer, nullable=False),
        sa.Column("notice", sa.Text),
        sa.Column("campaign_id", sa.String(36)),
        sa.Column("created_at", sa.String(32), nullable=False),
    )
    op.create_index("ix_pictures_tenant_created", "pictures", ["tenant", "created_at"])


def downgrade() -> None:
    """Take back."""
    op.drop_table("pictures")
