"""Messenger's webhook inside Rasa's own server: `FacebookInput` of credentials.yml."""

from __future__ import annotations

from sanic import Request
from sanic.response import HTTPResponse, text

from bot.stores.database import Database
from channels.facebook.receive import FacebookReceiver
from channels.facebook.settings import NAME, FacebookSettings
from channels.kit.meta.signature import HEADER
from channels.kit.rasa_input import Parts, Route, rasa_input
from channels.kit.vendor_http import VendorHttp


def routes(parts: Parts) -> list[Route]:
    """Serve `/webhooks/facebook/webhook`."""
    receiver = FacebookReceiver(
        parts.settings, parts.redis, parts.inbox, Database.of(parts.settings), VendorHttp()
    )

    async def handshake(request: Request) -> HTTPResponse:
        query = {key: values[0] for key, values in request.args.items()}
        return text(receiver.handshake(query))

    async def take(request: Request) -> HTTPResponse:
        await receiver.take(request.headers.get(HEADER, ""), request.body)
        return text("EVENT_RECEIVED")

    return [Route("GET", "/webhook", handshake), Route("POST", "/webhook", take)]


FacebookInput = rasa_input("FacebookInput", NAME, FacebookSettings, routes)
