"""Assets, and who needs them."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "assets",
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("kept_at", sa.String(32), nullable=False),
        sa.Column("picture", sa.JSON),
        sa.PrimaryKeyConstraint("tenant", "sha256", name="pk_assets"),
    )
    op.create_index("ix_assets_kept_at", "assets", ["kept_at"])
    op.create_table(
        "asset_references",
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("owner", sa.String(255), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "sha256", "owner", name="pk_asset_references"),
        sa.ForeignKeyConstraint(
            ["tenant", "sha256"], ["assets.tenant", "assets.sha256"], name="fk_asset_references_tenant_sha256"
        ),
    )
    op.create_index("ix_asset_references_owner", "asset_references", ["owner"])


def downgrade() -> None:
    """Take back."""
    op.drop_table("asset_references")
    op.drop_table("assets")
