"""Fetch customers' files from the vendors; one file at a time is claimed in SQL by one worker.

The addresses come from strangers' messages, and Telegram's have the bot's token in them: no
address and no error of the HTTP library, which names addresses, gets into a log, a row or a key.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

import aiohttp
import redis.asyncio
import sqlalchemy as sa
import structlog
from sqlalchemy.engine import Connection
from yarl import URL

from bot.conversation.changes import announce
from bot.errors import FileRefused, SamvadError, StoreUnavailable
from bot.files import names, rows
from bot.files.addresses import Hosts, PublicOnly
from bot.files.content import Content, endings_of, look
from bot.files.store import CHUNK_BYTES, FileStore
from bot.settings import Settings
from bot.stores.database import Database
from bot.stores.set_aside import SetAside
from bot.stores.tables import files
from bot.streams.attachments import FAILED, FETCHING, REFUSED, STORED

LOG = structlog.get_logger(__name__)

AT_ONCE = 4
IDLE_S = 0.5
TIMEOUT_S = 60.0
CLAIM_S = 90.0
"""How long a worker has a file to itself; longer than `TIMEOUT_S`."""
READ_TIMEOUT_S = 20.0
"""Longest silence of a vendor in the middle of a file."""
MOST_TRIES = 6
FIRST_PAUSE_S = 2.0
"""Doubles with each try: the last one is about a minute after the message."""
MOST_REDIRECTS = 3
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class FetchFailed(SamvadError):
    """A file did not come.

    Args:
        reason: Stable word; docs/attachments.md lists them.
        permanent: True when trying again cannot help.
    """

    def __init__(self, reason: str, *, permanent: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.permanent = permanent


class Vendor(Protocol):
    """How one channel's files are found."""

    @property
    def hosts(self) -> Hosts:
        """Where its files may be."""

    async def address(self, account: str, at: str) -> str:
        """Make the address of a file; it may hold a secret and is never kept.

        Args:
            at: What the message said: `Attachment.source`.

        Raises:
            FetchFailed: The vendor does not give it.
        """

    async def aclose(self) -> None:
        """Close its connections."""


Tell = Callable[[Mapping[str, Any]], Awaitable[None]]
"""Tells the customer, once, that the file of a row could not be taken."""


