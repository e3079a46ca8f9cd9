"""Macros as SQL keeps them."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from bot.desk.pages.macros.steps import Step
from bot.desk.people import naming
from bot.desk.tables import macros as table
from bot.errors import BadRequest

MOST_CHARS = 60
MOST = 100


@dataclass(frozen=True)
class Macro:
    """One list of actions."""

    id: str
    name: str
    steps: tuple[Step, ...]


def save(connection: Connection, name: str, steps: tuple[Step, ...]) -> Macro:
    """Store a macro; the same name again replaces it.

    Raises:
        BadRequest: The name cannot be used, or there are too many.
    """
    spelled = naming.clean(name, MOST_CHARS, "bad-macro-name")
    values = {"steps": [dict(step) for step in steps], "updated_at": time.time()}
    existing = connection.execute(sa.select(table.c.id).where(table.c.name == spelled)).scalar()
    if existing is not None:
        connection.execute(sa.update(table).where(table.c.id == existing).values(**values))
        return Macro(existing, spelled, steps)
    number = connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
    if number >= MOST:
        raise BadRequest("too-many-macros", f"At most {MOST} macros fit.", most=MOST)
    made = f"x{secrets.token_hex(8)}"
    connection.execute(sa.insert(table).values(id=made, name=spelled, **values))
    return Macro(made, spelled, steps)


def list_all(connection: Connection) -> list[Macro]:
    """All macros, by name."""
    rows = connection.execute(sa.select(table).order_by(table.c.name)).mappings()
    return [Macro(row["id"], row["name"], tuple(row["steps"])) for row in rows]


def get(connection: Connection, macro_id: str) -> Macro:
    """Read one.

    Raises:
        BadRequest: There is none with this id (status 404).
    """
    row = connection.execute(sa.select(table).where(table.c.id == macro_id)).mappings().first()
    if row is None:
        raise BadRequest("unknown-macro", "There is no such macro.", status=404)
    return Macro(row["id"], row["name"], tuple(row["steps"]))


def remove(connection: Connection, macro_id: str) -> None:
    connection.execute(sa.delete(table).where(table.c.id == macro_id))
