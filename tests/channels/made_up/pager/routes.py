"""The pager company's webhook in the ingress."""

from __future__ import annotations

from aiohttp import web

from bot.web.bodies import read_body
from channels.kit.app_keys import INBOX, SETTINGS
from channels.kit.reading import BODY_BYTES
from pager.receive import PagerReceiver

RECEIVER = web.AppKey("pager_receiver", PagerReceiver)
PATH = "/webhooks/pager/webhook"
SECRET_HEADER = "X-Pager-Secret"


def add_routes(app: web.Application) -> None:
    """Serve `/webhooks/pager/webhook`."""
    app[RECEIVER] = PagerReceiver(app[SETTINGS], app[INBOX])
    app.router.add_post(PATH, webhook)


async def webhook(request: web.Request) -> web.Response:
    """Keep a page, then answer."""
    receiver, secret = request.app[RECEIVER], request.headers.get(SECRET_HEADER, "")
    receiver.check(secret)
    await receiver.take(secret, await read_body(request, BODY_BYTES))
    return web.Response()
