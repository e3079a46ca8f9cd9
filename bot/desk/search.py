"""Find conversations by what was said or noted, by customer, or by their id; any script."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from bot.desk import folded_search, search_index
from bot.desk.folding import fold
from bot.desk.scope import EVERYTHING, Scope
from bot.desk.tables import notes
from bot.tables import conversations as conversation_table
from bot.tables import customers, messages

MOST = 300
"""Conversations a search returns."""
MOST_OCCURRENCES = 5000
"""Newest occurrences of a word that are looked at."""
MOST_WORDS = 6


def conversations(connection: Connection, query: str, scope: Scope = EVERYTHING) -> list[str]:
    """Return ids of conversations in which every word of the query occurs somewhere.

    The word found in the fewest conversations leads; the others only narrow its finds down, so a
    rare word is never missed because a common one was cut off at `MOST_OCCURRENCES`.
    """
    cleaned = query.replace("\x00", " ")
    words = list(dict.fromkeys(fold(cleaned).split()))[:MOST_WORDS]
    if not words:
        return []
    indexed = search_index.supported(connection)
    long = [word for word in words if len(word) >= search_index.LEAST_CHARS] if indexed else []
    if not long:
        folds = folded_search.available(connection)
        # Where the stored texts are not folded, the words must not be either.
        spelled = words if folds else cleaned.split()[:MOST_WORDS]
        found = [_scan(connection, word, folds) for word in spelled]
        rest = [set(matches) for matches in found[1:]]
        both = [one for one in found[0] if all(one in here for here in rest)]
        return scope.only(connection, both)[:MOST]
    finds = {word: search_index.matching(connection, word, MOST_OCCURRENCES) for word in long}
    lead = min(finds, key=lambda word: len(finds[word]))
    left = finds[lead]
    for word in words:
        if word != lead and left:
            left = search_index.narrowed(connection, left, word)
    # Before the cut: what a user may not see must not crowd out what they may.
    return scope.only(connection, left)[:MOST]


def _scan(connection: Connection, word: str, folds: bool) -> list[str]:
    pattern = "%" + word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
    c = conversation_table.c

    def like(column: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
        if folds:
            return sa.func.samvad_fold(column).like(pattern, escape="\\")
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
