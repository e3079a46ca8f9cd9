"""Telegram's webhook in the ingress."""

from __future__ import annotations

from aiohttp import web

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
    body = await request.clone(client_max_size=BODY_BYTES).read()
    secret = request.headers.get(SECRET_HEADER, "")
    reply = await request.app[RECEIVER].take(request.match_info["name"], secret, body)
    return web.json_response(reply) if reply else web.Response()
