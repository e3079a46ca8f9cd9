"""Fetching of customers' files from the vendors; one worker claims one file at a time in SQL.

The addresses come from strangers' messages, and Telegram's contain the bot's token: no address and
no error of the HTTP library, which has addresses in its text, is logged or stored.
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
from bot.files.content import Content, detect_type, endings_of
from bot.files.metadata import without_metadata
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
"""How long a worker has a file for itself; longer than `TIMEOUT_S`."""
READ_TIMEOUT_S = 20.0
"""Longest silence of a vendor during a download."""
MOST_TRIES = 6
FIRST_PAUSE_S = 2.0
"""Pause after the first try; doubles with each, up to about a minute after the message."""
MOST_REDIRECTS = 3
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class FetchFailed(SamvadError):
    """Error for a file that could not be fetched.

    Args:
        reason: Stable code; docs/attachments.md lists them.
        permanent: True when trying again cannot help.
    """

    def __init__(self, reason: str, *, permanent: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.permanent = permanent


class Vendor(Protocol):
    """Interface for finding one channel's files."""

    @property
    def hosts(self) -> Hosts:
        """Return the hosts its files may come from."""

    async def address(self, account: str, at: str) -> str:
        """Make the address of a file; it may contain a secret and is never stored.

        Args:
            at: `Attachment.source`, from the message.

        Raises:
            FetchFailed: The vendor does not give it.
        """

    async def aclose(self) -> None:
        """Close its connections."""


Tell = Callable[[Mapping[str, Any]], Awaitable[None]]
"""Tells the customer, once, that the file of a row could not be accepted."""


