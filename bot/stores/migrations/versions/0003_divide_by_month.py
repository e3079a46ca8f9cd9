"""Divide messages and events by month on PostgreSQL; find both by time everywhere."""

from __future__ import annotations

import time

from alembic import op

from bot.stores import partitions

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_messages_time", "messages", ["created_at"], unique=False)
    op.create_index("ix_events_time", "events", ["occurred_at"], unique=False)
    connection = op.get_bind()
    if partitions.supported(connection):
        for table in partitions.TIME_COLUMN:
            partitions.divide(connection, table, "id", time.time())


def downgrade() -> None:
    connection = op.get_bind()
    if partitions.supported(connection):
        for table in partitions.TIME_COLUMN:
            partitions.unite(connection, table, "id")
        connection.exec_driver_sql(f"DROP SCHEMA IF EXISTS {partitions.SCHEMA} CASCADE")
    op.drop_index("ix_events_time", table_name="events")
    op.drop_index("ix_messages_time", table_name="messages")
