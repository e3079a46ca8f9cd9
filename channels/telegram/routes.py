"""Telegram's webhook in the ingress."""

from __future__ import annotations

from aiohttp import web

from bot.web.bodies import read_body
from channels.kit.app_keys import INBOX, REDIS, SETTINGS
from channels.kit.reading import BODY_BYTES
from channels.telegram.receive import TelegramReceiver

RECEIVER = web.AppKey("telegram_receiver", TelegramReceiver)
SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"  # noqa: S105 - the name, not the secret


def add_routes(app: web.Application) -> None:
    """Serve `/webhooks/telegram/<name>/webhook`."""
    app[RECEIVER] = TelegramReceiver(app[SETTINGS], app[REDIS], app[INBOX])
    app.router.add_post("/webhooks/telegram/{name}/webhook", webhook)


async def webhook(request: web.Request) -> web.Response:
    """Keep an update, then answer."""
    receiver, name = request.app[RECEIVER], request.match_info["name"]
    secret = request.headers.get(SECRET_HEADER, "")
    receiver.check(name, secret)
    reply = await receiver.take(name, secret, await read_body(request, BODY_BYTES))
    return web.json_response(reply) if reply else web.Response()
