"""Webhook of the REST channel: loopback only, stored like messages of other channels.

`POST /webhooks/rest/webhook {"sender": …, "message": …}` answers, as Rasa's own does, with the
list of replies; they have gone through inbox, engine and outbox by then.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import time
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

from aiohttp import HttpVersion11, web

from bot.errors import BadRequest
from bot.settings import Settings
from bot.stores import redis_keys
from bot.stores.packing import pack
from bot.web.bodies import read_body
from channels.kit.app_keys import INBOX, REDIS, SETTINGS
from channels.rest.client import shape
from channels.rest.receive import parse_message
from channels.rest.settings import SWITCH, RestSettings
from channels.rest.waiting import AGAIN_S, Replies

ANSWER_TIMEOUT_S = 30.0
_ELSEWHERE = frozenset(
    {
        "origin",
        "via",
        "forwarded",
        "x-real-ip",
        "x-client-ip",
        "x-cluster-client-ip",
        "x-original-forwarded-for",
        "true-client-ip",
        "fastly-client-ip",
        "cdn-loop",
    }
)
_FORWARDED = ("x-forwarded", "sec-fetch-", "cf-", "x-envoy-", "x-amzn-", "x-azure-", "x-appengine-")
"""Headers, or how they begin, of browsers and proxies: what comes with one comes from elsewhere."""
REPLIES: web.AppKey[Replies] = web.AppKey("replies", Replies)


async def _fetch(app: web.Application) -> AsyncIterator[None]:
    reader = asyncio.create_task(app[REPLIES].run())
    yield
    while not reader.done():  # a cancellation that comes while the driver connects can get lost
        reader.cancel()
        await asyncio.wait([reader], timeout=AGAIN_S)


def add_routes(app: web.Application) -> None:
    """Serve the channel if the settings say so."""
    if is_served(app[SETTINGS]):
        app[REPLIES] = Replies(app[REDIS], app[SETTINGS].shards)
        app.cleanup_ctx.append(_fetch)
        app.router.add_post("/webhooks/rest/webhook", webhook)


def is_served(settings: Settings) -> bool:
    """Tell whether the channel is on: where customers come in from outside, only if asked for."""
    asked_for = bool(settings.environ.get(SWITCH))
    return settings.of(RestSettings).enabled and (asked_for or not settings.public_url)


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
    """Refuse strangers, also those whom a proxy on this machine lets through, and web pages.

    A page in a browser on this machine may send what it likes, and read the answer where its own
    host name leads here: browsers say so in `Origin` and `Sec-Fetch-Site`, and name the host.

    Raises:
        BadRequest: It comes from elsewhere (status 403).
    """
    from_elsewhere = any(
        name in _ELSEWHERE or name.startswith(_FORWARDED)
        for name in map(str.lower, request.headers)
    )
    # What a proxy speaks whose configuration says nothing; programs on this machine speak 1.1.
    old = request.version < HttpVersion11
    if (
        from_elsewhere
        or old
        or not _is_local(request.remote or "")
        or not _is_local(_host(request))
    ):
        raise BadRequest("loopback-only", "this channel is for this machine only", status=403)


def _host(request: web.Request) -> str:
    """The name the client knows us by, without the port."""
    with contextlib.suppress(ValueError):
        return urlsplit(f"//{request.host}").hostname or ""
    return ""


def _is_local(name: str) -> bool:
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
