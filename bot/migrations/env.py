"""Alembic's entry point: one connection, one transaction, the URL our settings give."""

from __future__ import annotations

from alembic import context

from bot.database import METADATA, Database
from bot.desk import tables  # noqa: F401 - the desk's tables join METADATA

database = Database(context.config.attributes["url"])
try:
    with database.engine.begin() as connection:
        context.configure(
            connection=connection, target_metadata=METADATA, render_as_batch=True
        )
        context.run_migrations()
finally:
    database.close()
