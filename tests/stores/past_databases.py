"""Writes rows into a database of an earlier revision, and describes a whole schema."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
import yaml
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Connection

from bot.stores import migrate
from bot.stores.database import Database

Rows = dict[str, list[dict[str, Any]]]

ROWS: Rows = yaml.safe_load((Path(__file__).parent / "history_rows.yml").read_text("utf-8"))
MADE_UP: dict[type, Any] = {
    str: "ประวัติ इतिहास تاريخ",
    bytes: b"\x00\xff",
    int: 3,
    float: 1789000300.5,
    bool: True,
    dict: {"ก": "क"},
}
"""Values for columns that history_rows.yml does not know, by their type."""


@dataclass(frozen=True)
class Upgraded:
    """A database that was written at an earlier revision."""

    database: Database
    written: Rows
    """What was written then, by table."""


def revisions() -> list[str]:
    """Ids of all revisions, oldest first."""
    scripts = ScriptDirectory.from_config(migrate.config())
    return [script.revision for script in reversed(list(scripts.walk_revisions()))]


def write_rows(connection: Connection) -> Rows:
    """Write rows into every table of the schema as it is."""
    schema = sa.MetaData()
    schema.reflect(connection)
    written: Rows = {}
    for table in schema.sorted_tables:
        if table.name == "alembic_version":
            continue
        known = ROWS.get(table.name, [{}])
        rows = [
            {c.name: row[c.name] if c.name in row else _made_up(c) for c in table.columns}
            for row in known
        ]
        connection.execute(table.insert(), rows)
        written[table.name] = rows
    return written


def _made_up(column: sa.Column[Any]) -> Any:
    if column.nullable:
        return None
    value = MADE_UP[column.type.python_type]
    return value[: getattr(column.type, "length", None)] if isinstance(value, str) else value


def whole_schema(connection: Connection) -> list[tuple[Any, ...]]:
    """All that makes a schema, but for the desk's search index and the months of partitions."""
    if connection.dialect.name == "sqlite":
        query = (
            "SELECT type, name, tbl_name, sql FROM sqlite_master"
            " WHERE name NOT LIKE '%desk_search%' ORDER BY 1, 2"
        )
        return [tuple(row) for row in connection.exec_driver_sql(query)]
    parts = (
        "SELECT table_name, ordinal_position, column_name, data_type, character_maximum_length,"
        " is_nullable, column_default FROM information_schema.columns"
        " WHERE table_schema = 'public' ORDER BY 1, 2",
        "SELECT tablename, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1, 2",
        "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2",
        "SELECT partrelid::regclass::text, pg_get_partkeydef(partrelid) FROM pg_partitioned_table"
        " ORDER BY 1",
        "SELECT pg_get_functiondef(to_regproc('samvad_fold'))",
    )
    return [tuple(row) for query in parts for row in connection.exec_driver_sql(query)]
