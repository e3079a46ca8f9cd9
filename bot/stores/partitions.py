"""Messages and events by month on PostgreSQL, so that forgetting a month is dropping a table.

Revision 0003 divides the tables. A partition lives in a schema of its own, `samvad_partitions`, so
that nobody takes it for one of ours. Each parent also has a default partition: a row of a month
nobody prepared is never refused. Its primary key has the time beside the id, as PostgreSQL wants;
`insert_ignore` and `write_events` keep ids unique. SQLite has no partitions; there everything here
does nothing.
https://www.postgresql.org/docs/current/ddl-partitioning.html
"""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from bot.stores.database import one_at_a_time

SCHEMA = "samvad_partitions"
TIME_COLUMN = {"messages": "created_at", "events": "occurred_at"}
"""Partitioned tables, and what they are divided by (Unix seconds)."""
MONTHS_AHEAD = 2
LOCK = 5_366_321_002
"""Advisory lock of whoever makes or drops partitions."""
_NAME = re.compile(r"_(\d{4})_(\d{2})$")


@dataclass(frozen=True, order=True)
class Month:
    """A month of UTC."""

    year: int
    number: int

    @classmethod
    def of(cls, at: float) -> Month:
        day = datetime.datetime.fromtimestamp(at, datetime.UTC)
        return cls(day.year, day.month)

    @property
    def start(self) -> int:
        """Unix seconds of its first moment."""
        return int(datetime.datetime(self.year, self.number, 1, tzinfo=datetime.UTC).timestamp())

    def plus(self, months: int) -> Month:
        index = self.year * 12 + self.number - 1 + months
        return Month(index // 12, index % 12 + 1)

    def __str__(self) -> str:
        return f"{self.year:04d}_{self.number:02d}"


def supported(connection: Connection) -> bool:
    return connection.dialect.name == "postgresql"


def months(connection: Connection, table: str) -> list[Month]:
    """Return the months that have a partition, oldest first; none on SQLite."""
    if not supported(connection):
        return []
    names = connection.execute(
        sa.text(
            "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
            " WHERE i.inhparent = to_regclass(:parent)"
        ),
        {"parent": table},
    ).scalars()
    found = [match for name in names if (match := _NAME.search(name))]
    return sorted(Month(int(match[1]), int(match[2])) for match in found)


def ensure(connection: Connection, now: float) -> int:
    """Make the partitions of this month and the next ones; return how many were missing."""
    if not supported(connection):
        return 0
    one_at_a_time(connection, LOCK)
    made = 0
    for table in TIME_COLUMN:
        have = set(months(connection, table))
        for ahead in range(MONTHS_AHEAD + 1):
            month = Month.of(now).plus(ahead)
            if month not in have:
                _add(connection, table, month)
                made += 1
    return made


def drop_before(connection: Connection, table: str, before: float) -> int:
    """Drop the partitions that end before a time (Unix seconds); return how many there were."""
    gone = [month for month in months(connection, table) if month.plus(1).start <= before]
    if gone:
        one_at_a_time(connection, LOCK)
    for month in gone:
        connection.exec_driver_sql(f"DROP TABLE IF EXISTS {SCHEMA}.{table}_{month}")
    return len(gone)


def _add(connection: Connection, table: str, month: Month) -> None:
    """Make a partition beside rows that may be waiting for it in the default one."""
    column, run = TIME_COLUMN[table], connection.exec_driver_sql
    start, end = month.start, month.plus(1).start
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
