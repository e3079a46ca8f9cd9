"""The WebSocket of an open window. docs/webchat.md has the frames in both directions.

Two tasks a socket: one reads the client, one shows what comes. Everything shown carries a cursor,
so a connection that breaks loses nothing: the client says `after` when it comes back.
"""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

from aiohttp import WSCloseCode, WSMessage, WSMsgType, web

from bot.errors import BadRequest, NotAuthenticated, StoreUnavailable, TooMany
from bot.stores import redis_keys
from bot.stores.redis_client import guarded
from bot.web.tally import TALLY
from channels.kit.app_keys import REDIS, SETTINGS
from channels.webchat.server import receive, session, throttle
from channels.webchat.server.crowd import WINDOWS
from channels.webchat.server.ending import ENDING
from channels.webchat.server.guard import (
    RETRY_S,
    address_of,
    check_not_ended,
    check_own_origin,
    verified,
)
from channels.webchat.server.history import read_cursor
from channels.webchat.server.hub import CUSTOMER, HUB, LEAVING, Listener
from channels.webchat.server.intake import accept, take_read
from channels.webchat.server.window import Window

HELLO_TIMEOUT_S = 10.0
HEARTBEAT_S = 25.0
LOOK_AGAIN_S = 15.0
"""A wake-up may get lost; this often the stream is read without one. The browser takes a connection
for dead after 40 s without a frame (`static/transport.js`), so two beats may be late."""
TYPING_S = 2.0
"""Least seconds between two typing signs of one window."""
MOST_FRAMES = 600
"""Frames a minute that a window may send, whatever is in them; typing sends thirty."""
MOST_BAD_FRAMES = 10
"""Frames that cannot be used, after which a window is closed."""
CLOSE_NOT_AUTHENTICATED = 4401
CLOSE_TOO_MANY = 4429
"""Others have taken this window's place; the browser polls instead (`static/transport.js`)."""
TOO_MANY_WINDOWS = "too-many-windows"


async def handle_socket(request: web.Request) -> web.WebSocketResponse:
    """Serve one window until it or we go away."""
    check_own_origin(request, required=True)
    app, address = request.app, address_of(request)
    await throttle.spend(app[REDIS], (throttle.MESSAGES_PER_ADDRESS, address), now=time.time())
    socket = web.WebSocketResponse(
        heartbeat=HEARTBEAT_S, max_msg_size=app[SETTINGS].max_body_bytes, compress=False
    )
    await socket.prepare(request)
    window = Window(socket, request)
    try:
        async with asyncio.timeout(None) as stay:
            await _admit(window, address, stay)
    except TimeoutError:
        if not stay.expired():
            raise
        TALLY.note("webchat.window_closed", reason=TOO_MANY_WINDOWS)
        await window.close(CLOSE_TOO_MANY, TOO_MANY_WINDOWS)
    except NotAuthenticated as error:
        await window.refuse(error)
        await window.close(CLOSE_NOT_AUTHENTICATED, error.code)
    except BadRequest as error:
        await window.refuse(error)
        await window.close(WSCloseCode.POLICY_VIOLATION, error.code)
    except StoreUnavailable as error:
        TALLY.note("webchat.socket_lost_store", level="warning", why=error.why)
        hint = {
            "type": "error",
            "code": "unavailable",
            "message": "try again in a moment",
            "retry_after_s": RETRY_S,
        }
        await window.say(hint)
        await window.close(WSCloseCode.TRY_AGAIN_LATER)
    return socket


async def _admit(window: Window, address: str, stay: asyncio.Timeout) -> None:
    """Serve a window unless there are too many; the oldest goes then."""
    app = window.request.app
    with app[WINDOWS].of_address.joined(address, stay):
        opened, after = await _greet(window.socket, app)
        with app[WINDOWS].of_conversation.joined(opened.conversation, stay):
            async with app[HUB].listening(opened.conversation) as listener:
                await _serve(window, opened, address, listener, after)


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
    opened = await verified(app, receive.field(hello, "token"))
    return opened, read_cursor(receive.field(hello, "after"))


