"""Dead letters: messages that could not be handled or sent, listed for people and replayed.

A letter is a row in SQL with its error; replaying puts its body back where it came from, inbox or
outbox, and notes when. Events that another system refused (direction `event`) are read again by
their connector once they are marked as replayed.
"""

from __future__ import annotations

import json
import time
from typing import Any

import redis.asyncio
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from bot.errors import BadRequest
from bot.stores import redis_keys
from bot.stores.database import Database, insert_ignore
from bot.stores.redis_client import guarded
from bot.stores.tables import dead_letters

EVENT = "event"
"""Direction of an event that a connector could not deliver."""


def read_letters(
    connection: Connection, *conditions: sa.ColumnElement[bool], limit: int = 200
) -> list[dict[str, Any]]:
    """List letters, newest first, replayed ones last; with the columns of `dead_letters`."""
    c = dead_letters.c
    rows = connection.execute(
        sa.select(dead_letters)
        .where(*conditions)
        .order_by(c.replayed_at.is_not(None), c.created_at.desc())
        .limit(limit)
    ).mappings()
    return [dict(row) for row in rows]


def unreplayed_ids(connection: Connection) -> list[str]:
    """List ids of letters not replayed yet, oldest first: replies must keep their order."""
    c = dead_letters.c
    query = sa.select(c.id).where(c.replayed_at.is_(None)).order_by(c.created_at, c.id)
    return list(connection.execute(query).scalars())


def store(connection: Connection, letters: list[dict[str, Any]]) -> None:
    """Store letters, each once by its id; one that fails again can be replayed again."""
    insert_ignore(connection, dead_letters, letters)
    c = dead_letters.c
    for letter in letters:
        connection.execute(
            sa.update(dead_letters)
            .where(c.id == letter["id"], c.replayed_at < letter["created_at"])
            .values(replayed_at=None, error=letter["error"], created_at=letter["created_at"])
        )


async def replay(
    database: Database, client: redis.asyncio.Redis, shards: int, letter_id: str
) -> None:
    """Put a letter back into its inbox or outbox.

    The mark in SQL comes first and is a compare-and-set, so two people cannot send it twice; a
    crash right after it leaves the letter marked, and its row must be unmarked by hand.

    Raises:
        BadRequest: There is no such letter, or it was replayed before.
    """

    def mark(connection: Connection) -> dict[str, Any]:
        row = (
            connection.execute(sa.select(dead_letters).where(dead_letters.c.id == letter_id))
            .mappings()
            .first()
        )
        if row is None:
            raise BadRequest("unknown-letter", "there is no such dead letter", status=404)
        updated = connection.execute(
            sa.update(dead_letters)
            .where(dead_letters.c.id == letter_id, dead_letters.c.replayed_at.is_(None))
            .values(replayed_at=time.time())
        )
        if updated.rowcount != 1:
            raise BadRequest("replayed", "this letter was replayed before", status=409)
        return dict(row)

    letter = await database.run(mark)
    if letter["direction"] == EVENT:
        return
    shard = redis_keys.shard_of(letter["conversation"], shards)
    key = redis_keys.inbox(shard) if letter["direction"] == "in" else redis_keys.outbox(shard)
    # It is new again: its old time would be over what was said since, over allowances and limits.
    body, now = letter["body"], time.time()
    if letter["direction"] == "in":
        # A new name, or the record of the failed try would count as this message's.
        body = {**body, "id": f"{body['id']}r", "received_at": now}
    else:
        body = {**body, "created_at": now}
    await guarded(client.xadd(key, {"body": json.dumps(body, ensure_ascii=False)}))
