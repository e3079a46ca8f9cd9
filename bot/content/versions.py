"""Content versions in SQL, and the pointer to the live one.

A version is an immutable numbered row; writing one and moving the pointer is one transaction. Redis
has a copy of the pointer, which every process that answers or shows content follows. Editors use
`bot.content.publishing`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import redis.asyncio
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from bot.content.models import Content
from bot.errors import VersionConflict
from bot.events import ContentPublished, Event, Subject
from bot.stores import redis_keys
from bot.stores.database import lock_for_transaction
from bot.stores.event_log import write_events
from bot.stores.redis_client import guarded
from bot.stores.tables import content_pointer, content_versions

LOCK = 5_366_321_003
"""Number of the lock for publishing, so that the second of two finds the first one's version."""

# KEYS: the pointer's copy. ARGV: number. Of two publishers the first may be the last to write it;
# numbers only grow, also at a rollback.
_MOVE_FORWARD = """
if tonumber(redis.call('GET', KEYS[1]) or '0') < tonumber(ARGV[1]) then
  redis.call('SET', KEYS[1], ARGV[1])
end
"""

# KEYS: the pointer's copy. ARGV: number, the value to replace.
_CORRECT = """
if (redis.call('GET', KEYS[1]) or '') == ARGV[2] then redis.call('SET', KEYS[1], ARGV[1]) end
return redis.call('GET', KEYS[1])
"""


@dataclass(frozen=True)
class Version:
    """A published version, without its entries."""

    number: int
    based_on: int | None
    """Version that was live before it."""
    author: str
    note: str
    created_at: float
    """Unix seconds."""
    digest: str
    """Digest of its content, whatever its number."""
    live: bool


def live_number(connection: Connection) -> int:
    """Return the number of the live version; 0 before anything was published."""
    return (
        connection.execute(
            sa.select(content_pointer.c.number).where(content_pointer.c.id == 1)
        ).scalar_one_or_none()
        or 0
    )


def read(connection: Connection, number: int) -> Content | None:
    """Read a version; None when there is none of this number."""
    body = connection.execute(
        sa.select(content_versions.c.body).where(content_versions.c.number == number)
    ).scalar_one_or_none()
    return None if body is None else Content.from_json(body, number)


def topics(connection: Connection, number: int) -> tuple[str, ...]:
    """List the topics of a version's entries, sorted; none when there is no such version."""
    content = read(connection, number)
    return tuple(sorted({entry.topic for entry in content.entries})) if content else ()


def list_versions(connection: Connection) -> list[Version]:
    """List all versions, newest first."""
    c, live = content_versions.c, live_number(connection)
    rows = connection.execute(
        sa.select(c.number, c.based_on, c.author, c.note, c.created_at, c.digest).order_by(
            c.number.desc()
        )
    ).mappings()
    return [Version(**row, live=row["number"] == live) for row in rows]


def write(
    connection: Connection,
    content: Content,
    *,
    based_on: int | None,
    force: bool = False,
    author: str = "",
    note: str = "",
) -> Content:
    """Store `content` as the live version, in the transaction of `connection`.

    Args:
        based_on: Version the files were made from; None when that is unknown.

    Returns:
        The content with its number; the live one unchanged when nothing differs.

    Raises:
        VersionConflict: Another version went live meanwhile, and `force` is not set.
    """
    lock_for_transaction(connection, LOCK)
    live = live_number(connection)
    if live:
        digest = connection.execute(
            sa.select(content_versions.c.digest).where(content_versions.c.number == live)
        ).scalar_one()
        if digest == content.digest:
            return Content(content.entries, live)
        if based_on != live and not force:
            raise VersionConflict(based_on, live)
    newest = connection.execute(sa.select(sa.func.max(content_versions.c.number))).scalar() or 0
    number = newest + 1
    now = time.time()
    connection.execute(
        sa.insert(content_versions).values(
            number=number,
            based_on=live or None,
            digest=content.digest,
            body=content.to_json(),
            author=author,
            note=note,
            created_at=now,
        )
    )
    if live:
        connection.execute(sa.update(content_pointer).values(number=number))
    else:
        connection.execute(sa.insert(content_pointer).values(id=1, number=number))
    write_events(
        connection,
        [
            Event.of(
                Subject(),
                ContentPublished(len(content.entries), based_on=live, forced=force),
                key="",
                ordinal=f":{number}",
                actor="system",
                actor_id=author,
                content_version=number,
                occurred_at=now,
            )
        ],
    )
    return Content(content.entries, number)


async def correct(client: redis.asyncio.Redis, number: int, old_value: str) -> int:
    """Set the pointer's copy in Redis to `number`, unless it has changed since it was `old_value`.

    A `number` read in SQL after `old_value` is right, since the copy is written after SQL: a higher
    one in Redis belongs to a database that is no longer ours.

    Returns:
        The value of the copy now.
    """
    return int(await guarded(client.eval(_CORRECT, 1, redis_keys.CONTENT_LIVE, number, old_value)))


async def announce(client: redis.asyncio.Redis, number: int) -> None:
    """Update the pointer's copy, unless it has a later version, and notify every process."""
    await guarded(client.eval(_MOVE_FORWARD, 1, redis_keys.CONTENT_LIVE, number))
    await guarded(client.publish(redis_keys.CONTENT_CHANNEL, number))