async def _serve(
    window: Window,
    opened: session.Session,
    address: str,
    listener: Listener,
    after: str,
) -> None:
    app = window.request.app
    tasks = {
        asyncio.create_task(_read(window, opened, address), name="webchat-read"),
        asyncio.create_task(_show(window, opened, listener, after), name="webchat-show"),
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
    await window.close(WSCloseCode.GOING_AWAY)


async def _show(window: Window, opened: session.Session, listener: Listener, after: str) -> None:
    """Send what happens until the session ends.

    Raises:
        NotAuthenticated: It has expired, or was ended.
    """
    hub, settings = window.request.app[HUB], window.request.app[SETTINGS]
    first = True
    while True:
        tail = await hub.tail(settings, opened.conversation, after)
        if tail.gap:
            await window.send('{"type": "gap"}')
        for text in tail.texts:
            await window.send(text)
        after = tail.cursor
        if first:
            await window.send(json.dumps({"type": "ready", "cursor": after}))
            first = False
        elif not tail.frames:
            # Scripts see no pings: without this a browser takes a dead connection for a quiet one.
            await window.send('{"type": "beat"}')
        while (passing := await listener.wait(LOOK_AGAIN_S)) is not None:
            await window.send(json.dumps(passing, ensure_ascii=False))
            if passing.get("type") in ENDING:
                break
        # Whatever a window may still show, and whether or not the notice of its end arrived.
        if opened.expires_at <= time.time():
            raise NotAuthenticated("session-expired", "the session has expired")
        await check_not_ended(window.request.app[REDIS], opened)


async def _read(window: Window, opened: session.Session, address: str) -> None:
    """Take frames until the window goes.

    Raises:
        BadRequest: There were too many, or too many that cannot be used.
        NotAuthenticated: The session has expired.
    """
    taking = _Taking(window, opened, address)
    bad, minute, frames = 0, 0.0, 0
    async for frame in window.socket:
        now = time.monotonic()
        if now - minute >= 60:
            minute, frames = now, 0
        frames += 1
        if frames > MOST_FRAMES:
            raise BadRequest("too-many-frames", f"send at most {MOST_FRAMES} frames a minute")
        try:
            await taking.take(frame)
        except NotAuthenticated:
            raise
        except BadRequest as error:
            TALLY.note("webchat.refused", code=error.code, example=opened.conversation)
            await window.refuse(error, taking.identifier)
            bad += not isinstance(error, TooMany)
            if bad >= MOST_BAD_FRAMES:
                told = f"{bad} frames could not be used"
                raise BadRequest("too-many-bad-frames", told) from error


class _Taking:
    """Takes the frames of one window."""

    def __init__(self, window: Window, opened: session.Session, address: str) -> None:
        self._window, self._opened, self._address = window, opened, address
        self._app = window.request.app
        self._typed_at = 0.0
        self.identifier: Any = None
        """What the last frame calls itself."""

    async def take(self, frame: WSMessage) -> None:
        """Do what a frame asks for.

        Raises:
            BadRequest: It cannot be used, or an allowance is used up.
            NotAuthenticated: The session has expired.
        """
        app, opened, self.identifier = self._app, self._opened, None
        if frame.type != WSMsgType.TEXT:
            raise BadRequest("wrong-type", "send JSON objects as text")
        data = receive.read_object(frame.data, app[SETTINGS])
        self.identifier = data.get("id")
        if opened.expires_at <= time.time():
            raise NotAuthenticated("session-expired", "the session has expired")
        if data.get("type") == "message":
            taken = await accept(app, opened, data, self._address)
            await self._window.send(json.dumps({"type": "accepted", **taken}))
        elif data.get("type") == "read":
            await take_read(app, opened, data)
        elif data.get("type") == "typing":
            if time.monotonic() - self._typed_at >= TYPING_S:
                self._typed_at = time.monotonic()
                await _tell_desk(app, opened.conversation)
        else:
            await throttle.spend(
                app[REDIS],
                (throttle.MESSAGES_PER_ADDRESS, self._address),
                (throttle.MESSAGES_PER_SESSION, opened.conversation),
                now=time.time(),
            )
            raise BadRequest("bad-type", 'type must be "message", "read" or "typing"')


async def _tell_desk(app: web.Application, conversation: str) -> None:
    live = json.dumps(
        {"conversation": conversation, "what": "typing", "user": CUSTOMER, "name": "Customer"}
    )
    await guarded(app[REDIS].publish(redis_keys.LIVE_CHANNEL, live))
