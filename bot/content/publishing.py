"""What editors do with versions: publish, roll back, compare; for a command and a page alike.

Publishing is: validate the files (bot.content.load), check that they were made from the live
version, write a new one and move the pointer, tell every process, and wait until the engines answer
from it. Nothing here prints or ends a process: results are values, faults are errors.
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
LOOK_EVERY_S = 0.02


@dataclass(frozen=True)
class Published:
    """What became of publishing."""

    number: int
    """The live version."""
    before: int
    """The live version before; the same where nothing differed."""
    engines: int | None
    """Engines that answer from it; None where nothing is running."""
    took_s: float

    @property
    def differs(self) -> bool:
        """Whether there is a new version."""
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
    """Make `content` the live version, and wait until the engines answer from it.

    Args:
        client: None where nothing is running; the next start finds the version in SQL.
        based_on: Version it was made from; None when that is not known.
        force: Publish even if another version is live.
        stored: Is told the number as soon as the version is in SQL, before anybody is waited for.

    Raises:
        VersionConflict: Another version is live, and `force` is not set.
        StoreUnavailable: A store is away, or an engine still answers from an older version.
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
    # Also where nothing differs: whoever published it may have died before the engines heard of it.
    engines = await _announce(client, number) if client is not None else None
    return Published(number, before, engines, time.monotonic() - started)


async def roll_back(
    database: Database, client: redis.asyncio.Redis | None, number: int, *, author: str = ""
) -> Published:
    """Publish an earlier version again, under a new number; raises like `publish`.

    Raises:
        ContentError: There is no version of this number.
    """
    found = await database.run(lambda c: existing(c, number))
    return await publish(
        database,
        client,
        Content(found.entries),
        based_on=await database.run(versions.live_number),
        author=author,
        note=f"rollback to version {number}",
    )


def existing(connection: Connection, number: int) -> Content:
    """Read a version.

    Raises:
        ContentError: There is none of this number.
    """
    found = versions.read(connection, number)
    if found is None:
        raise ContentError([f"there is no version {number}; see `content versions`"])
    return found


def changes_to(connection: Connection, content: Content) -> list[Change]:
    """What publishing `content` would change: its difference from the live version."""
    return diff.compare(_at(connection, versions.live_number(connection)), content)


def changes_between(
    connection: Connection, before: int | None = None, after: int | None = None
) -> list[Change]:
    """What differs between two versions.

    Args:
        before: None for the version that was live before `after`.
        after: None for the live version.

    Raises:
        ContentError: There is no version of such a number.
    """
    if after is None:
        after = versions.live_number(connection)
    if before is None:
        before = connection.execute(
            sa.select(content_versions.c.based_on).where(content_versions.c.number == after)
        ).scalar_one_or_none()
    return diff.compare(_at(connection, before or 0), _at(connection, after))


def _at(connection: Connection, number: int) -> Content:
    """A version; number 0 is the time before the first one."""
    return existing(connection, number) if number else Content(())


def in_use(settings: Settings) -> Content:
    """The live version if the database has one, else the files."""
    if settings.database_url or (settings.state_dir / "samvad.sqlite3").exists():
        database = Database.of(settings)
        try:
            live = database.call(lambda c: versions.read(c, versions.live_number(c)))
            if live:
                return live
        except SamvadError:
            pass  # an empty database: the files are what there is
        finally:
            database.close()
    return load_folder(settings.data_dir / "faq", settings.languages)


async def _announce(client: redis.asyncio.Redis, number: int) -> int:
    """Move the mirror and wait until every live engine answers from the version."""
    await versions.announce(client, number)
    deadline = time.monotonic() + LIVE_TIMEOUT_S
    while True:
        engines: Sequence[Any] = await guarded(
            client.zrangebyscore(redis_keys.holders("engine"), time.time(), "+inf")
        )
        ready: Any = await guarded(client.hgetall(redis_keys.CONTENT_READY))
        # One that answers from a later version, published meanwhile, is not behind.
        behind = [e for e in engines if json.loads(ready.get(e, "{}")).get("version", 0) < number]
        if not behind:
            return len(engines)
        if time.monotonic() > deadline:
            raise StoreUnavailable(
                "engine",
                f"{', '.join(behind)} still answer from an older version; look at their logs",
            )
        await asyncio.sleep(LOOK_EVERY_S)


def base_of(state_dir: Path, folder: Path) -> int | None:
    """Version the files of `folder` were last in step with, as far as this machine knows."""
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