class Fetcher:
    """Fetcher of the files whose rows are in state `fetching`.

    Args:
        vendors: Channel → its vendor.
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
            # Read separately: a row that cannot be read must not hide those behind it.
            row = await self._database.read(lambda c: rows.get(c, file))
            if row is not None:
                await self._take(row, moment)
        return True

    async def _take(self, row: Mapping[str, Any], now: float) -> None:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                values = await self._fetch(row)
        except FileRefused as error:
            values = {"state": REFUSED, "reason": error.code}
        except FetchFailed as error:
            values = self._after(row, error, now)
        except (StoreUnavailable, asyncio.CancelledError):
            # Not the file's fault; the next worker need not wait for the claim to end.
            self._database.call(lambda c: _update(c, row, {"due_at": now}))
            raise
        except Exception as error:
            # Without its traceback: the texts of such errors contain addresses.
            LOG.warning("file.broken", file_id=row["id"], error=type(error).__name__)
            values = self._after(row, FetchFailed("unreachable"), now)
        await self._settle(row, values)

    def _after(self, row: Mapping[str, Any], error: FetchFailed, now: float) -> dict[str, Any]:
        tries = row["tries"] + 1
        if error.permanent or tries >= MOST_TRIES:
            refused = error.reason in ("host-not-allowed", "too-large")
            return {"state": REFUSED if refused else FAILED, "reason": error.reason}
        return {"tries": tries, "due_at": now + self._first_pause_s * 2 ** (tries - 1)}

    async def _settle(self, row: Mapping[str, Any], values: dict[str, Any]) -> None:
        is_final = "state" in values
        if is_final:
            values |= {"source": sa.null(), "due_at": 0.0}
        if is_final and values["state"] != STORED:
            # First, so that a crash in between does not lose it; it is sent once.
            await self._tell(row)
        if not await self._database.run(lambda c: _update(c, row, values)):
            # Another worker has it by now, or the customer was erased meanwhile.
            if await self._database.read(lambda c: rows.get(c, row["id"])) is None:
                await self._store.delete([row["id"]])
            return
        LOG.info(
            "file.settled" if is_final else "file.unreachable",
            file_id=row["id"],
            conversation=row["conversation"],
            state=values.get("state", FETCHING),
            reason=values.get("reason", ""),
            tries=row["tries"] + 1,
        )
        if is_final:
            await announce(self._redis, row["conversation"], "message")

    async def _fetch(self, row: Mapping[str, Any]) -> dict[str, Any]:
        source = row["source"] or {}
        vendor = self._vendors.get(source.get("channel", ""))
        if vendor is None or not source.get("at"):
            raise FetchFailed("not-found", permanent=True)
        if row["size"] > self._settings.max_file_bytes:
            raise FileRefused("too-large", "the vendor says so")
        address = URL(await vendor.address(source.get("account", ""), source["at"]))
        contents: list[Content] = []
        answer = await self._open(address, vendor.hosts)
        async with answer:
            stored = await self._store.put(
                row["id"],
                without_metadata(
                    answer.content.iter_chunked(CHUNK_BYTES), self._settings.max_file_bytes
                ),
                self._settings.max_file_bytes,
                lambda head: contents.append(
                    detect_type(head, row["name"], row["type"], self._settings.file_types)
                ),
            )
        content = contents[0]
        name = names.with_ending(row["name"], endings_of(content.type))
        return {
            "state": STORED,
            "reason": "",
            "type": content.type,
            "kind": content.kind,
            "name": name,
            "size": stored.size,
            "sha256": stored.sha256,
        }

    async def _open(self, address: URL, hosts: Hosts) -> aiohttp.ClientResponse:
        """Request a file; follow redirects to allowed hosts."""
        for _ in range(MOST_REDIRECTS + 1):
            if not hosts.allow(address):
                raise FetchFailed("host-not-allowed", permanent=True)
            answer = await self._request(address)
            if answer.status not in _REDIRECTS:
                break
            answer.release()
            address = address.join(URL(answer.headers.get("Location", "")))
        else:
            raise FetchFailed("unreachable", permanent=True)
        if answer.status == 200:
            return answer
        answer.release()
        # An expired address stays expired; a vendor that is down comes back.
        is_permanent = answer.status in (400, 401, 403, 404, 410)
        raise FetchFailed("not-found" if is_permanent else "unreachable", permanent=is_permanent)

    async def _request(self, address: URL) -> aiohttp.ClientResponse:
        if self._session is None or self._session.closed:
            local = frozenset[str]().union(*(v.hosts.local for v in self._vendors.values()))
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(resolver=PublicOnly(local), use_dns_cache=False),
                cookie_jar=aiohttp.DummyCookieJar(),
                # The bytes as sent are measured and hashed: nothing is decompressed.
                auto_decompress=False,
                headers={"Accept-Encoding": "identity"},
                timeout=aiohttp.ClientTimeout(
                    total=TIMEOUT_S, sock_connect=10, sock_read=READ_TIMEOUT_S
                ),
            )
        return await self._session.get(address, allow_redirects=False)


def _select_due(now: float, aside: Sequence[str]) -> sa.Select[tuple[str]]:
    c = files.c
    query = sa.select(c.id).where(c.state == FETCHING, c.due_at <= now, c.id.not_in(aside))
    return query.order_by(c.due_at, c.created_at).limit(1)


def _is_due(connection: Connection, now: float, aside: Sequence[str]) -> bool:
    return connection.execute(_select_due(now, aside)).first() is not None


def _claim(connection: Connection, now: float, aside: Sequence[str]) -> str | None:
    """Claim a file that is due; another worker that chose the same one gets None."""
    query = _select_due(now, aside).with_for_update(skip_locked=True)
    file = connection.execute(query).scalar()
    result = connection.execute(
        sa.update(files)
        .where(files.c.id == file, files.c.state == FETCHING, files.c.due_at <= now)
        .values(due_at=now + CLAIM_S)
    )
    return file if result.rowcount else None


def _update(connection: Connection, row: Mapping[str, Any], values: Mapping[str, Any]) -> bool:
    """Change a claimed row; do nothing when the claim of a slow worker has ended."""
    claimed = (files.c.id == row["id"], files.c.state == FETCHING, files.c.due_at == row["due_at"])
    return bool(connection.execute(sa.update(files).where(*claimed).values(**values)).rowcount)
