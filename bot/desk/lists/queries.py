"""Lists of conversations, read from SQL: a page of a view, its size, its filters' values."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from bot.desk.conversation import labels
from bot.desk.lists.filters import OPEN_STATES, UNFILTERED, Filters, View, belongs, narrowed, order
from bot.desk.lists.rows import Row, rows_of
from bot.desk.people.scope import EVERYTHING, Scope
from bot.stores.tables import conversations

PAGE = 60
"""Conversations a list shows at first, and with each "more"."""


def list_rows(
    connection: Connection,
    view: View,
    user_id: str,
    *,
    filters: Filters = UNFILTERED,
    offset: int = 0,
    limit: int = PAGE,
    only: Sequence[str] | None = None,
    scope: Scope = EVERYTHING,
) -> list[Row]:
    """Read one page of a view.

    Args:
        scope: What the user may see at all, a search included.
        only: Conversation ids found by a search, which looks beyond the view; None without one.
    """
    c = conversations.c
    shown = belongs(view, user_id, scope) if only is None else c.id.in_(only)
    query = sa.select(c.id).where(shown, scope.condition(), *narrowed(filters, scope))
    query = query.order_by(*order(view, filters.sort, user_id)).limit(limit).offset(offset)
    ids = [row.id for row in connection.execute(query)]
    return rows_of(connection, ids, user_id, scope)


def size(
    connection: Connection,
    view: View,
    user_id: str,
    filters: Filters,
    scope: Scope = EVERYTHING,
) -> int:
    """Count what a view shows under these filters; a search in them does not count."""
    query = sa.select(sa.func.count()).select_from(conversations)
    count = connection.execute(
        query.where(belongs(view, user_id, scope), scope.condition(), *narrowed(filters, scope))
    )
    return int(count.scalar_one())


def facets(connection: Connection, scope: Scope = EVERYTHING) -> dict[str, list[str]]:
    """Values open conversations can be filtered by: `language`, `channel`, `topic`, `label`."""
    c = conversations.c
    is_open = sa.and_(c.state.in_([s.value for s in OPEN_STATES]), scope.condition())
    return {
        "language": list(
            connection.execute(
                sa.select(c.language).where(is_open).distinct().order_by(c.language)
            ).scalars()
        ),
        "channel": list(
            connection.execute(
                sa.select(c.channel).where(is_open).distinct().order_by(c.channel)
            ).scalars()
        ),
        "topic": list(
            connection.execute(
                sa.select(c.topic)
                .where(is_open, c.topic.is_not(None), c.topic != "")
                .distinct()
                .order_by(c.topic)
            ).scalars()
        ),
        "label": labels.in_use(connection, scope),
    }
