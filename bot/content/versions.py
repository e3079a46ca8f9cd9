"""Versions in SQL, and the pointer that says which one is live.

A version is an immutable numbered row; writing one and moving the pointer is one transaction. The
pointer is mirrored in Redis, where every process that answers or shows content follows it.
`bot.content.publishing` is what editors do with both.
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
"""Whoever publishes is alone, so that the second of two finds the first one's version live."""

# KEYS: the mirror. ARGV: number. Of two who publish, the first may be the last to tell; numbers
# only grow, also when an older version is put back.
_TELL = """
if tonumber(redis.call('GET', KEYS[1]) or '0') < tonumber(ARGV[1]) then
  redis.call('SET', KEYS[1], ARGV[1])
end
"""

# KEYS: the mirror. ARGV: number, what was found in its place.
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
    """Names its content, whatever its number."""
    live: bool


def live_number(connection: Connection) -> int:
    """Number of the live version; 0 before anything was published."""
    return (
        connection.execute(
            sa.select(content_pointer.c.number).where(content_pointer.c.id == 1)
        ).scalar_one_or_none()
        or 0
    )


def read(connection: Connection, number: int) -> Content | None:
    """Read a version; None when there is none of that number."""
    body = connection.execute(
        sa.select(content_versions.c.body).where(content_versions.c.number == number)
    ).scalar_one_or_none()
    return None if body is None else Content.from_json(body, number)


def topics(connection: Connection, number: int) -> tuple[str, ...]:
    """Topics of a version's entries, in order; none when there is no such version."""
    content = read(connection, number)
    return tuple(sorted({entry.topic for entry in content.entries})) if content else ()


def listed(connection: Connection) -> list[Version]:
    """All versions, the newest first."""
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
    """Make `content` the live version, in the transaction of `connection`.

    Args:
        based_on: Version the files were made from; None when that is not known.

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


async def correct(client: redis.asyncio.Redis, number: int, found: str) -> int:
    """Let the mirror name `number`, unless it has changed since it named `found`.

    Whoever read `number` in SQL after `found` knows better, since versions are told after they are
    stored: a higher one is of a database that is no longer ours.

    Returns:
        What it names now.
    """
    return int(await guarded(client.eval(_CORRECT, 1, redis_keys.CONTENT_LIVE, number, found)))


async def announce(client: redis.asyncio.Redis, number: int) -> None:
    """Mirror the pointer, unless to a later version, so that every process follows at once."""
    await guarded(client.eval(_TELL, 1, redis_keys.CONTENT_LIVE, number))
    await guarded(client.publish(redis_keys.CONTENT_CHANNEL, number))
