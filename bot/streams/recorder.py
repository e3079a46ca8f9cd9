"""The recorder: moves rows from the record streams to SQL, its only writer of messages.

Rows leave Redis only after the database has committed them; storing one twice changes nothing.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import cache
from itertools import groupby
from operator import itemgetter
from typing import Any

import redis.asyncio
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from bot.errors import StoreUnavailable
from bot.stores import redis_keys
from bot.stores.database import Database, insert_ignore, insert_or_update
from bot.stores.packing import pack
from bot.stores.redis_batches import Command, batches_of
from bot.stores.redis_client import guarded, is_clustered, order_of
from bot.stores.set_aside import SetAside
from bot.stores.tables import conversations, events, messages, trackers
from bot.streams import dead_letters
from bot.streams.attachments import store_files
from bot.streams.delivery import rows_in
from bot.streams.lease import Leases

BATCH = 256
PAUSE_S = 0.02
"""Pause between two steps, so that rows gather: a transaction costs as much for one as for fifty.
The desk is at most this much behind Redis."""

WAIT_MS = 200
"""Longest wait for a row before the held shards are read again."""

SHOWN = ("message", "delivery")
"""Kinds of rows that an open desk shows."""
SHOWN_EVENTS = ("contact.lost", "contact.regained")
"""Events that come without such a row."""
_LATER = {"sent": ("delivered", "read"), "delivered": ("read",)}
"""Delivery states that are later than one: a receipt may overtake the note that it was sent."""
_TABLES = {"message": messages, "event": events}
_SYSTEMIC = (StoreUnavailable, sa.exc.ProgrammingError, sa.exc.OperationalError)
"""Errors that are no row's fault: the database is down, or its schema is another one."""
StreamRow = tuple[int, str, str]
"""Shard, id in its stream, body."""


class Recorder:
    """Recorder of the shards held by `leases`."""

    def __init__(self, client: redis.asyncio.Redis, leases: Leases, database: Database) -> None:
        self._redis = client
        self._leases = leases
        self._database = database
        self.aside = SetAside("recorder")
        """Rows SQL refuses, by `_name`. They stay in Redis and are skipped."""

    async def turn(self) -> float:
        """Move the rows there are, or wait for one; return the seconds to rest."""
        moved = await self.step()
        if not moved:
            return await self._wait()
        return PAUSE_S if moved < BATCH else 0.0

    async def _wait(self) -> float:
        """Wait for a row, or for `WAIT_MS`: a shard may have been granted meanwhile."""
        last = {shard: "0-0" for shard in self._leases.held}
        for shard, row in map(_parts, self.aside.ids()):
            if shard in last:
                last[shard] = max(last[shard], row, key=order_of)
        streams: Any = {redis_keys.record(shard): row for shard, row in last.items()}
        if not streams or is_clustered(self._redis):
            # A cluster reads no streams of two shards in one command.
            return PAUSE_S
        await guarded(self._redis.xread(streams, count=1, block=WAIT_MS))
        return 0.0

    async def step(self) -> int:
        """Move the rows of all held shards in one database transaction; return their number."""
        leases_held = dict(self._leases.held)
        shards = sorted(leases_held)
        if not shards:
            return 0
        batches = batches_of(self._redis)
        aside = Counter(shard for shard, _ in map(_parts, self.aside.ids()))
        reads = [
            ("XRANGE", redis_keys.record(s), "-", "+", "COUNT", BATCH + aside[s]) for s in shards
        ]
        read_rows = [
            (shard, row, fields.get("body", ""))
            for shard, part in zip(shards, await guarded(batches.run(*reads)), strict=True)
            for row, fields in part
            if _name(shard, row) not in self.aside
        ]
        if not read_rows:
            return 0
        try:
            rows = await self._move(read_rows, leases_held)
        except _SYSTEMIC:
            raise
        except Exception:
            rows = await self._move_singly(read_rows, leases_held)
        stored: dict[int, list[str]] = defaultdict(list)
        for shard, row, _ in read_rows:
            if _name(shard, row) not in self.aside:
                stored[shard].append(row)
                self.aside.done(_name(shard, row))
        deletions: list[Command] = [
            ("XDEL", redis_keys.record(shard), *ids) for shard, ids in stored.items()
        ]
        if deletions:
            await guarded(batches.run(*deletions))
        touched = {
            row["body"]["conversation"]
            for row in rows
            if row["kind"] in SHOWN or row["body"].get("type") in SHOWN_EVENTS
        }
        if touched:
            news = pack(sorted(touched))
            await guarded(batches.run(("PUBLISH", redis_keys.NEWS_CHANNEL, news)))
        return len(rows)

    async def _move(
        self, read_rows: Sequence[StreamRow], leases_held: dict[int, str]
    ) -> list[dict[str, Any]]:
        """Store rows in one transaction; return them."""
        rows = [row for _, _, body in read_rows for row in rows_in(body)]
        await self._database.run(lambda connection: self._store(connection, rows, leases_held))
        return rows

    async def _move_singly(
        self, read_rows: Sequence[StreamRow], leases_held: dict[int, str]
    ) -> list[dict[str, Any]]:
        """Store rows one by one, since one of them is refused and must not hold up the others."""
        rows = []
        for shard, row, body in read_rows:
            try:
                rows += await self._move([(shard, row, body)], leases_held)
            except _SYSTEMIC:
                raise
            except Exception as error:
                self.aside.put(_name(shard, row), error)
        return rows

    def _store(
        self, connection: Connection, rows: list[dict[str, Any]], leases_held: dict[int, str]
    ) -> None:
        """Store rows unless another recorder may hold their shards by now.

        A tracker or a delivery state that was read before a long stop must not overwrite what a
        successor has stored since. The check comes last, when this transaction has locked what it
        has written: a stop after that makes the successor wait, too.
        """
        store_rows(connection, rows)
        if not all(self._leases.surely_holds(shard, text) for shard, text in leases_held.items()):
            raise StoreUnavailable("lease", "the shards may have passed to another recorder")


