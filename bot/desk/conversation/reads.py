"""Times at which users last read a conversation; later messages are unread."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from bot.desk.tables import reads
from bot.stores.database import insert_ignore


def mark_read(connection: Connection, user_id: str, conversation: str, at: float) -> None:
    """Remember that a user has seen everything up to `at`."""
    row = {"user_id": user_id, "conversation": conversation, "read_at": at}
    if insert_ignore(connection, reads, [row]) == 0:
        connection.execute(
            sa.update(reads)
            .where(reads.c.user_id == user_id, reads.c.conversation == conversation)
            .values(read_at=at)
        )
