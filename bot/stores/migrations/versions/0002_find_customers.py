"""Find a customer by the name their channel gives them; on PostgreSQL, index texts for search."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from bot.desk.search.trigrams import create, drop

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_conversations_vendor_user", "conversations", ["vendor_user", "channel"], unique=False
    )
    create(_connection())


def downgrade() -> None:
    drop(_connection())
    op.drop_index("ix_conversations_vendor_user", table_name="conversations")


def _connection() -> sa.Connection:
    return op.get_bind()
