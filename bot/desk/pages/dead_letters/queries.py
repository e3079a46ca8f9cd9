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
    if user.supervises:
        return dead_letters.read_letters(connection)
    seen, d = scope.of(connection, user), table.c
    # In the query: those a user may not see must not crowd out the others.
    theirs = sa.select(conversations.c.id).where(seen.condition())
    return dead_letters.read_letters(
        connection, d.conversation.in_(theirs), seen.reads(d.conversation, d.created_at)
    )
