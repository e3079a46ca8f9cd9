"""Find conversations by what was said or noted, by customer, or by their id; any script."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from bot.database import conversations as conversation_table
from bot.database import customers, messages
from bot.desk import search_index
from bot.desk.folding import fold
from bot.desk.tables import notes

MOST = 300
"""Conversations a search returns."""
MOST_OCCURRENCES = 5000
"""Newest occurrences of a word that are looked at."""
MOST_WORDS = 6


def conversations(connection: Connection, query: str) -> list[str]:
    """Return ids of conversations in which every word of the query occurs somewhere."""
    found: list[str] | None = None
    for word in fold(query.replace("\x00", " ")).split()[:MOST_WORDS]:
        matches = _with_word(connection, word)
        here = set(matches)
        found = matches if found is None else [one for one in found if one in here]
    return (found or [])[:MOST]


def _with_word(connection: Connection, word: str) -> list[str]:
    if search_index.supported(connection) and len(word) >= search_index.LEAST_CHARS:
        return search_index.matching(connection, word, MOST_OCCURRENCES)
    return _scan(connection, word)


def _scan(connection: Connection, word: str) -> list[str]:
    pattern = "%" + word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
    c = conversation_table.c

    def like(column: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
        return column.ilike(pattern, escape="\\")

    in_messages = sa.select(messages.c.conversation).where(like(messages.c.text))
    in_notes = sa.select(notes.c.conversation).where(like(notes.c.text))
    in_customers = (
        sa.select(c.id)
        .join(customers, customers.c.id == c.customer_id)
        .where(sa.or_(like(customers.c.name), like(c.id)))
    )
    return list(
        connection.execute(
            sa.select(c.id)
            .where(sa.or_(c.id.in_(in_messages), c.id.in_(in_notes), c.id.in_(in_customers)))
            .order_by(c.last_message_at.desc())
            .limit(MOST * 4)
        ).scalars()
    )
