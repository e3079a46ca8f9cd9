"""Monthly partitions of messages and events on PostgreSQL, so that a month is dropped at once.

Revision 0003 divides the tables. Partitions are in a schema of their own, `samvad_partitions`,
apart from the tables. Each table also has a default partition, so that a row of a month without one
is never refused. The primary key includes the time beside the id, as PostgreSQL requires;
`insert_ignore` and `write_events` keep ids unique. SQLite has no partitions; there every function
here does nothing. https://www.postgresql.org/docs/current/ddl-partitioning.html
"""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from bot.stores.database import lock_for_transaction

SCHEMA = "samvad_partitions"
TIME_COLUMN = {"messages": "created_at", "events": "occurred_at"}
"""Partitioned tables, and what they are divided by (Unix seconds)."""
MONTHS_AHEAD = 2
LOCK = 5_366_321_002
"""Number of the advisory lock for creating and dropping partitions."""
_NAME = re.compile(r"_(\d{4})_(\d{2})$")


@dataclass(frozen=True, order=True)
class Month:
    """A month in UTC."""

    year: int
    number: int

    @classmethod
    def of(cls, at: float) -> Month:
        day = datetime.datetime.fromtimestamp(at, datetime.UTC)
        return cls(day.year, day.month)

    @property
    def start(self) -> int:
        """Return the Unix seconds at which it starts."""
        return int(datetime.datetime(self.year, self.number, 1, tzinfo=datetime.UTC).timestamp())

    def add(self, months: int) -> Month:
        index = self.year * 12 + self.number - 1 + months
        return Month(index // 12, index % 12 + 1)

    def __str__(self) -> str:
        return f"{self.year:04d}_{self.number:02d}"


def supported(connection: Connection) -> bool:
    return connection.dialect.name == "postgresql"


def months(connection: Connection, table: str) -> list[Month]:
    """List the months that have a partition, oldest first; none on SQLite."""
    if not supported(connection):
        return []
    names = connection.execute(
        sa.text(
            "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
            " WHERE i.inhparent = to_regclass(:parent)"
        ),
        {"parent": table},
    ).scalars()
    matches = [match for name in names if (match := _NAME.search(name))]
    return sorted(Month(int(match[1]), int(match[2])) for match in matches)


def create_missing(connection: Connection, now: float) -> int:
    """Create the missing partitions of this month and the next ones; return how many."""
    if not supported(connection):
        return 0
    lock_for_transaction(connection, LOCK)
    created = 0
    for table in TIME_COLUMN:
        existing = set(months(connection, table))
        for ahead in range(MONTHS_AHEAD + 1):
            month = Month.of(now).add(ahead)
            if month not in existing:
                _add(connection, table, month)
                created += 1
    return created


def drop_before(connection: Connection, table: str, before: float) -> int:
    """Drop the partitions that end before a time (Unix seconds); return how many."""
    dropped = [month for month in months(connection, table) if month.add(1).start <= before]
    if dropped:
        lock_for_transaction(connection, LOCK)
    for month in dropped:
        connection.exec_driver_sql(f"DROP TABLE IF EXISTS {SCHEMA}.{table}_{month}")
    return len(dropped)


def _add(connection: Connection, table: str, month: Month) -> None:
    """Create a partition and move its rows there from the default one."""
    column, run = TIME_COLUMN[table], connection.exec_driver_sql
    start, end = month.start, month.add(1).start
    run(f"CREATE TABLE {SCHEMA}.{table}_{month} (LIKE {table} INCLUDING ALL)")
    run(
        f"WITH moved AS (DELETE FROM {SCHEMA}.{table}_default"  # noqa: S608
        f" WHERE {column} >= {start} AND {column} < {end} RETURNING *)"
        f" INSERT INTO {SCHEMA}.{table}_{month} SELECT * FROM moved"
    )
    run(
        f"ALTER TABLE {table} ATTACH PARTITION {SCHEMA}.{table}_{month}"
        f" FOR VALUES FROM ({start}) TO ({end})"
    )
