"""The widget's API inside Rasa's own server: `WebchatInput` of credentials.yml.

Pages, WebSocket and rate limits are the ingress's alone.
"""

from __future__ import annotations

import time

from sanic import Request
from sanic.response import HTTPResponse, json

from bot.errors import NotAuthenticated
from bot.stores import secrets
from channels.kit.rasa_input import Parts, Route, rasa_input
from channels.webchat.server import pages, receive, session
from channels.webchat.server.client import WebchatClient
from channels.webchat.server.guard import check_not_ended
from channels.webchat.server.history import read_cursor, read_tail
from channels.webchat.server.settings import NAME, WebchatSettings


class _Api:
    def __init__(self, parts: Parts) -> None:
        self._settings = parts.settings
        given = parts.settings.of(WebchatSettings).secret
        self._secret = secrets.load_or_create(parts.settings.state_dir, NAME, given)
        self._redis = parts.redis
        self._inbox = parts.inbox
        self._client = WebchatClient(parts.redis, parts.settings)

    async def open_session(self, request: Request) -> HTTPResponse:
        data = receive.read_object(request.body, self._settings)
        site, origin = receive.field(data, "site"), receive.field(data, "origin")
        pages.check_embedding(self._settings, site, origin, f"{request.scheme}://{request.host}")
        visitor, until, ended = "", 0.0, 0
        if token := receive.field(data, "token"):
            known = await self._verified(token)
            visitor = known.visitor if known.site == site else ""
            ended = known.generation if visitor else 0
            # Nobody vouches for a customer here, so their session lives no longer than it did.
            until = known.expires_at if visitor and known.is_identified else 0.0
        token, visitor = session.issue(
            self._secret,
            site,
            now=time.time(),
            visitor=visitor,
            generation=ended,
            until=until,
        )
        return json({"token": token, "visitor": visitor})

    async def take(self, request: Request) -> HTTPResponse:
        data = receive.read_object(request.body, self._settings)
        opened = await self._opened(request)
        inbound = receive.message_from(data, opened, self._settings, time.time())
        fresh = await self._inbox.accept(inbound)
        if inbound.kind == "message":
            await self._client.echo(inbound, data["id"])
        return json({"id": data["id"], "message": inbound.id, "duplicate": not fresh}, status=202)

    async def poll(self, request: Request) -> HTTPResponse:
        opened = await self._opened(request)
        after = read_cursor(request.args.get("after"))
        tail = await read_tail(self._redis, self._settings, opened.conversation, after)
        return json({"frames": tail.frames, "cursor": tail.cursor, "gap": tail.gap})

    async def _opened(self, request: Request) -> session.Session:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            raise NotAuthenticated
        return await self._verified(token.strip())

    async def _verified(self, token: str) -> session.Session:
        opened = session.verify(self._secret, token, self._settings, now=time.time())
        await check_not_ended(self._redis, opened)
        return opened


def routes(parts: Parts) -> list[Route]:
    """Serve `/webhooks/webchat/session`, `/message` and `/poll` (which does not wait)."""
    api = _Api(parts)
    return [
        Route("POST", "/session", api.open_session),
        Route("POST", "/message", api.take),
        Route("GET", "/poll", api.poll),
    ]


WebchatInput = rasa_input("WebchatInput", NAME, WebchatSettings, routes)
