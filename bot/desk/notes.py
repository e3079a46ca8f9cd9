"""Private notes: seen by agents, never by the customer."""

from __future__ import annotations

import time

from sqlalchemy.engine import Connection

from bot.conversation import store
from bot.database import insert_ignore
from bot.desk.tables import notes
from bot.errors import BadRequest

MOST_CHARS = 4000


def clean(text: str) -> str:
    """Trim a note.

    Raises:
        BadRequest: Longer than `MOST_CHARS`.
    """
    trimmed = text.replace("\r\n", "\n").strip()
    if len(trimmed) > MOST_CHARS:
        raise BadRequest("note-too-long", f"A note has at most {MOST_CHARS} characters.")
    return trimmed


def add(connection: Connection, conversation: str, user_id: str, text: str, *, key: str) -> None:
    """Store a note once per key.

    Raises:
        BadRequest: There is no such conversation (status 404).
    """
    if store.get(connection, conversation) is None:
        raise BadRequest("unknown-conversation", "There is no such conversation.", status=404)
    row = {
        "id": f"n-{key}", "conversation": conversation, "user_id": user_id, "text": text,
        "created_at": time.time(),
    }  # fmt: skip
    insert_ignore(connection, notes, [row])
