"""Alembic's entry point: runs the revisions on the connection that `bot.stores.migrate` opened."""

from __future__ import annotations

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
