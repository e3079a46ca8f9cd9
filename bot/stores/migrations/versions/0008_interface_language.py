"""The language in which a user wants the desk itself."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("users") as users:
        users.add_column(sa.Column("interface_language", sa.String(16)))


def downgrade() -> None:
    with op.batch_alter_table("users") as users:
        users.drop_column("interface_language")
