"""An index that holds all the desk counts, so that its lists need not be read to be counted."""

from __future__ import annotations

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_conversations_counts", "conversations", ["state", "owner", "team"])


def downgrade() -> None:
    op.drop_index("ix_conversations_counts", table_name="conversations")
