"""Telegram's webhook inside Rasa's own server (`rasa run`), for people who work that way.

The same receiver as in the ingress, the same inbox behind it: a message goes the durable way and
`python -m bot engine` answers it, so Rasa's own handler is not called.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from rasa.core.channels.channel import InputChannel, UserMessage
from sanic import Blueprint, Request
from sanic.response import HTTPResponse, empty, json

from bot import settings
from bot.errors import BadRequest, StoreUnavailable
from bot.stores import redis_client
from bot.streams.inbox import Inbox
from channels.kit.limits import BODY_BYTES, TELEGRAM
from channels.telegram.receive import TelegramReceiver
from channels.telegram.routes import SECRET_HEADER

LOG = structlog.get_logger(__name__)


class TelegramInput(InputChannel):
    """Serves `/webhooks/telegram/<name>/webhook`; nothing without `TELEGRAM_BOTS`."""

    @classmethod
    def name(cls) -> str:
        return TELEGRAM

    def __init__(self) -> None:
        self._settings = settings.load()
        # No connection is made before the first command, in the server's own loop.
        client = redis_client.connect(self._settings)
        inbox = Inbox(client, self._settings.shards)
        self._receiver = TelegramReceiver(self._settings, client, inbox)

    def blueprint(self, on_new_message: Callable[[UserMessage], Awaitable[Any]]) -> Blueprint:
        routes = Blueprint("telegram_webhook")
        if self._settings.telegram_bots:
            # Sanic marks its handlers, which a bound method does not let it do.
            @routes.post("/<name>/webhook", name="take")
            async def take(request: Request, name: str) -> HTTPResponse:
                return await self.take(request, name)

        else:
            LOG.warning("channel.off", channel=TELEGRAM, missing="TELEGRAM_BOTS")
        return routes

    async def take(self, request: Request, name: str) -> HTTPResponse:
        if len(request.body) > BODY_BYTES:
            return json({"error": {"code": "body-too-large"}}, status=413)
        secret = request.headers.get(SECRET_HEADER, "")
        try:
            reply = await self._receiver.take(name, secret, request.body)
        except BadRequest as error:
            return json({"error": {"code": error.code, "message": str(error)}}, status=error.status)
        except StoreUnavailable:
            return json({"error": {"code": "unavailable"}}, status=503)
        return json(reply) if reply else empty(status=200)
