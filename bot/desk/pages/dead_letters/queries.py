"""Which dead letters a user sees."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from bot.desk.people import scope
from bot.desk.people.users import User
from bot.stores.tables import conversations
from bot.stores.tables import dead_letters as table
from bot.streams import dead_letters


def letters(connection: Connection, user: User) -> list[dict[str, Any]]:
    """Those of conversations and stints the user may read, newest first; supervisors see all."""
    rows = dead_letters.read_letters(connection)
    if user.supervises:
        return rows
    seen, d = scope.of(connection, user), table.c
    readable = connection.execute(
        sa.select(d.id)
        .join(conversations, conversations.c.id == d.conversation)
        .where(
            d.id.in_([row["id"] for row in rows]),
            seen.condition(),
            seen.reads(d.conversation, d.created_at),
        )
    )
    kept = set(readable.scalars())
    return [row for row in rows if row["id"] in kept]
