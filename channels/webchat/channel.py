"""The widget's API inside Rasa's own server (`rasa run`), for people who work that way.

The same receivers as in the ingress, the same inbox behind them: a message goes the durable way
and `python -m bot engine` answers it, so Rasa's own handler is not called. Pages, WebSocket and
rate limits are the ingress's alone.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from rasa.core.channels.channel import InputChannel, UserMessage
from sanic import Blueprint, Request
from sanic.response import HTTPResponse, json

from bot import settings
from bot.errors import BadRequest, NotAuthenticated, StoreUnavailable
from bot.stores import redis_client, secrets
from bot.streams.inbox import Inbox
from channels.webchat.server import pages, receive, session
from channels.webchat.server.client import WebchatClient
from channels.webchat.server.history import read_cursor, read_tail

Handler = Callable[[Request], Coroutine[Any, Any, HTTPResponse]]


class WebchatInput(InputChannel):
    """Serves `/webhooks/webchat/session`, `/message` and `/poll` (which does not wait)."""

    @classmethod
    def name(cls) -> str:
        return session.CHANNEL

    def __init__(self) -> None:
        self._settings = settings.load()
        state_dir, given = self._settings.state_dir, self._settings.webchat_secret
        self._secret = secrets.load_or_create(state_dir, "webchat", given)
        # No connection is made before the first command, in the server's own loop.
        self._redis = redis_client.connect(self._settings)
        self._inbox = Inbox(self._redis, self._settings.shards)
        self._client = WebchatClient(self._redis, self._settings)

    def blueprint(self, on_new_message: Callable[[UserMessage], Awaitable[Any]]) -> Blueprint:
        routes = Blueprint("webchat_webhook")
        routes.add_route(
            _answering(self.open_session), "/session", methods=["POST"], name="session"
        )
        routes.add_route(_answering(self.take), "/message", methods=["POST"], name="message")
        routes.add_route(_answering(self.poll), "/poll", methods=["GET"], name="poll")
        return routes

    async def open_session(self, request: Request) -> HTTPResponse:
        data = receive.read_object(request.body, self._settings)
        site, origin = receive.field(data, "site"), receive.field(data, "origin")
        pages.check_embedding(self._settings, site, origin, f"{request.scheme}://{request.host}")
        visitor = ""
        if token := receive.field(data, "token"):
            known = session.verify(self._secret, token, self._settings, now=time.time())
            visitor = known.visitor if known.site == site else ""
        token, visitor = session.issue(self._secret, site, now=time.time(), visitor=visitor)
        return json({"token": token, "visitor": visitor})

    async def take(self, request: Request) -> HTTPResponse:
        data = receive.read_object(request.body, self._settings)
        opened = self._opened(request)
        inbound = receive.message_from(data, opened, self._settings, time.time())
        fresh = await self._inbox.accept(inbound)
        if inbound.kind == "message":
            await self._client.echo(inbound, data["id"])
        return json({"id": data["id"], "message": inbound.id, "duplicate": not fresh}, status=202)

    async def poll(self, request: Request) -> HTTPResponse:
        opened = self._opened(request)
        after = read_cursor(request.args.get("after"))
        tail = await read_tail(self._redis, self._settings, opened.conversation, after)
        return json({"frames": tail.frames, "cursor": tail.cursor, "gap": tail.gap})

    def _opened(self, request: Request) -> session.Session:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            raise NotAuthenticated
        return session.verify(self._secret, token.strip(), self._settings, now=time.time())


def _answering(handler: Handler) -> Handler:
    """Turn our errors into the JSON the ingress answers with."""

    @functools.wraps(handler)
    async def answer(request: Request) -> HTTPResponse:
        try:
            return await handler(request)
        except BadRequest as error:
            return json({"error": {"code": error.code, "message": str(error)}}, status=error.status)
        except StoreUnavailable:
            body = {"error": {"code": "unavailable", "message": "try again in a moment"}}
            return json(body, status=503, headers={"Retry-After": "2"})

    return answer
