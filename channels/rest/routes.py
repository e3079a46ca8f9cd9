"""The REST channel's webhook: loopback only, the same durable way as every other channel.

`POST /webhooks/rest/webhook {"sender": …, "message": …}` answers, as Rasa's own does, with the
list of replies; they have gone through inbox, engine and outbox by then.
"""

from __future__ import annotations

import asyncio
import ipaddress
import time
from collections.abc import AsyncIterator

from aiohttp import web

from bot.errors import BadRequest
from bot.stores import redis_keys
from bot.stores.packing import pack
from bot.web.bodies import read_body
from channels.kit.app_keys import INBOX, REDIS, SETTINGS
from channels.rest.client import shape
from channels.rest.receive import parse_message
from channels.rest.settings import RestSettings
from channels.rest.waiting import AGAIN_S, Replies

ANSWER_TIMEOUT_S = 30.0
REPLIES: web.AppKey[Replies] = web.AppKey("replies", Replies)


async def _fetch(app: web.Application) -> AsyncIterator[None]:
    reader = asyncio.create_task(app[REPLIES].run())
    yield
    while not reader.done():  # a cancellation that comes while the driver connects can get lost
        reader.cancel()
        await asyncio.wait([reader], timeout=AGAIN_S)


def add_routes(app: web.Application) -> None:
    """Serve the channel if the settings say so."""
    if app[SETTINGS].of(RestSettings).enabled:
        app[REPLIES] = Replies(app[REDIS], app[SETTINGS].shards)
        app.cleanup_ctx.append(_fetch)
        app.router.add_post("/webhooks/rest/webhook", webhook)


async def webhook(request: web.Request) -> web.Response:
    """Take a message, wait for the turn's replies, return them."""
    _only_loopback(request)
    settings = request.app[SETTINGS]
    body = await read_body(request, settings.max_body_bytes)
    inbound = parse_message(body, settings, time.time())
    with request.app[REPLIES].expected(inbound.id) as turn:
        if not await request.app[INBOX].accept(inbound):
            shard = redis_keys.shard_of(inbound.conversation, settings.shards)
            await request.app[REPLIES].look_back(shard)
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                replies = await asyncio.shield(turn.done)
        except TimeoutError as error:
            reason = "no reply yet; the message is kept and will be answered"
            raise web.HTTPGatewayTimeout(text=reason) from error
    answer = pack([shape(reply, inbound) for reply in replies])
    return web.Response(text=answer, content_type="application/json")


def _only_loopback(request: web.Request) -> None:
    """Refuse strangers, also those whom a proxy on this machine lets through."""
    forwarded = {"X-Forwarded-For", "Forwarded", "X-Real-IP"} & set(request.headers)
    try:
        local = ipaddress.ip_address(request.remote or "").is_loopback
    except ValueError:
        local = False
    if forwarded or not local:
        raise BadRequest("loopback-only", "this channel is for this machine only", status=403)
