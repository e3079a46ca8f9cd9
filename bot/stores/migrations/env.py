"""Alembic's entry point: one connection, one transaction, the URL our settings give.

On PostgreSQL a lock in the database keeps two machines from migrating at once; on SQLite the
transaction itself does, and the file lock of `bot.processes.prepare`.
"""

from __future__ import annotations

from alembic import context

from bot.desk import tables  # noqa: F401 - the desk's tables join METADATA
from bot.routing import tables as routing_tables  # noqa: F401 - and those of teams
from bot.stores.database import Database, one_at_a_time
from bot.stores.tables import METADATA

LOCK = 5_366_321_001
"""Any number nobody else uses for an advisory lock in this database."""

database = Database(context.config.attributes["url"])
try:
    with database.engine.begin() as connection:
        one_at_a_time(connection, LOCK)
        context.configure(connection=connection, target_metadata=METADATA, render_as_batch=True)
        context.run_migrations()
finally:
    database.close()
