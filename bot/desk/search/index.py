"""Trigram index over messages, notes and customers' names on SQLite; docs/desk.md#search.

Trigrams need no word boundaries, which Thai has not. The index is a copy: it is filled from the
tables by row number and can be dropped at any time. Deleting or changing a text takes it out at
once, by triggers, so what was erased cannot be found.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from bot.desk.people.scope import Scope
from bot.desk.tables import notes
from bot.errors import StoreUnavailable
from bot.language.normalise import VERSION, fold
from bot.stores.database import Database
from bot.stores.set_aside import SetAside
from bot.stores.tables import conversations, messages

BATCH = 1000
"""Rows of a source taken in one transaction: some 50 ms of the writers' time."""
SMALLER = 10
"""Into as many parts a batch is divided that has an odd row in it."""
EVERY_S = 2.0
MORE_S = 0.05
"""Pause while there is more: a chance for writers in between."""
LEAST_CHARS = 3
"""Shorter words cannot be looked up by trigrams."""

_SOURCES = {
    "message": "SELECT m.rowid, m.id, m.conversation, m.text FROM messages m",
    "note": "SELECT m.rowid, m.id, m.conversation, m.text FROM desk_notes m",
    "name": "SELECT m.rowid, m.id, m.id, c.name || ' ' || m.id FROM conversations m"
    " JOIN customers c ON c.id = m.customer_id",
}
_OCCURRENCES = (
    "SELECT r.conversation FROM desk_search s JOIN desk_search_rows r ON r.id = s.rowid"
    " WHERE s.text"
)
_TABLES = {"message": "messages", "note": "desk_notes", "name": "conversations"}

_SPELLING = "spelling"
"""Mark that says which version of the normaliser has folded the texts."""
_FORGET = (
    "DELETE FROM desk_search WHERE rowid IN"
    " (SELECT id FROM desk_search_rows WHERE source = '{source}' AND {which});"
    " DELETE FROM desk_search_rows WHERE source = '{source}' AND {which};"
)
_OF_CUSTOMER = "key IN (SELECT id FROM conversations WHERE customer_id = old.id)"
_OCCURRENCE = sa.table(
    "desk_search_rows", *(sa.column(name) for name in ("id", "source", "key", "conversation"))
)
_TEXT = sa.table("desk_search", sa.column("rowid"), sa.column("text"))
_OUTDATED = "desk_search_k_upd"
"""Trigger of an earlier version: it forgot a renamed customer and left the mark where it was."""
_SCHEMA = [
    "CREATE VIRTUAL TABLE IF NOT EXISTS desk_search USING fts5(text, tokenize='trigram')",
    "CREATE TABLE IF NOT EXISTS desk_search_rows (id INTEGER PRIMARY KEY, source TEXT NOT NULL,"
    " key TEXT NOT NULL, conversation TEXT NOT NULL, UNIQUE (source, key))",
    "CREATE INDEX IF NOT EXISTS ix_desk_search_rows ON desk_search_rows (conversation)",
    "CREATE TABLE IF NOT EXISTS desk_search_marks (source TEXT PRIMARY KEY, done INTEGER NOT NULL)",
    *(
        f"CREATE TRIGGER IF NOT EXISTS desk_search_{name} AFTER {event} BEGIN"
        f" {_FORGET.format(source=source, which=which)} END"
        for name, event, source, which in (
            ("m_del", "DELETE ON messages", "message", "key = old.id"),
            ("m_upd", "UPDATE OF text ON messages", "message", "key = old.id"),
            ("n_del", "DELETE ON desk_notes", "note", "key = old.id"),
            ("n_upd", "UPDATE OF text ON desk_notes", "note", "key = old.id"),
            ("c_del", "DELETE ON conversations", "name", "key = old.id"),
        )
    ),
    # A name often comes after the conversation. Folding is not SQL, so the trigger cannot index
    # the new one; it moves the mark back instead, and what is still there is skipped on the way.
    "CREATE TRIGGER IF NOT EXISTS desk_search_k_name AFTER UPDATE OF name ON customers"  # noqa: S608
    " WHEN old.name IS NOT new.name BEGIN"
    f" {_FORGET.format(source='name', which=_OF_CUSTOMER)}"
    " UPDATE desk_search_marks SET done = min(done, coalesce((SELECT min(rowid) - 1"
    " FROM conversations WHERE customer_id = old.id), done)) WHERE source = 'name'; END",
    "CREATE TRIGGER IF NOT EXISTS desk_search_c_merge AFTER UPDATE OF customer_id ON conversations"  # noqa: S608
    " WHEN old.customer_id IS NOT new.customer_id BEGIN"
    f" {_FORGET.format(source='name', which='key = old.id')}"
    " UPDATE desk_search_marks SET done = min(done, old.rowid - 1) WHERE source = 'name'; END",
]


