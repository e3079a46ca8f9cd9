"""A second factor for logins of the desk."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "desk_second_factors",
        sa.Column("user_id", sa.String(64), primary_key=True),
        sa.Column("salt", sa.String(64), nullable=False),
        sa.Column("begun_at", sa.Float, nullable=False),
        sa.Column("on_since", sa.Float),
        sa.Column("last_step", sa.BigInteger, nullable=False, server_default="0"),
    )
    op.create_table(
        "desk_recovery_codes",
        sa.Column("user_id", sa.String(64), primary_key=True),
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("used_at", sa.Float),
    )


def downgrade() -> None:
    op.drop_table("desk_recovery_codes")
    op.drop_table("desk_second_factors")
