"""Publishing: publish, roll back and compare versions, for a command and a page alike.

The steps: validate the files (bot.content.load), check that they were made from the live version,
write a new one and move the pointer, notify every process, and wait until the engines answer from
it. Nothing here prints or ends a process: results are values, faults are errors.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis.asyncio
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from bot.content import diff, versions
from bot.content.diff import Change
from bot.content.load import load_folder
from bot.content.models import Content
from bot.errors import ContentError, SamvadError, StoreUnavailable
from bot.settings import Settings
from bot.stores import redis_keys
from bot.stores.database import Database
from bot.stores.redis_client import guarded
from bot.stores.tables import content_versions

LIVE_TIMEOUT_S = 30.0
"""Longest wait for the engines to answer from a new version."""
POLL_S = 0.02


@dataclass(frozen=True)
class Published:
    """Result of publishing."""

    number: int
    """The live version."""
    before: int
    """The live version before; the same where nothing differed."""
    engines: int | None
    """Engines that answer from it; None where nothing is running."""
    took_s: float

    @property
    def differs(self) -> bool:
        """Tell whether there is a new version."""
        return self.number != self.before


async def publish(
    database: Database,
    client: redis.asyncio.Redis | None,
    content: Content,
    *,
    based_on: int | None,
    force: bool = False,
    author: str = "",
    note: str = "",
    stored: Callable[[int], None] | None = None,
) -> Published:
    """Make `content` the live version; wait until the engines answer from it.

    Args:
        client: None where no process is running; the next start reads the version from SQL.
        based_on: Version it was made from; None when that is unknown.
        force: Publish even if another version is live.
        stored: Called with the number as soon as the version is in SQL, before the wait.

    Raises:
        VersionConflict: Another version is live, and `force` is not set.
        StoreUnavailable: A store is down, or an engine still answers from an older version.
    """
    started = time.monotonic()

    def write(connection: Connection) -> tuple[int, int]:
        before = versions.live_number(connection)
        written = versions.write(
            connection, content, based_on=based_on, force=force, author=author, note=note
        )
        return before, written.number

    before, number = await database.run(write)
    if stored:
        stored(number)
    # Also where nothing differs: the process that published it may have died before notifying.
    engines = await _announce(client, number) if client is not None else None
    return Published(number, before, engines, time.monotonic() - started)


async def roll_back(
    database: Database, client: redis.asyncio.Redis | None, number: int, *, author: str = ""
) -> Published:
    """Publish an earlier version again, under a new number; raises like `publish`.

    Raises:
        ContentError: There is no version of this number.
    """
    content = await database.run(lambda c: read_existing(c, number))
    return await publish(
        database,
        client,
        Content(content.entries),
        based_on=await database.run(versions.live_number),
        author=author,
        note=f"rollback to version {number}",
    )


def read_existing(connection: Connection, number: int) -> Content:
    """Read a version that must exist.

    Raises:
        ContentError: There is no version of this number.
    """
    content = versions.read(connection, number)
    if content is None:
        raise ContentError([f"there is no version {number}; see `content versions`"])
    return content


def changes_to(connection: Connection, content: Content) -> list[Change]:
    """List what publishing `content` would change in the live version."""
    return diff.compare(_read_or_empty(connection, versions.live_number(connection)), content)


def changes_between(
    connection: Connection, before: int | None = None, after: int | None = None
) -> list[Change]:
    """List the differences between two versions.

    Args:
        before: None for the version that was live before `after`.
        after: None for the live version.

    Raises:
        ContentError: There is no version of one of the numbers.
    """
    if after is None:
        after = versions.live_number(connection)
    if before is None:
        before = connection.execute(
            sa.select(content_versions.c.based_on).where(content_versions.c.number == after)
        ).scalar_one_or_none()
    return diff.compare(_read_or_empty(connection, before or 0), _read_or_empty(connection, after))


def _read_or_empty(connection: Connection, number: int) -> Content:
    """Read a version; number 0 is empty, the time before the first version."""
    return read_existing(connection, number) if number else Content(())


def in_use(settings: Settings) -> Content:
    """Return the live version if the database has one, else the content of the files."""
    if settings.database_url or (settings.state_dir / "samvad.sqlite3").exists():
        database = Database.of(settings)
        try:
            live = database.call(lambda c: versions.read(c, versions.live_number(c)))
            if live:
                return live
        except SamvadError:
            pass  # an empty database: the files count
        finally:
            database.close()
    return load_folder(settings.data_dir / "faq", settings.languages)


async def _announce(client: redis.asyncio.Redis, number: int) -> int:
    """Update the pointer's copy in Redis; wait until every live engine answers from the version."""
    await versions.announce(client, number)
    deadline = time.monotonic() + LIVE_TIMEOUT_S
    while True:
        engines: Sequence[Any] = await guarded(
            client.zrangebyscore(redis_keys.holders("engine"), time.time(), "+inf")
        )
        ready: Any = await guarded(client.hgetall(redis_keys.CONTENT_READY))
        # An engine on a later version, published meanwhile, is not behind.
        behind = [e for e in engines if json.loads(ready.get(e, "{}")).get("version", 0) < number]
        if not behind:
            return len(engines)
        if time.monotonic() > deadline:
            raise StoreUnavailable(
                "engine",
                f"{', '.join(behind)} still answer from an older version; look at their logs",
            )
        await asyncio.sleep(POLL_S)


def base_of(state_dir: Path, folder: Path) -> int | None:
    """Return the version the files of `folder` last equalled, as far as this machine knows."""
    try:
        bases = json.loads((state_dir / "content-base.json").read_text("utf-8"))
        return int(bases[str(folder.resolve())])
    except (OSError, ValueError, KeyError):
        return None


def remember_base(state_dir: Path, folder: Path, number: int) -> None:
    """Note that the files of `folder` equal version `number`."""
    path = state_dir / "content-base.json"
    try:
        bases = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        bases = {}
    bases[str(folder.resolve())] = number
    temporary = path.with_suffix(".new")
    temporary.write_text(json.dumps(bases, indent=1), "utf-8")
    temporary.replace(path)
