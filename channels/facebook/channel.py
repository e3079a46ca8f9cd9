"""Messenger's webhook inside Rasa's own server (`rasa run`), for people who work that way.

The same receiver as in the ingress, the same inbox behind it: a message goes the durable way and
`python -m bot engine` answers it, so Rasa's own handler is not called.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from rasa.core.channels.channel import InputChannel, UserMessage
from sanic import Blueprint, Request
from sanic.response import HTTPResponse, json, text

from bot import settings
from bot.errors import BadRequest, StoreUnavailable
from bot.stores import redis_client
from bot.stores.database import Database
from bot.streams.inbox import Inbox
from channels.facebook.receive import FacebookReceiver
from channels.facebook.routes import SIGNATURE_HEADER
from channels.kit.limits import BODY_BYTES, FACEBOOK
from channels.kit.vendor_http import VendorHttp
from channels.registry import off

LOG = structlog.get_logger(__name__)


class FacebookInput(InputChannel):
    """Serves `/webhooks/facebook/webhook`; nothing while secrets are missing."""

    @classmethod
    def name(cls) -> str:
        return FACEBOOK

    def __init__(self) -> None:
        self._settings = settings.load()
        # No connection is made before the first command, in the server's own loop.
        client = redis_client.connect(self._settings)
        inbox = Inbox(client, self._settings.shards)
        database = Database.of(self._settings)
        self._receiver = FacebookReceiver(self._settings, client, inbox, database, VendorHttp())

    def blueprint(self, on_new_message: Callable[[UserMessage], Awaitable[Any]]) -> Blueprint:
        routes = Blueprint("facebook_webhook")
        if missing := off(self._settings).get(FACEBOOK):
            LOG.warning("channel.off", channel=FACEBOOK, missing=" ".join(missing))
        else:
            # Sanic marks its handlers, which a bound method does not let it do.
            @routes.get("/webhook", name="handshake")
            async def handshake(request: Request) -> HTTPResponse:
                return await self.handshake(request)

            @routes.post("/webhook", name="take")
            async def take(request: Request) -> HTTPResponse:
                return await self.take(request)

        return routes

    async def handshake(self, request: Request) -> HTTPResponse:
        query = {key: values[0] for key, values in request.args.items()}
        try:
            return text(self._receiver.handshake(query))
        except BadRequest as error:
            return _refusal(error)

    async def take(self, request: Request) -> HTTPResponse:
        if len(request.body) > BODY_BYTES:
            return json({"error": {"code": "body-too-large"}}, status=413)
        try:
            await self._receiver.take(request.headers.get(SIGNATURE_HEADER, ""), request.body)
        except BadRequest as error:
            return _refusal(error)
        except StoreUnavailable:
            return json({"error": {"code": "unavailable"}}, status=503)
        return text("EVENT_RECEIVED")


def _refusal(error: BadRequest) -> HTTPResponse:
    return json({"error": {"code": error.code, "message": str(error)}}, status=error.status)
