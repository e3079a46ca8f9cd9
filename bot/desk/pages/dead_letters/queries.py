"""Which dead letters a user sees."""

from __future__ import annotations

from typing import Any

from sqlalchemy.engine import Connection

from bot.desk.people import scope
from bot.desk.people.users import User
from bot.streams import dead_letters


def letters(connection: Connection, user: User) -> list[dict[str, Any]]:
    """Those of conversations the user may see, newest first; supervisors see all."""
    rows = dead_letters.read_letters(connection)
    ids = [row["conversation"] for row in rows]
    seen = set(scope.of(connection, user).only(connection, ids))
    return [row for row in rows if row["conversation"] in seen or user.supervises]