def _name(shard: int, row: str) -> str:
    return f"{shard}/{row}"


def _parts(name: str) -> tuple[int, str]:
    shard, _, row = name.partition("/")
    return int(shard), row


def store_rows(connection: Connection, rows: list[dict[str, Any]]) -> None:
    """Write rows of the record streams; each kind once by its id."""
    now = time.time()
    by_kind: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        by_kind[row["kind"]].append(row["body"])
    for event in by_kind["event"]:
        event["stored_at"] = now
    for kind, table in _TABLES.items():
        insert_ignore(connection, table, by_kind[kind])
    dead_letters.store(connection, by_kind["dead"])
    store_files(connection, by_kind["file"])
    for state, notes in groupby(by_kind["delivery"], key=itemgetter("delivery")):
        ids = [{"message": note["id"]} for note in notes]
        connection.execute(_delivered(state), ids)
    _store_trackers(connection, by_kind["tracker"], now)
    latest = {m["conversation"]: m["created_at"] for m in by_kind["message"]}
    if latest:
        at = [{"name": name, "at": created_at} for name, created_at in latest.items()]
        connection.execute(_LAST_MESSAGE, at)


@cache
def _delivered(state: str) -> sa.Update:
    return (
        sa.update(messages)
        .where(
            messages.c.id == sa.bindparam("message"),
            *(messages.c.delivery != later for later in _LATER.get(state, ())),
        )
        .values(delivery=state)
    )


_LAST_MESSAGE = (
    sa.update(conversations)
    .where(
        conversations.c.id == sa.bindparam("name"),
        conversations.c.last_message_at <= sa.bindparam("at"),
    )
    .values(last_message_at=sa.bindparam("at"))
)
_LANGUAGE = (
    sa.update(conversations)
    .where(conversations.c.id == sa.bindparam("name"))
    .values(language=sa.bindparam("to"))
)


def _store_trackers(connection: Connection, rows: list[dict[str, Any]], now: float) -> None:
    """Store the newest trackers, and the languages their turns ended in (an "ok" has none)."""
    newest = {row["conversation"]: row for row in rows}
    bodies = [
        {"conversation": name, "body": row["body"], "updated_at": now}
        for name, row in newest.items()
    ]
    insert_or_update(connection, trackers, bodies)
    languages = [
        {"name": name, "to": row["language"]} for name, row in newest.items() if row.get("language")
    ]
    if languages:
        connection.execute(_LANGUAGE, languages)
