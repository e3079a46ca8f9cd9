"""Lists that users have saved: a view, filters and an order under a name.

Searches are not kept: their words may be a customer's.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Collection
from dataclasses import dataclass, replace

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from bot.desk.lists import queries
from bot.desk.lists.filters import Filters, View
from bot.desk.people import naming
from bot.desk.people.scope import EVERYTHING, Scope
from bot.desk.tables import filters as table
from bot.errors import BadRequest

MOST_CHARS = 40
MOST_PER_USER = 20


@dataclass(frozen=True)
class SavedFilter:
    """A list that a user has saved."""

    id: str
    name: str
    view: View
    filters: Filters

    @property
    def query(self) -> dict[str, str]:
        """The address behind the view."""
        return {**self.filters.query(), "saved": self.id}


def save(
    connection: Connection, user_id: str, name: str, view: View, filters: Filters
) -> SavedFilter:
    """Keep a list under a name; the same name again replaces it.

    Raises:
        BadRequest: The name cannot be used, nothing is filtered or sorted, or there are too many.
    """
    spelled = naming.clean(name, MOST_CHARS, "bad-filter-name")
    kept = replace(filters, search="")
    if not kept.query():
        raise BadRequest("empty-filter", "Choose a filter or an order first.")
    values = {"query": {"view": view.value, **kept.query()}}
    mine = table.c.user_id == user_id
    same_name = sa.select(table.c.id).where(mine, table.c.name == spelled)
    existing = connection.execute(same_name).scalar()
    if existing is not None:
        connection.execute(sa.update(table).where(table.c.id == existing).values(**values))
        return SavedFilter(existing, spelled, view, kept)
    number = connection.execute(sa.select(sa.func.count()).where(mine)).scalar_one()
    if number >= MOST_PER_USER:
        raise BadRequest("too-many-filters", f"At most {MOST_PER_USER} filters fit.")
    made = f"f{secrets.token_hex(8)}"
    connection.execute(
        sa.insert(table).values(
            id=made, user_id=user_id, name=spelled, created_at=time.time(), **values
        )
    )
    return SavedFilter(made, spelled, view, kept)


def remove(connection: Connection, user_id: str, filter_id: str) -> None:
    """Forget one of a user's own lists; others' are left alone."""
    connection.execute(sa.delete(table).where(table.c.id == filter_id, table.c.user_id == user_id))


def of_users(connection: Connection, user_ids: Collection[str]) -> dict[str, list[SavedFilter]]:
    """The lists of these users, oldest first."""
    rows = connection.execute(
        sa.select(table).where(table.c.user_id.in_(list(user_ids))).order_by(table.c.created_at)
    ).mappings()
    made: dict[str, list[SavedFilter]] = {}
    for row in rows:
        stored = dict(row["query"])
        view = View(stored.pop("view", View.OPEN.value))
        stored_filter = SavedFilter(row["id"], row["name"], view, Filters.of(stored))
        made.setdefault(row["user_id"], []).append(stored_filter)
    return made


def sizes(
    connection: Connection,
    user_id: str,
    saved: Collection[SavedFilter],
    scope: Scope = EVERYTHING,
) -> dict[str, int]:
    """Filter id → conversations it shows."""
    return {
        filter_.id: queries.size(connection, filter_.view, user_id, filter_.filters, scope)
        for filter_ in saved
    }
