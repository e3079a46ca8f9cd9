"""Delete what is kept about the visitor who asks, by the one function that erases.

Only the conversation of the session: where agents have put a customer's conversations together,
those of other channels stay, since this visitor has not shown that they are theirs.
"""

from __future__ import annotations

import asyncio
import time

import sqlalchemy as sa
import structlog
from aiohttp import web
from sqlalchemy.engine import Connection

from bot.conversation.changes import announce
from bot.errors import BadRequest, StoreUnavailable
from bot.housekeeping import erasure
from bot.stores.tables import conversations
from channels.kit.app_keys import DATABASE, REDIS, SETTINGS
from channels.webchat.server import receive, throttle
from channels.webchat.server.client import notify
from channels.webchat.server.guard import (
    NO_STORE,
    address_of,
    authenticate,
    check_own_origin,
    read_body,
)
from channels.webchat.server.session import Session
from channels.webchat.server.uploads import FILES

log = structlog.get_logger()

ERASING = web.AppKey("webchat_erasing", asyncio.Lock)
"""One at a time in a process: each has the stores rewrite their files."""


def found(connection: Connection, opened: Session) -> erasure.Found:
    """Name what belongs to a session and to nobody else."""
    c = conversations.c
    one = sa.select(c.customer_id).where(c.id == opened.conversation)
    owner = connection.execute(one).scalar() or f"c-{opened.conversation}"
    others = sa.select(c.id).where(c.customer_id == owner, c.id != opened.conversation).limit(1)
    shared = connection.execute(others).first() is not None
    return erasure.Found(
        customers=() if shared else (owner,),
        conversations=(opened.conversation,),
        vendor_users=(opened.visitor,),
    )


async def erase(request: web.Request) -> web.Response:
    """Answer 200 `{erased: true}` when nothing is left, and never before."""
    check_own_origin(request)
    opened = authenticate(request)
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
    who = await app[DATABASE].read(lambda c: found(c, opened))
    try:
        async with app[ERASING]:
            done = await erasure.erase(
                app[DATABASE],
                app[REDIS],
                app[SETTINGS].shards,
                who,
                by="customer",
                files=app[FILES],
            )
    except TimeoutError as error:
        raise StoreUnavailable("redis", "the log is still being rewritten") from error
    log.info("webchat.erased", rows=done.rows, entries=done.entries)
    await notify(app[REDIS], app[SETTINGS], opened.conversation, {"type": "erased"})
    await announce(app[REDIS], opened.conversation, "state")
    return web.json_response({"erased": True}, headers=NO_STORE)
