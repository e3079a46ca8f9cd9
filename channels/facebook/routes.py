"""Messenger's webhook in the ingress."""

from __future__ import annotations

from collections.abc import AsyncIterator

from aiohttp import web

from bot.web.bodies import read_body
from channels.facebook.receive import FacebookReceiver
from channels.kit.app_keys import DATABASE, INBOX, REDIS, SETTINGS
from channels.kit.meta.signature import HEADER, check_shape
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
    signed = request.headers.get(HEADER, "")
    check_shape(signed)
    await request.app[RECEIVER].take(signed, await read_body(request, BODY_BYTES))
    return web.Response(text="EVENT_RECEIVED")


async def _closing(app: web.Application) -> AsyncIterator[None]:
    yield
    await app[RECEIVER].aclose()
