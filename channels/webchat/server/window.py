"""The server's end of an open window: every frame has a deadline, and so has the end."""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from bot.errors import BadRequest, TooMany

SEND_S = 10.0
"""For one frame; a browser that takes nothing for so long is gone."""


@dataclass(frozen=True)
class Window:
    """A WebSocket that has been accepted."""

    socket: web.WebSocketResponse
    request: web.Request

    async def send(self, text: str) -> None:
        """Send a frame.

        Raises:
            ConnectionError: The browser is gone, or takes nothing.
        """
        try:
            async with asyncio.timeout(SEND_S):
                await self.socket.send_str(text)
        except TimeoutError as error:
            self._abort()
            raise ConnectionResetError("the window takes nothing") from error

    async def say(self, frame: dict[str, Any]) -> None:
        """Send a frame to a window that may be gone already."""
        with contextlib.suppress(ConnectionError):
            await self.send(json.dumps(frame))

    async def refuse(self, error: BadRequest, identifier: Any = None) -> None:
        """Tell what was wrong, and with which message."""
        frame: dict[str, Any] = {"type": "error", "code": error.code, "message": str(error)}
        if isinstance(identifier, str):
            frame["id"] = identifier
        if isinstance(error, TooMany):
            frame["retry_after_s"] = error.retry_after_s
        await self.say(frame)

    async def close(self, code: int, reason: str = "") -> None:
        """Close with a code, or without one where the browser does not listen any more."""
        try:
            async with asyncio.timeout(SEND_S):
                await self.socket.close(code=code, message=reason.encode())
        except (TimeoutError, ConnectionError):
            self._abort()

    def _abort(self) -> None:
        if self.request.transport is not None:
            self.request.transport.abort()
