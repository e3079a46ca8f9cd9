"""The event log: appends events to the table `events`."""

from __future__ import annotations

import time
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from bot.events import Event
from bot.stores.database import insert_ignore
from bot.stores.tables import events as events_table


def write_events(connection: Connection, events: Sequence[Event]) -> None:
    """Store events; those stored already stay as they are."""
    now = time.time()
    rows = [{**e.to_dict(), "stored_at": now} for e in events]
    if rows and connection.dialect.name == "postgresql":
        # There the key includes the time (bot.stores.partitions), which differs when a step is
        # repeated.
        column = events_table.c.id
        ids = [row["id"] for row in rows]
        stored_ids = set(connection.execute(sa.select(column).where(column.in_(ids))).scalars())
        rows = [row for row in rows if row["id"] not in stored_ids]
    insert_ignore(connection, events_table, rows)
