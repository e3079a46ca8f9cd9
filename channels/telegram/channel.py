"""Telegram's webhook inside Rasa's own server: `TelegramInput` of credentials.yml."""

from __future__ import annotations

from sanic import Request
from sanic.response import HTTPResponse, empty, json

from channels.kit.rasa_input import Parts, Route, rasa_input
from channels.telegram.receive import TelegramReceiver
from channels.telegram.routes import SECRET_HEADER
from channels.telegram.settings import NAME, TelegramSettings


def routes(parts: Parts) -> list[Route]:
    """Serve `/webhooks/telegram/<name>/webhook`."""
    receiver = TelegramReceiver(parts.settings, parts.redis, parts.inbox)

    async def take(request: Request, name: str) -> HTTPResponse:
        secret = request.headers.get(SECRET_HEADER, "")
        reply = await receiver.take(name, secret, request.body)
        return json(reply) if reply else empty(status=200)

    return [Route("POST", "/<name>/webhook", take)]


TelegramInput = rasa_input("TelegramInput", NAME, TelegramSettings, routes)
