"""The WebSocket of an open window. docs/webchat.md has the frames in both directions.

Two tasks a socket: one reads the client, one shows what comes. Everything shown carries a cursor,
so a connection that breaks loses nothing: the client says `after` when it comes back.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from typing import Any

import structlog
from aiohttp import WSCloseCode, WSMsgType, web

from bot.errors import BadRequest, NotAuthenticated, StoreUnavailable, TooMany
from bot.stores import redis_keys
from bot.stores.redis_client import guarded
from channels.kit.app_keys import REDIS, SETTINGS
from channels.webchat.server import receive, session, throttle
from channels.webchat.server.guard import RETRY_S, SECRET, address_of, check_own_origin
from channels.webchat.server.history import read_cursor, read_tail
from channels.webchat.server.hub import CUSTOMER, HUB, LEAVING, Listener
from channels.webchat.server.intake import accept, take_read

log = structlog.get_logger()

HELLO_TIMEOUT_S = 10.0
HEARTBEAT_S = 25.0
LOOK_AGAIN_S = 15.0
"""A wake-up may get lost; this often the stream is read without one. The browser takes a connection
for dead after 40 s without a frame (`static/transport.js`), so two beats may be late."""
TYPING_S = 2.0
"""Least seconds between two typing signs of one window."""
CLOSE_NOT_AUTHENTICATED = 4401


async def handle_socket(request: web.Request) -> web.WebSocketResponse:
    """Serve one window until it or we go away."""
    check_own_origin(request, required=True)
    app, address = request.app, address_of(request)
    await throttle.spend(app[REDIS], (throttle.MESSAGES_PER_ADDRESS, address), now=time.time())
    socket = web.WebSocketResponse(
        heartbeat=HEARTBEAT_S, max_msg_size=app[SETTINGS].max_body_bytes, compress=False
    )
    await socket.prepare(request)
    try:
        opened, after = await _greet(socket, app)
        async with app[HUB].listening(opened.conversation) as listener:
            await _serve(socket, app, opened, address, listener, after)
    except NotAuthenticated as error:
        await _say_error(socket, error)
        await socket.close(code=CLOSE_NOT_AUTHENTICATED, message=error.code.encode())
    except BadRequest as error:
        await _say_error(socket, error)
        await socket.close(code=WSCloseCode.POLICY_VIOLATION, message=error.code.encode())
    except StoreUnavailable as error:
        log.warning("webchat.socket_lost_store", error=str(error))
        hint = {
            "type": "error",
            "code": "unavailable",
            "message": "try again in a moment",
            "retry_after_s": RETRY_S,
        }
        await _say(socket, hint)
        await socket.close(code=WSCloseCode.TRY_AGAIN_LATER)
    return socket


async def _greet(
    socket: web.WebSocketResponse, app: web.Application
) -> tuple[session.Session, str]:
    """Read the first frame: `{"type": "hello", "token", "after"}`."""
    try:
        first = await asyncio.wait_for(socket.receive(), HELLO_TIMEOUT_S)
    except TimeoutError as error:
        raise NotAuthenticated("no-hello", "the first frame must be hello") from error
    if first.type != WSMsgType.TEXT:
        raise NotAuthenticated("no-hello", "the first frame must be hello")
    hello = receive.read_object(first.data, app[SETTINGS])
    if hello.get("type") != "hello":
        raise NotAuthenticated("no-hello", "the first frame must be hello")
    opened = session.verify(
        app[SECRET], receive.field(hello, "token"), app[SETTINGS], now=time.time()
    )
    return opened, read_cursor(receive.field(hello, "after"))


async def _serve(
    socket: web.WebSocketResponse,
    app: web.Application,
    opened: session.Session,
    address: str,
    listener: Listener,
    after: str,
) -> None:
    tasks = {
        asyncio.create_task(_read(socket, app, opened, address), name="webchat-read"),
        asyncio.create_task(_show(socket, app, opened, listener, after), name="webchat-show"),
        asyncio.create_task(app[LEAVING].wait(), name="webchat-leaving"),
    }
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        # A connection that went away under our hands is an ordinary end.
        if not isinstance(task.exception(), ConnectionError):
            task.result()
    await socket.close(code=WSCloseCode.GOING_AWAY)


async def _show(
    socket: web.WebSocketResponse,
    app: web.Application,
    opened: session.Session,
    listener: Listener,
    after: str,
) -> None:
    first = True
    while True:
        tail = await read_tail(app[REDIS], app[SETTINGS], opened.conversation, after)
        if tail.gap:
            await socket.send_json({"type": "gap"})
        for frame in tail.frames:
            await socket.send_str(json.dumps(frame, ensure_ascii=False))
        after = tail.cursor
        if first:
            await socket.send_json({"type": "ready", "cursor": after})
            first = False
        elif not tail.frames:
            # Scripts see no pings: without this a browser takes a dead connection for a quiet one.
            await socket.send_json({"type": "beat"})
        while (passing := await listener.wait(LOOK_AGAIN_S)) is not None:
            await socket.send_str(json.dumps(passing, ensure_ascii=False))


async def _read(
    socket: web.WebSocketResponse, app: web.Application, opened: session.Session, address: str
) -> None:
    typed_at = 0.0
    async for frame in socket:
        if frame.type != WSMsgType.TEXT:
            continue
        identifier: Any = None
        try:
            data = receive.read_object(frame.data, app[SETTINGS])
            identifier = data.get("id")
            if opened.expires_at <= time.time():
                raise NotAuthenticated("session-expired", "the session has expired")
            if data.get("type") == "message":
                taken = await accept(app, opened, data, address)
                await socket.send_json({"type": "accepted", **taken})
            elif data.get("type") == "read":
                await take_read(app, opened, data)
            elif data.get("type") == "typing":
                if time.monotonic() - typed_at >= TYPING_S:
                    typed_at = time.monotonic()
                    await _tell_desk(app, opened.conversation)
            else:
                raise BadRequest("bad-type", 'type must be "message", "read" or "typing"')
        except NotAuthenticated:
            raise
        except BadRequest as error:
            log.info("webchat.refused", conversation_id=opened.conversation, code=error.code)
            await _say_error(socket, error, identifier)


async def _tell_desk(app: web.Application, conversation: str) -> None:
    live = json.dumps(
        {"conversation": conversation, "what": "typing", "user": CUSTOMER, "name": "Customer"}
    )
    await guarded(app[REDIS].publish(redis_keys.LIVE_CHANNEL, live))


async def _say_error(
    socket: web.WebSocketResponse, error: BadRequest, identifier: Any = None
) -> None:
    frame: dict[str, Any] = {"type": "error", "code": error.code, "message": str(error)}
    if isinstance(identifier, str):
        frame["id"] = identifier
    if isinstance(error, TooMany):
        frame["retry_after_s"] = error.retry_after_s
    await _say(socket, frame)


async def _say(socket: web.WebSocketResponse, frame: dict[str, Any]) -> None:
    with contextlib.suppress(ConnectionError):
        await socket.send_str(json.dumps(frame))
