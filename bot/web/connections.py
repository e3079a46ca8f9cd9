"""Connections of strangers: how many an address may have, and how long one may keep us waiting.

aiohttp limits neither the time a header takes nor that of a body, and lets an idle connection live
for an hour. Every second a look at all connections ends those that are overdue; what a message
costs does not change. docs/operations.md has the limits.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from aiohttp import hdrs, web
from aiohttp.http_exceptions import HttpProcessingError

from bot import remote
from bot.web.answers import SERVER
from bot.web.bodies import PATIENCE
from bot.web.descriptors import Descriptors
from bot.web.tally import TALLY

HEADER_S = 10.0
"""For a whole header: of a new connection, or since its first byte."""
BODY_S = 30.0
"""For a whole body, whatever its handler does meanwhile; uploads have longer."""
SEND_S = 30.0
"""Without taking a byte of what we have to say."""
KEEP_ALIVE_S = 75.0
"""For the next request."""
LINGER_S = 5.0
"""For the rest of a body that was refused, so that its sender reads why."""
TOO_MANY = "too-many-of-address"
NO_DESCRIPTORS = "no-descriptors"

HARDENED = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
"""Of answers that no handler of ours has written."""


class Connections:
    """The open connections of a server.

    Args:
        most_per_address: Connections an address may have, trusted proxies excepted.
    """

    def __init__(
        self, most_per_address: int, trusted: Sequence[str], descriptors: Descriptors
    ) -> None:
        self._most = most_per_address
        self._trusted = trusted
        self._descriptors = descriptors
        self._open: dict[Connection, str] = {}
        """Oldest first, with whom they are counted for; nobody where it is a trusted proxy."""
        self._of_address: dict[str, dict[Connection, None]] = {}

    def __len__(self) -> int:
        return len(self._open)

    def admit(self, connection: Connection, peer: str, descriptor: int, now: float) -> str:
        """Count a new connection; where there are too many, an idle one makes room for it.

        Returns:
            Why it must go; empty when it may stay.
        """
        address = "" if remote.is_trusted(peer, self._trusted) else remote.counted_as(peer)
        theirs = self._of_address.get(address, {}) if address else {}
        if len(theirs) >= self._most and not _end_an_idle_one(theirs, TOO_MANY):
            return TOO_MANY
        has_room = self._descriptors.has_room(descriptor, now)
        if not has_room and not _end_an_idle_one(self._open, NO_DESCRIPTORS):
            return NO_DESCRIPTORS
        self._open[connection] = address
        self._of_address.setdefault(address, {})[connection] = None
        return ""

    def leave(self, connection: Connection) -> None:
        address = self._open.pop(connection, None)
        if address is not None:
            theirs = self._of_address[address]
            del theirs[connection]
            if not theirs:
                del self._of_address[address]

    def look(self, now: float) -> None:
        """End what is overdue."""
        for connection in list(self._open):
            if reason := connection.overdue(now):
                connection.end(reason)


def _end_an_idle_one(connections: Iterable[Connection], reason: str) -> bool:
    """End the oldest that is between requests; tell whether there was one."""
    for connection in connections:
        if connection.is_idle:
            connection.end(reason)
            return True
    return False


_PLAIN = {**HARDENED, hdrs.SERVER: SERVER}
"""Headers of what no application answers."""


class Connection(web.RequestHandler):
    """aiohttp's side of a connection, which knows how long it has waited for the other side."""

    def __init__(self, connections: Connections, server: web.Server, **options: Any) -> None:
        super().__init__(server, **options)
        self._connections = connections
        self._counted = 0
        self._asking_since: float | None = None
        self._seen: web.BaseRequest | None = None
        self._seen_at = 0.0
        self._unsent = 0
        self._unsent_since = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        now = self._asking_since = self._loop.time()
        peer = transport.get_extra_info("peername")
        descriptor = transport.get_extra_info("socket").fileno()
        address = peer[0] if isinstance(peer, tuple) else remote.LOCAL
        if reason := self._connections.admit(self, address, descriptor, now):
            self.end(reason)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._connections.leave(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._request_count != self._counted:
            self._counted = self._request_count
            self._asking_since = None
        elif self._asking_since is None and self._waiter is not None:
            # Part of a header, and none is under way yet.
            self._asking_since = self._loop.time()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what is no HTTP, and what our own code failed at.

        A stack trace is written for the latter alone: strangers decide how many of the others
        there are, and a connection that ends is no error at all.
        """
        if isinstance(exc, ConnectionError):
            raise exc
        if status < 500 or isinstance(exc, HttpProcessingError):
            TALLY.note("http.unreadable", why=type(exc).__name__, status=status)
            response = web.Response(status=status, text="This cannot be read.", headers=_PLAIN)
            response.force_close()
            return response
        # Its own line is `log_exception`'s.
        answer = super().handle_error(request, status, exc, message)
        answer.headers.update(_PLAIN)
        return answer

    def log_exception(self, *_args: object, exc_info: object = None, **_more: object) -> None:
        """Write the trace of a fault that no handler has caught."""
        error = exc_info if isinstance(exc_info, BaseException) else sys.exc_info()[1]
        TALLY.note("http.failed", error=error or RuntimeError("unknown"))

    @property
    def is_idle(self) -> bool:
        """Between requests, or before the first."""
        return self._waiter is not None and not self._messages

    def overdue(self, now: float) -> str:
        """Why this connection must go; empty while it may stay."""
        transport = self.transport
        if transport is None:
            return ""
        unsent = transport.get_write_buffer_size()
        if not self._unsent or unsent < self._unsent:
            self._unsent_since = now
        self._unsent = unsent
        if unsent and now - self._unsent_since > SEND_S:
            return "takes-nothing"
        request = self._current_request
        if request is not self._seen:
            self._seen, self._seen_at = request, now
        if request is None:
            since = self._asking_since
            return "slow-header" if since is not None and now - since > HEADER_S else ""
        if self._payload_parser is not None or request.content.is_eof():
            return ""
        return "slow-body" if now - self._seen_at > request.get(PATIENCE, BODY_S) else ""

    def end(self, reason: str) -> None:
        """Close without another word."""
        TALLY.note("connection.ended", reason=reason, example=str(self.peername))
        self._connections.leave(self)
        if self.transport is not None:
            self.transport.abort()
