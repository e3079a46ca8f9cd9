"""From the record streams to SQL: the one writer of messages, events and trackers (D6).

Rows leave Redis only after the database has committed them; storing one twice changes nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from typing import Any

import redis.asyncio
import sqlalchemy as sa
import structlog
from sqlalchemy.engine import Connection

from bot import redis_keys
from bot.conversation.changes import announce
from bot.database import Database, insert_ignore
from bot.errors import StoreUnavailable
from bot.files.rows import bind
from bot.lease import Leases
from bot.packing import unpack
from bot.redis_client import guarded
from bot.tables import conversations, dead_letters, events, messages, trackers
from bot.tasks import goes_on

LOG = structlog.get_logger(__name__)

BATCH = 256
IDLE_S = 0.02
"""Pause of an empty round; what the desk sees is at most this much older than Redis."""

SHOWN = ("message", "delivery")
"""Kinds of rows that an open desk shows."""
_LATER = {"sent": ("delivered", "read"), "delivered": ("read",)}
"""A receipt may overtake the note that the message was sent; it tells more."""
_TABLES = {"message": messages, "event": events, "dead": dead_letters}


class Recorder:
    """Moves rows from the shards held by `leases` into SQL."""

    def __init__(self, client: redis.asyncio.Redis, leases: Leases, database: Database) -> None:
        self._redis = client
        self._leases = leases
        self._database = database

    async def run(self) -> None:
        """Record until cancelled."""
        while goes_on():
            try:
                moved = await self.step()
            except StoreUnavailable as error:
                LOG.warning("recorder.delayed", reason=str(error))
                await asyncio.sleep(0.5)
                continue
            if not moved:
                await asyncio.sleep(IDLE_S)

    async def step(self) -> int:
        """Move what is there, all held shards in one database transaction; return the rows."""
        held = dict(self._leases.held)
        shards = sorted(held)
        if not shards:
            return 0
        pipeline = self._redis.pipeline(transaction=False)
        for shard in shards:
            pipeline.xrange(redis_keys.record(shard), count=BATCH)
        found = dict(zip(shards, await guarded(pipeline.execute()), strict=True))
        rows = [unpack(fields["body"]) for part in found.values() for _, fields in part]
        if not rows:
            return 0
        await self._database.run(lambda connection: self._store(connection, rows, held))
        pipeline = self._redis.pipeline(transaction=False)
        for shard, part in found.items():
            if part:
                pipeline.xdel(redis_keys.record(shard), *(row for row, _ in part))
        await guarded(pipeline.execute())
        touched = {row["body"]["conversation"]: row["kind"] for row in rows if row["kind"] in SHOWN}
        for conversation, kind in touched.items():
            await announce(self._redis, conversation, kind)
        return len(rows)

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
    bind(connection, by_kind["file"])
    for delivery in by_kind["delivery"]:
        connection.execute(
            sa.update(messages)
            .where(
                messages.c.id == delivery["id"],
                messages.c.delivery.not_in(_LATER.get(delivery["delivery"], ())),
            )
            .values(delivery=delivery["delivery"])
        )
    for tracker in {t["conversation"]: t for t in by_kind["tracker"]}.values():
        _store_tracker(connection, tracker, now)
    for message in {m["conversation"]: m for m in by_kind["message"]}.values():
        connection.execute(
            sa.update(conversations)
            .where(
                conversations.c.id == message["conversation"],
                conversations.c.last_message_at <= message["created_at"],
            )
            .values(last_message_at=message["created_at"])
        )


def _store_tracker(connection: Connection, tracker: dict[str, Any], now: float) -> None:
    """Keep the newest tracker, and the language its turn ended in (a single "ok" has none)."""
    name = tracker["conversation"]
    values = {"body": tracker["body"], "updated_at": now}
    changed = connection.execute(
        sa.update(trackers).where(trackers.c.conversation == name).values(**values)
    )
    if changed.rowcount == 0:
        insert_ignore(connection, trackers, [{"conversation": name, **values}])
    if tracker.get("language"):
        connection.execute(
            sa.update(conversations)
            .where(conversations.c.id == name)
            .values(language=tracker["language"])
        )