def supported(connection: Connection) -> bool:
    return connection.dialect.name == "sqlite"


def prepare(connection: Connection) -> None:
    """Create the index and its triggers where there are none."""
    if supported(connection):
        for statement in _SCHEMA:
            connection.exec_driver_sql(statement)
        _replace_outdated(connection)
        _drop_other_spelling(connection)


def behind(connection: Connection) -> bool:
    """Tell whether a source has rows the index has not seen."""
    return supported(connection) and any(
        _mark(connection, source) != _newest(connection, source) for source in _SOURCES
    )


def catch_up(connection: Connection) -> int:
    """Take the next rows of each source; return how many."""
    return sum(_take(connection, source, BATCH) for source in _SOURCES)


class Indexer:
    """Updater of the index; one per process, several do no harm."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.aside = SetAside("search")

    async def step(self) -> float:
        """Take the next rows, if there are any; return the seconds to rest."""
        return MORE_S if await self.refresh() >= BATCH else EVERY_S

    async def refresh(self) -> int:
        """Take the next rows, if there are any; return how many."""
        if not await self._database.read(behind):
            return 0
        try:
            return await self._database.run(catch_up)
        except StoreUnavailable:
            raise
        except Exception:
            return sum([await self._around(source) for source in _SOURCES])

    async def _around(self, source: str) -> int:
        """Take the next rows of a source of which one is odd: fewer at a time until it is alone.

        That one is left out of the index, since nothing says that it will ever be another.
        """
        most = BATCH
        while True:
            try:
                return await self._database.run(partial(_take, source=source, most=most))
            except StoreUnavailable:
                raise
            except Exception as error:
                if most == 1:
                    row = await self._database.run(partial(_skip, source=source))
                    self.aside.put(f"{source}/{row}", error)
                    return BATCH  # there may be more behind it
                most = max(1, most // SMALLER)


async def refresh(database: Database) -> int:
    """Take the next rows, if there are any; return how many."""
    return await Indexer(database).refresh()


@dataclass(frozen=True)
class Finds:
    """Conversations in which a word occurs."""

    conversations: list[str]
    """Ids, latest occurrence first."""
    cut: bool
    """There may be more."""


def matching(connection: Connection, word: str, most: int) -> Finds:
    """Return conversations in which a folded word of three or more characters occurs.

    Args:
        most: Newest occurrences looked at.
    """
    ids = connection.exec_driver_sql(
        f"{_OCCURRENCES} MATCH ? ORDER BY s.rowid DESC LIMIT ?", (_phrase(word), most)
    ).all()
    return Finds(list(dict.fromkeys(row[0] for row in ids)), len(ids) >= most)


def matching_all(
    connection: Connection, words: Sequence[str], condition: sa.ColumnElement[bool], most: int
) -> list[str]:
    """Return conversations in which all folded words occur, the latest active first.

    Slower than `matching` where words are common, since it looks at all their occurrences.

    Args:
        words: At least one of three or more characters.
        condition: Over the table of conversations: which of them count.
    """
    c = conversations.c
    query = (
        sa.select(c.id)
        .where(*(_occurs(word) for word in words), condition)
        .order_by(c.last_message_at.desc())
        .limit(most)
    )
    return list(connection.execute(query).scalars())


def readably(words: Sequence[str], seen: Scope) -> sa.ColumnElement[bool]:
    """Condition over the table of conversations: each folded word occurs in what may be read.

    The index knows where a word occurs and not when that was said, so where a user may not read
    everything, the occurrences' own rows are asked.
    """
    if seen.teams is None:
        return sa.true()
    c = conversations.c
    return sa.or_(
        sa.not_(seen.veiled(c.id)), sa.and_(*(_occurs_readably(word, seen) for word in words))
    )


def narrowed(connection: Connection, ids: list[str], word: str) -> list[str]:
    """Keep the conversations, in their order, in which a folded word of any length occurs too."""
    query = sa.text(
        "SELECT DISTINCT r.conversation FROM desk_search_rows r JOIN desk_search s"
        " ON s.rowid = r.id WHERE r.conversation IN :found AND instr(s.text, :word) > 0"
    ).bindparams(sa.bindparam("found", expanding=True))
    kept = set(connection.execute(query, {"found": ids, "word": word}).scalars())
    return [id_ for id_ in ids if id_ in kept]


def _replace_outdated(connection: Connection) -> None:
    query = sa.text("SELECT 1 FROM sqlite_master WHERE type = 'trigger' AND name = :name")
    if connection.execute(query, {"name": _OUTDATED}).first() is None:
        return
    connection.exec_driver_sql(f"DROP TRIGGER {_OUTDATED}")
    # Look through all names once more, for those it has lost.
    connection.exec_driver_sql("DELETE FROM desk_search_marks WHERE source = 'name'")


def _drop_other_spelling(connection: Connection) -> None:
    """Empty an index whose texts were folded by another version; it is filled anew in time."""
    if _mark(connection, _SPELLING) == VERSION:
        return
    for table in ("desk_search", "desk_search_rows", "desk_search_marks"):
        connection.exec_driver_sql(f"DELETE FROM {table}")  # noqa: S608
    _set_mark(connection, _SPELLING, VERSION)


def _occurs(word: str) -> sa.ColumnElement[bool] | sa.TextClause:
    """Condition over the table of conversations."""
    if len(word) >= LEAST_CHARS:
        match = sa.text(f"{_OCCURRENCES} MATCH :word").bindparams(
            sa.bindparam("word", _phrase(word), unique=True)
        )
        return conversations.c.id.in_(match.columns(sa.column("conversation")))
    return sa.text(
        "EXISTS (SELECT 1 FROM desk_search_rows r JOIN desk_search s ON s.rowid = r.id"
        " WHERE r.conversation = conversations.id AND instr(s.text, :word) > 0)"
    ).bindparams(sa.bindparam("word", word, unique=True))


def _occurs_readably(word: str, seen: Scope) -> sa.ColumnElement[bool]:
    r, s, m, n = _OCCURRENCE.c, _TEXT.c, messages.c, notes.c
    said = sa.exists().where(m.id == r.key, seen.reads(m.conversation, m.created_at, m.episode_id))
    noted = sa.exists().where(n.id == r.key, seen.reads(n.conversation, n.created_at))
    readable = sa.case((r.source == "message", said), (r.source == "note", noted), else_=sa.true())
    return (
        sa.exists()
        .where(
            r.conversation == conversations.c.id,
            s.rowid == r.id,
            sa.func.instr(s.text, word) > 0,
            readable,
        )
        .correlate(conversations)
    )


def _phrase(word: str) -> str:
    return '"' + word.replace('"', '""') + '"'


def _take(connection: Connection, source: str, most: int) -> int:
    done, newest = _mark(connection, source), _newest(connection, source)
    if newest < done:
        # VACUUM renumbers rows: what we have is right, where we are is not.
        done = 0
    rows = connection.exec_driver_sql(
        f"{_SOURCES[source]} WHERE m.rowid > ? ORDER BY m.rowid LIMIT ?",
        (done, most),
    ).all()
    keys = json.dumps([key for _, key, _, _ in rows])
    stored = connection.exec_driver_sql(
        "SELECT key FROM desk_search_rows WHERE source = ?"
        " AND key IN (SELECT value FROM json_each(?))",
        (source, keys),
    )
    stored_keys = set(stored.scalars())
    last = connection.exec_driver_sql("SELECT max(id) FROM desk_search_rows").scalar() or 0
    fresh = [row[1:] for row in rows if row[1] not in stored_keys]
    if fresh:
        # Numbered here, so that a batch is two statements instead of two for each row.
        connection.exec_driver_sql(
            "INSERT INTO desk_search_rows (id, source, key, conversation) VALUES (?, ?, ?, ?)",
            [
                (last + i, source, key, conversation)
                for i, (key, conversation, _) in enumerate(fresh, 1)
            ],
        )
        connection.exec_driver_sql(
            "INSERT INTO desk_search (rowid, text) VALUES (?, ?)",
            [(last + i, fold(text)) for i, (_, _, text) in enumerate(fresh, 1)],
        )
    # Short of a full batch, everything up to `newest` is done, also rows that were deleted.
    mark = rows[-1][0] if len(rows) == most else max(newest, rows[-1][0] if rows else 0)
    _set_mark(connection, source, mark)
    return len(rows)


def _skip(connection: Connection, source: str) -> int:
    """Leave the next row out; return its number."""
    query = f"SELECT min(rowid) FROM {_TABLES[source]} WHERE rowid > ?"  # noqa: S608
    row = connection.exec_driver_sql(query, (_mark(connection, source),)).scalar()
    if row is not None:
        _set_mark(connection, source, int(row))
    return int(row or 0)


def _set_mark(connection: Connection, source: str, mark: int) -> None:
    connection.exec_driver_sql(
        "INSERT INTO desk_search_marks (source, done) VALUES (?, ?)"
        " ON CONFLICT (source) DO UPDATE SET done = excluded.done",
        (source, mark),
    )


def _mark(connection: Connection, source: str) -> int:
    mark = connection.execute(
        sa.text("SELECT done FROM desk_search_marks WHERE source = :source"), {"source": source}
    ).scalar()
    return int(mark or 0)


def _newest(connection: Connection, source: str) -> int:
    table = _TABLES[source]
    newest = connection.exec_driver_sql(f"SELECT max(rowid) FROM {table}").scalar()  # noqa: S608
    return int(newest or 0)
