"""Vendors on a bad day: the strict local servers, with errors, limits, time-outs and cut wires."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from vendors.graph_server import GraphServer
from vendors.telegram_server import BotApiServer

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
MessageOf = Callable[[web.Request, Any], tuple[str, str, str] | None]
"""Customer, text and metadata of a message that is sent; None for any other call."""
SILENT_S = 17.0
"""Longer than our patience (channels.kit.vendor_http)."""


@dataclass(frozen=True)
class Taken:
    """A message a vendor took."""

    user: str
    text: str
    metadata: str
    at: float
    """Unix seconds."""
    answered: bool
    """We were told so."""


@dataclass
class Mood:
    """How often what goes wrong, in shares of all messages sent."""

    error: float = 0.03
    limited: float = 0.01
    cut_before: float = 0.01
    cut_after: float = 0.02
    silent_before: float = 0.002
    silent_after: float = 0.002


@dataclass
class BadDay:
    """Misbehaves in front of a vendor's server and notes what was taken."""

    dice: random.Random
    mood: Mood
    taken: list[Taken] = field(default_factory=list)
    mishaps: dict[str, int] = field(default_factory=dict)
    calm: bool = False

    def arrived(self, user: str) -> list[Taken]:
        return [one for one in self.taken if one.user == user]

    def _fate(self) -> str:
        at = self.dice.random()
        for name, share in vars(self.mood).items():
            at -= share
            if at < 0 and not self.calm:
                self.mishaps[name] = self.mishaps.get(name, 0) + 1
                return str(name)
        return ""

    def middleware(self, message_of: MessageOf) -> Any:
        """Return a middleware that misbehaves with messages and leaves everything else alone."""

        @web.middleware
        async def misbehave(request: web.Request, handler: Handler) -> web.StreamResponse:
            body = await request.json() if request.can_read_body else {}
            message = message_of(request, body)
            if message is None:
                return await handler(request)
            fate = self._fate()
            if fate == "error":
                return web.json_response({"error": {"message": "an error", "code": 2}}, status=500)
            if fate == "limited":
                return self._limited()
            if fate == "cut_before":
                return _cut(request)
            if fate == "silent_before":
                await asyncio.sleep(SILENT_S)
                return _cut(request)
            answer = await handler(request)
            if answer.status != 200:
                return answer
            cut = fate in ("cut_after", "silent_after")
            user, text, metadata = message
            self.taken.append(Taken(user, text, metadata, time.time(), not cut))
            if fate == "silent_after":
                await asyncio.sleep(SILENT_S)
            return _cut(request) if cut else answer

        return misbehave

    @staticmethod
    def _limited() -> web.Response:
        # Both vendors' shapes in one; each of our channels reads its own.
        body = {
            "error": {"message": "Calls to this api have exceeded the rate limit.", "code": 613},
            "ok": False,
            "error_code": 429,
            "description": "Too Many Requests: retry after 1",
            "parameters": {"retry_after": 1},
        }
        return web.json_response(body, status=429, headers={"Retry-After": "1"})


class BadGraph(GraphServer):
    """Messenger on a bad day."""

    def __init__(self, day: BadDay) -> None:
        super().__init__()
        self.day = day

    def make_app(self) -> web.Application:
        app = super().make_app()
        app.middlewares.append(self.day.middleware(_facebook))
        return app


class BadBotApi(BotApiServer):
    """Telegram on a bad day."""

    def __init__(self, day: BadDay) -> None:
        super().__init__(per_chat_s=1.0)
        self.day = day

    def make_app(self) -> web.Application:
        app = super().make_app()
        app.middlewares.append(self.day.middleware(_telegram))
        return app


def _facebook(request: web.Request, body: Any) -> tuple[str, str, str] | None:
    message = body.get("message")
    if request.method != "POST" or not isinstance(message, dict):
        return None
    attachment = message.get("attachment")
    text = attachment["payload"]["text"] if attachment else message["text"]
    return str(body["recipient"]["id"]), str(text), str(message.get("metadata", ""))


def _telegram(request: web.Request, body: Any) -> tuple[str, str, str] | None:
    if request.match_info["method"] != "sendMessage":
        return None
    return str(body["chat_id"]), str(body["text"]), ""


def _cut(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
