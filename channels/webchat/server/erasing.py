"""Delete what is kept about the visitor who asks, by what the ingress was given to erase with.

Only the conversation of the session: where agents have put a customer's conversations together,
those of other channels stay, since this visitor has not shown that they are theirs.
"""

from __future__ import annotations

import asyncio
import time

import structlog
from aiohttp import web

from bot.conversation.changes import announce
from bot.errors import BadRequest
from channels.kit.app_keys import ERASE, REDIS, SETTINGS
from channels.webchat.server import receive, throttle
from channels.webchat.server.client import notify
from channels.webchat.server.guard import (
    NO_STORE,
    address_of,
    authenticate,
    check_own_origin,
    read_body,
)

log = structlog.get_logger()

ERASING = web.AppKey("webchat_erasing", asyncio.Lock)
"""One at a time in a process: each has the stores rewrite their files."""


async def erase(request: web.Request) -> web.Response:
    """Answer 200 `{erased: true}` when nothing is left, and never before."""
    check_own_origin(request)
    opened = await authenticate(request)
    app = request.app
    data = receive.read_object(await read_body(request), app[SETTINGS])
    if data.get("confirm") is not True:
        raise BadRequest("not-confirmed", "say confirm: true; this cannot be undone")
    await throttle.spend(
        app[REDIS],
        (throttle.ERASURES_PER_SESSION, opened.conversation),
        (throttle.ERASURES_PER_ADDRESS, address_of(request)),
        now=time.time(),
    )
    async with app[ERASING]:
        rows, entries = await app[ERASE](opened.conversation, opened.visitor)
    log.info("webchat.erased", rows=rows, entries=entries)
    await notify(app[REDIS], app[SETTINGS], opened.conversation, {"type": "erased"})
    await announce(app[REDIS], opened.conversation, "state")
    return web.json_response({"erased": True}, headers=NO_STORE)
