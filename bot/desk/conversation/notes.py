"""Private notes: seen by agents, never by the customer."""

from __future__ import annotations

import time

from sqlalchemy.engine import Connection

from bot.conversation import store
from bot.desk.tables import notes
from bot.errors import BadRequest
from bot.stores.database import insert_ignore

MOST_CHARS = 4000


def clean(text: str) -> str:
    """Trim a note.

    Raises:
        BadRequest: Longer than `MOST_CHARS`.
    """
    trimmed = text.replace("\r\n", "\n").strip()
    if len(trimmed) > MOST_CHARS:
        raise BadRequest(
            "note-too-long", f"A note has at most {MOST_CHARS} characters.", most=MOST_CHARS
        )
    return trimmed


def id_of(key: str) -> str:
    """Id of the note written under a key."""
    return f"n-{key}"


def add(connection: Connection, conversation: str, user_id: str, text: str, *, key: str) -> bool:
    """Store a note once per key; False when it was there.

    Raises:
        BadRequest: There is no such conversation (status 404).
    """
    if store.get(connection, conversation) is None:
        raise BadRequest("unknown-conversation", "There is no such conversation.", status=404)
    row = {
        "id": id_of(key),
        "conversation": conversation,
        "user_id": user_id,
        "text": text,
        "created_at": time.time(),
    }
    return insert_ignore(connection, notes, [row]) > 0
