"""Trigram indexes on PostgreSQL (pg_trgm), which let `ILIKE` find a word without reading all texts.

The extension comes with every PostgreSQL (package postgresql-contrib on some systems) and anybody
who may create tables may switch it on. Where it is missing, search reads the texts; slower, the
same finds. Unlike the index on SQLite it folds case only.
https://www.postgresql.org/docs/current/pgtrgm.html
"""

from __future__ import annotations

import sqlalchemy as sa
import structlog
from sqlalchemy.engine import Connection

log = structlog.get_logger()

EXTENSION = "pg_trgm"
PREFIX = "ix_trigrams_"
INDEXES = {"messages": "text", "desk_notes": "text", "customers": "name"}


def create(connection: Connection) -> None:
    """Create what is missing, if this is PostgreSQL and has the extension."""
    if connection.dialect.name != "postgresql":
        return
    try:
        with connection.begin_nested():
            connection.exec_driver_sql(f"CREATE EXTENSION IF NOT EXISTS {EXTENSION}")
    except sa.exc.DBAPIError as error:
        log.warning("search.without_index", reason=str(error.orig).strip())
        return
    for table, column in INDEXES.items():
        connection.exec_driver_sql(
            f"CREATE INDEX IF NOT EXISTS {PREFIX}{table} ON {table}"
            f" USING gin ({column} gin_trgm_ops)"
        )


def drop(connection: Connection) -> None:
    """Drop the indexes; the extension stays, others may use it."""
    if connection.dialect.name == "postgresql":
        for table in INDEXES:
            connection.exec_driver_sql(f"DROP INDEX IF EXISTS {PREFIX}{table}")


def is_ours(name: str | None) -> bool:
    """Tell whether an index is one of these, which the metadata does not know."""
    return bool(name and name.startswith(PREFIX))
