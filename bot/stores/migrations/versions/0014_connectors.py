"""Connectors read the log of events, each with a cursor of its own."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "connector_cursors",
        sa.Column("connector", sa.String(64), primary_key=True),
        sa.Column("stored_at", sa.Float, nullable=False),
        sa.Column("stuck_on", sa.String(128), nullable=False, server_default=""),
        sa.Column("tries", sa.Integer, nullable=False, server_default="0"),
        sa.Column("due_at", sa.Float, nullable=False, server_default="0"),
        sa.Column("version", sa.Integer, nullable=False, server_default="1"),
    )
    op.create_table(
        "connector_seen",
        sa.Column("connector", sa.String(64), primary_key=True),
        sa.Column("event", sa.String(128), primary_key=True),
        sa.Column("stored_at", sa.Float, nullable=False),
    )
    op.create_index("ix_events_stored", "events", ["stored_at"])


def downgrade() -> None:
    op.drop_index("ix_events_stored", "events")
    op.drop_table("connector_seen")
    op.drop_table("connector_cursors")
