"""What the list of the inbox shows, read from SQL."""

from __future__ import annotations

from typing import Any

from sqlalchemy.engine import Connection

from bot.desk.lists import queries, saved_filters
from bot.desk.lists.counts import count_open
from bot.desk.lists.filters import Filters, View
from bot.desk.people import scope
from bot.desk.people.users import User
from bot.desk.search import find


def list_of(
    connection: Connection, user: User, view: View, filters: Filters, offset: int
) -> dict[str, Any]:
    """One page of a view, and what stands around it: own lists, sizes, filters there are."""
    seen = scope.of(connection, user)
    words = filters.search
    found = find.conversations(connection, words, seen) if words else None
    rows = queries.list_rows(
        connection,
        view,
        user.id,
        filters=filters,
        offset=offset,
        limit=queries.PAGE + 1,
        only=found,
        scope=seen,
    )
    saved = saved_filters.of_users(connection, [user.id]).get(user.id, [])
    return {
        "saved": saved,
        "sizes": saved_filters.sizes(connection, user.id, saved, seen),
        "rows": rows[: queries.PAGE],
        "next_offset": offset + queries.PAGE if len(rows) > queries.PAGE else 0,
        "counts": count_open(connection).of(user.id, seen),
        "facets": queries.facets(connection, seen),
    }
