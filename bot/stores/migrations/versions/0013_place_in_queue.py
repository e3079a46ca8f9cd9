"""Count who is ahead in a queue from an index alone."""

from __future__ import annotations

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

NAME = "ix_conversations_place"


def upgrade() -> None:
    op.create_index(NAME, "conversations", ["state", "team", "waiting_since", "priority"])


def downgrade() -> None:
    op.drop_index(NAME, "conversations")
