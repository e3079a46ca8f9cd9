"""Messenger's webhook in the ingress."""

from __future__ import annotations

from collections.abc import AsyncIterator

from aiohttp import web

from channels.facebook.receive import FacebookReceiver
from channels.kit.app_keys import DATABASE, INBOX, REDIS, SETTINGS
from channels.kit.meta.signature import HEADER
from channels.kit.reading import BODY_BYTES
from channels.kit.vendor_http import VendorHttp

RECEIVER = web.AppKey("facebook_receiver", FacebookReceiver)
PATH = "/webhooks/facebook/webhook"


def add_routes(app: web.Application) -> None:
    """Serve `/webhooks/facebook/webhook`."""
    settings = app[SETTINGS]
    app[RECEIVER] = FacebookReceiver(settings, app[REDIS], app[INBOX], app[DATABASE], VendorHttp())
    app.cleanup_ctx.append(_closing)
    app.router.add_get(PATH, handshake)
    app.router.add_post(PATH, webhook)


async def handshake(request: web.Request) -> web.Response:
    """Prove to Meta that the address is ours."""
    return web.Response(text=request.app[RECEIVER].handshake(request.query))


async def webhook(request: web.Request) -> web.Response:
    """Keep a delivery, then answer."""
    body = await request.clone(client_max_size=BODY_BYTES).read()
    await request.app[RECEIVER].take(request.headers.get(HEADER, ""), body)
    return web.Response(text="EVENT_RECEIVED")


async def _closing(app: web.Application) -> AsyncIterator[None]:
    yield
    await app[RECEIVER].aclose()
