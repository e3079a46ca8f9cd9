"""From the record streams to SQL: the one writer of messages, events and trackers.

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
from bot.stores.redis_batches import Command, lane_of
from bot.stores.redis_client import guarded, is_clustered, order_of
from bot.stores.set_aside import SetAside
from bot.stores.tables import conversations, events, messages, trackers
from bot.streams import dead_letters
from bot.streams.attachments import bind
from bot.streams.delivery import rows_in
from bot.streams.lease import Leases

BATCH = 256
PAUSE_S = 0.02
"""Between two rounds, so that rows gather: a transaction costs as much for one as for fifty. What
the desk sees is at most this much older than Redis."""

WAIT_MS = 200
"""Longest wait for a row before the shards we hold are looked at again."""

SHOWN = ("message", "delivery")
"""Kinds of rows that an open desk shows."""
SHOWN_EVENTS = ("contact.lost", "contact.regained")
"""Events that come without such a row."""
_LATER = {"sent": ("delivered", "read"), "delivered": ("read",)}
"""A receipt may overtake the note that the message was sent; it tells more."""
_TABLES = {"message": messages, "event": events}
_SYSTEMIC = (StoreUnavailable, sa.exc.ProgrammingError, sa.exc.OperationalError)
"""No fault of a row: the database is away, or its schema is another one."""
Found = tuple[int, str, str]
"""Shard, id in its stream, body."""


class Recorder:
    """Moves rows from the shards held by `leases` into SQL."""

    def __init__(self, client: redis.asyncio.Redis, leases: Leases, database: Database) -> None:
        self._redis = client
        self._leases = leases
        self._database = database
        self.aside = SetAside("recorder")
        """Rows SQL will not have, by `_name`. They stay in Redis, out of the way of all others."""

    async def turn(self) -> float:
        """Move what is there, or wait for a row; return the seconds to rest."""
        moved = await self.step()
        if not moved:
            return await self._wait()
        return PAUSE_S if moved < BATCH else 0.0

    async def _wait(self) -> float:
        """Wait for a row, or a while: a shard may have come to us meanwhile."""
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
        """Move what is there, all held shards in one database transaction; return the rows."""
        held = dict(self._leases.held)
        shards = sorted(held)
        if not shards:
            return 0
        lane = lane_of(self._redis)
        aside = Counter(shard for shard, _ in map(_parts, self.aside.ids()))
        looks = [
            ("XRANGE", redis_keys.record(s), "-", "+", "COUNT", BATCH + aside[s]) for s in shards
        ]
        found = [
            (shard, row, fields.get("body", ""))
            for shard, part in zip(shards, await guarded(lane.run(*looks)), strict=True)
            for row, fields in part
            if _name(shard, row) not in self.aside
        ]
        if not found:
            return 0
        try:
            rows = await self._move(found, held)
        except _SYSTEMIC:
            raise
        except Exception:
            rows = await self._move_singly(found, held)
        stored: dict[int, list[str]] = defaultdict(list)
        for shard, row, _ in found:
            if _name(shard, row) not in self.aside:
                stored[shard].append(row)
                self.aside.done(_name(shard, row))
        done: list[Command] = [
            ("XDEL", redis_keys.record(shard), *ids) for shard, ids in stored.items()
        ]
        if done:
            await guarded(lane.run(*done))
        touched = {
            row["body"]["conversation"]
            for row in rows
            if row["kind"] in SHOWN or row["body"].get("type") in SHOWN_EVENTS
        }
        if touched:
            news = pack(sorted(touched))
            await guarded(lane.run(("PUBLISH", redis_keys.NEWS_CHANNEL, news)))
        return len(rows)

    async def _move(self, found: Sequence[Found], held: dict[int, str]) -> list[dict[str, Any]]:
        """Store what was found in one transaction; return the rows."""
        rows = [row for _, _, body in found for row in rows_in(body)]
        await self._database.run(lambda connection: self._store(connection, rows, held))
        return rows

    async def _move_singly(
        self, found: Sequence[Found], held: dict[int, str]
    ) -> list[dict[str, Any]]:
        """Store one by one, since one of them is refused: it must not hold up all others."""
        rows = []
        for shard, row, body in found:
            try:
                rows += await self._move([(shard, row, body)], held)
            except _SYSTEMIC:
                raise
            except Exception as error:
                self.aside.put(_name(shard, row), error)
        return rows

    def _store(
        self, connection: Connection, rows: list[dict[str, Any]], held: dict[int, str]
    ) -> None:
        """Store rows unless their shards may have moved on: a tracker or a delivery state that was
        read before a long stop must not overwrite what a successor has stored since.

        Asked last, when this transaction holds what it has written: a stop after that holds the
        successor up, too.
        """
        store_rows(connection, rows)
        if not all(self._leases.sure(shard, text) for shard, text in held.items()):
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
    bind(connection, by_kind["file"])
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
    """Keep the newest trackers, and the languages their turns ended in (a single "ok" has none)."""
    newest = {row["conversation"]: row for row in rows}
    bodies = [
        {"conversation": name, "body": row["body"], "updated_at": now}
        for name, row in newest.items()
    ]
    insert_or_update(connection, trackers, bodies)
    spoken = [
        {"name": name, "to": row["language"]} for name, row in newest.items() if row.get("language")
    ]
    if spoken:
        connection.execute(_LANGUAGE, spoken)