class Fetcher:
    """Works off the rows of `files` that are still to be fetched.

    Args:
        vendors: By channel.
    """

    def __init__(
        self,
        settings: Settings,
        database: Database,
        client: redis.asyncio.Redis,
        store: FileStore,
        vendors: Mapping[str, Vendor],
        tell: Tell,
        *,
        first_pause_s: float = FIRST_PAUSE_S,
    ) -> None:
        self._settings = settings
        self._database = database
        self._redis = client
        self._store = store
        self._vendors = vendors
        self._tell = tell
        self._first_pause_s = first_pause_s
        self._session: aiohttp.ClientSession | None = None
        self.aside = SetAside("files")

    async def turn(self) -> float:
        """Fetch one file that is due; return the seconds to rest."""
        return 0.0 if await self.step() else IDLE_S

    async def aclose(self) -> None:
        """Close all connections."""
        for vendor in self._vendors.values():
            await vendor.aclose()
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def step(self, now: float | None = None) -> bool:
        """Fetch one file that is due; False when there is none.

        Args:
            now: Unix seconds; the clock's when absent.
        """
        moment = time.time() if now is None else now
        aside = self.aside.ids()
        if not await self._database.read(lambda c: _is_due(c, moment, aside)):
            return False
        file = await self._database.run(lambda c: _claim(c, moment, aside))
        if file is None:
            return False
        with self.aside.row(file):
            # Read by itself: one that cannot be read must not hide those behind it.
            row = await self._database.read(lambda c: rows.get(c, file))
            if row is not None:
                await self._take(row, moment)
        return True

    async def _take(self, row: Mapping[str, Any], moment: float) -> None:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                values = await self._fetch(row)
        except FileRefused as error:
            values = {"state": REFUSED, "reason": error.code}
        except FetchFailed as error:
            values = self._after(row, error, moment)
        except (StoreUnavailable, asyncio.CancelledError):
            # Not the file's fault, and the next worker need not wait for the claim to end.
            self._database.call(lambda c: _update(c, row, {"due_at": moment}))
            raise
        except Exception as error:
            # Without its trace, and all errors alike: their texts have addresses in them.
            LOG.warning("file.broken", file_id=row["id"], error=type(error).__name__)
            values = self._after(row, FetchFailed("unreachable"), moment)
        await self._settle(row, values)

    def _after(self, row: Mapping[str, Any], error: FetchFailed, now: float) -> dict[str, Any]:
        tries = row["tries"] + 1
        if error.permanent or tries >= MOST_TRIES:
            refused = error.reason in ("host-not-allowed", "too-large")
            return {"state": REFUSED if refused else FAILED, "reason": error.reason}
        return {"tries": tries, "due_at": now + self._first_pause_s * 2 ** (tries - 1)}

    async def _settle(self, row: Mapping[str, Any], values: dict[str, Any]) -> None:
        ended = "state" in values
        if ended:
            values |= {"source": sa.null(), "due_at": 0.0}
        if ended and values["state"] != STORED:
            # First, so that it is not forgotten when we die in between; it is said once.
            await self._tell(row)
        if not await self._database.run(lambda c: _update(c, row, values)):
            # Another worker has it by now, or the customer was erased meanwhile.
            if await self._database.read(lambda c: rows.get(c, row["id"])) is None:
                await self._store.delete([row["id"]])
            return
        LOG.info(
            "file.settled" if ended else "file.unreachable",
            file_id=row["id"],
            conversation=row["conversation"],
            state=values.get("state", FETCHING),
            reason=values.get("reason", ""),
            tries=row["tries"] + 1,
        )
        if ended:
            await announce(self._redis, row["conversation"], "message")

    async def _fetch(self, row: Mapping[str, Any]) -> dict[str, Any]:
        source = row["source"] or {}
        vendor = self._vendors.get(source.get("channel", ""))
        if vendor is None or not source.get("at"):
            raise FetchFailed("not-found", permanent=True)
        if row["size"] > self._settings.max_file_bytes:
            raise FileRefused("too-large", "the vendor says so")
        address = URL(await vendor.address(source.get("account", ""), source["at"]))
        found: list[Content] = []
        answer = await self._open(address, vendor.hosts)
        async with answer:
            put = await self._store.put(
                row["id"],
                answer.content.iter_chunked(CHUNK_BYTES),
                self._settings.max_file_bytes,
                lambda head: found.append(
                    look(head, row["name"], row["type"], self._settings.file_types)
                ),
            )
        content = found[0]
        name = names.with_ending(row["name"], endings_of(content.type))
        return {
            "state": STORED,
            "reason": "",
            "type": content.type,
            "kind": content.kind,
            "name": name,
            "size": put.size,
            "sha256": put.sha256,
        }

    async def _open(self, address: URL, hosts: Hosts) -> aiohttp.ClientResponse:
        """Ask for a file, following the vendor's redirects to itself."""
        for _ in range(MOST_REDIRECTS + 1):
            if not hosts.allow(address):
                raise FetchFailed("host-not-allowed", permanent=True)
            answer = await self._ask(address)
            if answer.status not in _REDIRECTS:
                break
            answer.release()
            address = address.join(URL(answer.headers.get("Location", "")))
        else:
            raise FetchFailed("unreachable", permanent=True)
        if answer.status == 200:
            return answer
        answer.release()
        # An address that has run out will not come back; a vendor with a bad moment will.
        gone = answer.status in (400, 401, 403, 404, 410)
        raise FetchFailed("not-found" if gone else "unreachable", permanent=gone)

    async def _ask(self, address: URL) -> aiohttp.ClientResponse:
        if self._session is None or self._session.closed:
            local = frozenset[str]().union(*(v.hosts.local for v in self._vendors.values()))
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(resolver=PublicOnly(local), use_dns_cache=False),
                cookie_jar=aiohttp.DummyCookieJar(),
                # What is measured and hashed is what came: nothing is unpacked on the way.
                auto_decompress=False,
                headers={"Accept-Encoding": "identity"},
                timeout=aiohttp.ClientTimeout(
                    total=TIMEOUT_S, sock_connect=10, sock_read=READ_TIMEOUT_S
                ),
            )
        return await self._session.get(address, allow_redirects=False)


def _due(now: float, aside: Sequence[str]) -> sa.Select[tuple[str]]:
    c = files.c
    query = sa.select(c.id).where(c.state == FETCHING, c.due_at <= now, c.id.not_in(aside))
    return query.order_by(c.due_at, c.created_at).limit(1)


def _is_due(connection: Connection, now: float, aside: Sequence[str]) -> bool:
    return connection.execute(_due(now, aside)).first() is not None


def _claim(connection: Connection, now: float, aside: Sequence[str]) -> str | None:
    """Take a file that is due; another worker that chose the same one gets nothing."""
    query = _due(now, aside).with_for_update(skip_locked=True)
    file = connection.execute(query).scalar()
    taken = connection.execute(
        sa.update(files)
        .where(files.c.id == file, files.c.state == FETCHING, files.c.due_at <= now)
        .values(due_at=now + CLAIM_S)
    )
    return file if taken.rowcount else None


def _update(connection: Connection, row: Mapping[str, Any], values: Mapping[str, Any]) -> bool:
    """Change a claimed row; a worker that was only slow, and whose claim ended, changes nothing."""
    claimed = (files.c.id == row["id"], files.c.state == FETCHING, files.c.due_at == row["due_at"])
    return bool(connection.execute(sa.update(files).where(*claimed).values(**values)).rowcount)
