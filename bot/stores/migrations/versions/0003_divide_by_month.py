"""Divide messages and events by month on PostgreSQL; find both by time everywhere.

A partition lives in a schema of its own; a default partition takes rows of a month nobody prepared.
The time joins the primary key there, as PostgreSQL wants.
https://www.postgresql.org/docs/current/ddl-partitioning.html
"""

from __future__ import annotations

import datetime
import time

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

SCHEMA = "samvad_partitions"
TIME_COLUMN = {"messages": "created_at", "events": "occurred_at"}
"""Divided tables, and what they are divided by (Unix seconds)."""
MONTHS_AHEAD = 2


def upgrade() -> None:
    op.create_index("ix_messages_time", "messages", ["created_at"], unique=False)
    op.create_index("ix_events_time", "events", ["occurred_at"], unique=False)
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
        for table in TIME_COLUMN:
            _divide(connection, table, time.time())


def downgrade() -> None:
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        for table in TIME_COLUMN:
            _unite(connection, table)
        connection.exec_driver_sql(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
    op.drop_index("ix_events_time", table_name="events")
    op.drop_index("ix_messages_time", table_name="messages")


def _divide(connection: sa.Connection, table: str, now: float) -> None:
    """Turn a plain table into a partitioned one with the same columns, indexes and rows."""
    column, run = TIME_COLUMN[table], connection.exec_driver_sql
    indexes = _index_definitions(connection, table)
    run(f"ALTER TABLE {table} RENAME TO {table}_whole")
    like = f"LIKE {table}_whole INCLUDING DEFAULTS"
    run(f"CREATE TABLE {table} ({like}) PARTITION BY RANGE ({column})")
    run(f"CREATE TABLE {SCHEMA}.{table}_default PARTITION OF {table} DEFAULT")
    oldest = run(f"SELECT min({column}) FROM {table}_whole").scalar()  # noqa: S608
    first = _month(now if oldest is None else min(oldest, now))
    for month in range(first, _month(now) + MONTHS_AHEAD + 1):
        run(
            f"CREATE TABLE {SCHEMA}.{table}_{_name(month)} PARTITION OF {table}"
            f" FOR VALUES FROM ({_start(month)}) TO ({_start(month + 1)})"
        )
    run(f"INSERT INTO {table} SELECT * FROM {table}_whole")  # noqa: S608
    run(f"DROP TABLE {table}_whole")
    run(f"ALTER TABLE {table} ADD CONSTRAINT {table}_pkey PRIMARY KEY (id, {column})")
    for statement in indexes:
        run(statement)


def _unite(connection: sa.Connection, table: str) -> None:
    """Undo `_divide`."""
    run = connection.exec_driver_sql
    indexes = _index_definitions(connection, table)
    run(f"ALTER TABLE {table} RENAME TO {table}_parts")
    run(f"CREATE TABLE {table} (LIKE {table}_parts INCLUDING DEFAULTS)")
    run(f"INSERT INTO {table} SELECT * FROM {table}_parts")  # noqa: S608
    run(f"DROP TABLE {table}_parts CASCADE")
    run(f"ALTER TABLE {table} ADD CONSTRAINT {table}_pkey PRIMARY KEY (id)")
    for statement in indexes:
        run(statement)


def _index_definitions(connection: sa.Connection, table: str) -> list[str]:
    """Statements that make the table's indexes again, its primary key left out."""
    rows = connection.execute(
        sa.text(
            "SELECT pg_get_indexdef(i.indexrelid) FROM pg_index i"
            " WHERE i.indrelid = to_regclass(:name) AND NOT i.indisprimary"
        ),
        {"name": table},
    ).scalars()
    # Of a partitioned table the definition says ONLY, which would leave the partitions out.
    return [str(row).replace(" ON ONLY ", " ON ") for row in rows]


def _month(at: float) -> int:
    """The month of UTC a moment lies in, counted from the year 0."""
    day = datetime.datetime.fromtimestamp(at, datetime.UTC)
    return day.year * 12 + day.month - 1


def _start(month: int) -> int:
    """Unix seconds of a month's first moment."""
    year, number = divmod(month, 12)
    return int(datetime.datetime(year, number + 1, 1, tzinfo=datetime.UTC).timestamp())


def _name(month: int) -> str:
    year, number = divmod(month, 12)
    return f"{year:04d}_{number + 1:02d}"
