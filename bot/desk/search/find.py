"""Search for conversations by text, note, customer or id, in any script."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from bot.desk.people.scope import EVERYTHING, Scope
from bot.desk.search import folded_search, index
from bot.desk.tables import notes
from bot.language.normalise import fold
from bot.stores.tables import conversations as conversation_table
from bot.stores.tables import customers, messages

MOST = 300
"""Conversations a search returns."""
MOST_OCCURRENCES = 5000
"""Newest occurrences of a word that are looked at first."""
MOST_WORDS = 6


def conversations(connection: Connection, query: str, scope: Scope = EVERYTHING) -> list[str]:
    """Return ids of conversations in which every word of the query occurs where the user reads.

    On SQLite the word found in the fewest conversations leads; the others only narrow its finds
    down, so a rare word is never missed because a common one was cut off at `MOST_OCCURRENCES`.
    """
    cleaned = query.replace("\x00", " ")
    words = list(dict.fromkeys(fold(cleaned).split()))[:MOST_WORDS]
    if not words:
        return []
    indexed = index.supported(connection)
    long = [word for word in words if len(word) >= index.LEAST_CHARS] if indexed else []
    if not long:
        folds = folded_search.available(connection)
        # Where the stored texts are not folded, the words must not be either.
        spelled = words if folds else cleaned.split()[:MOST_WORDS]
        return _scan(connection, spelled, folds, scope)
    finds = {word: index.matching(connection, word, MOST_OCCURRENCES) for word in long}
    lead = min(finds, key=lambda word: (finds[word].cut, len(finds[word].conversations)))
    left = finds[lead].conversations
    for word in words:
        if word != lead and left:
            left = index.narrowed(connection, left, word)
    # Before the cut: what a user may not see must not crowd out what they may.
    readable = index.readably(words, scope)
    seen = scope.only(connection, left, readable)
    if finds[lead].cut and len(seen) < MOST:
        # All words are common, and too few of the newest finds are wanted: look at the older, too.
        wanted = sa.and_(scope.condition(), readable)
        seen = index.matching_all(connection, words, wanted, MOST)
    return seen[:MOST]


def _scan(connection: Connection, words: list[str], folds: bool, scope: Scope) -> list[str]:
    """Read what was said, noted and named; newest conversations first.

    One query for all words, and the scope in it: whatever is cut off before would be missed.
    """
    c = conversation_table.c
    return list(
        connection.execute(
            sa.select(c.id)
            .where(*(c.id.in_(_with(word, folds, scope)) for word in words), scope.condition())
            .order_by(c.last_message_at.desc())
            .limit(MOST)
        ).scalars()
    )


def _with(word: str, folds: bool, scope: Scope) -> sa.CompoundSelect[tuple[str]]:
    """Conversations a word occurs in, some several times.

    Each part of the `UNION ALL` has an index of its own; with an `OR` over tables PostgreSQL would
    fold all names for every word.
    """
    pattern = "%" + word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"

    def like(column: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
        if folds:
            return sa.func.samvad_fold(column).like(pattern, escape="\\")
        return column.ilike(pattern, escape="\\")

    m, n = messages.c, notes.c
    named, called = conversation_table.alias("named"), conversation_table.alias("called")
    return sa.union_all(
        sa.select(m.conversation).where(
            like(m.text), scope.reads(m.conversation, m.created_at, m.episode_id)
        ),
        sa.select(n.conversation).where(like(n.text), scope.reads(n.conversation, n.created_at)),
        sa.select(named.c.id)
        .join(customers, customers.c.id == named.c.customer_id)
        .where(like(customers.c.name)),
        # Nothing to fold in an id, and no index to fold it for.
        sa.select(called.c.id).where(called.c.id.ilike(pattern, escape="\\")),
    )
