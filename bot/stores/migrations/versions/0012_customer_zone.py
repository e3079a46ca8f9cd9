"""Keep the time zone a customer's channel reports."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    column = sa.Column("zone", sa.String(64), nullable=False, server_default="")
    op.add_column("customers", column)


def downgrade() -> None:
    op.drop_column("customers", "zone")
