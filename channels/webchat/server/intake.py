"""Take a message, whichever way it came."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import structlog
from aiohttp import web

from bot.streams.messages import message_id
from channels.kit.app_keys import INBOX, REDIS, SETTINGS
from channels.webchat.server import receive, session, throttle
from channels.webchat.server.client import WebchatClient
from channels.webchat.server.guard import SECRET, check_address, digest_of
from channels.webchat.server.history import read_cursor
from channels.webchat.server.receipts import note_read
from channels.webchat.server.uploads import named

log = structlog.get_logger()

CLIENT = web.AppKey("webchat_client", WebchatClient)


async def accept(
    app: web.Application, opened: session.Session, data: dict[str, Any], address: str
) -> dict[str, Any]:
    """Put a message into the inbox and show it in all windows of its conversation.

    Args:
        data: The decoded frame or body.
        address: Where it came from, for the allowances.

    Returns:
        `id` (the client's), `message` (ours), `duplicate`.

    Raises:
        BadRequest: It cannot be used, or there were too many.
        StoreUnavailable: It was not taken, or not shown; sending it again is safe.
    """
    now = time.time()
    ids = receive.file_ids(data)
    identifier = message_id(opened.conversation, receive.field(data, "id"))
    attachments = await named(app, opened, ids, identifier) if ids else ()
    inbound = receive.message_from(data, opened, app[SETTINGS], now, attachments)
    inbound = replace(inbound, origin=digest_of(app[SECRET], address))
    await throttle.spend(
        app[REDIS],
        (throttle.MESSAGES_PER_ADDRESS, address),
        (throttle.MESSAGES_PER_SESSION, opened.conversation),
        now=now,
    )
    keep = inbound.kind == "message"
    await check_address(app, opened, inbound.origin, keep=keep, now=now)
    fresh = await app[INBOX].accept(inbound)
    if inbound.kind == "message":
        await app[CLIENT].echo(inbound, data["id"])
    log.info(
        "webchat.received",
        conversation_id=opened.conversation,
        message_id=inbound.id,
        duplicate=not fresh,
        chars=len(inbound.text),
        tap=bool(inbound.tap),
    )
    return {"id": data["id"], "message": inbound.id, "duplicate": not fresh}


async def take_read(
    app: web.Application, opened: session.Session, data: dict[str, Any]
) -> dict[str, Any]:
    """Take a receipt: all up to the cursor in `until` has been on the screen.

    Returns:
        `read`: how many messages that tells something new about.

    Raises:
        BadRequest: `bad-cursor`, or there were too many.
        StoreUnavailable: Redis is away.
    """
    until = read_cursor(receive.field(data, "until"))
    await throttle.spend(
        app[REDIS], (throttle.READS_PER_SESSION, opened.conversation), now=time.time()
    )
    return {"read": await note_read(app[REDIS], app[SETTINGS], opened.conversation, until)}
