"""HTTP of the widget: pages, session, messages, history, long poll. docs/webchat.md lists them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

from aiohttp import web

from bot.errors import TooMany
from bot.files.store import store_of
from bot.stores import secrets
from channels.kit.app_keys import DATABASE, REDIS, SETTINGS
from channels.webchat.server import receive, throttle
from channels.webchat.server.client import WebchatClient
from channels.webchat.server.crowd import POLLS, WINDOWS, Crowds
from channels.webchat.server.ending import log_out
from channels.webchat.server.erasing import ERASING, erase
from channels.webchat.server.guard import (
    NO_STORE,
    SECRET,
    address_of,
    answering,
    authenticate,
    check_not_ended,
    read_body,
)
from channels.webchat.server.history import read_cursor, read_history
from channels.webchat.server.hub import HUB, LEAVING, Hub
from channels.webchat.server.intake import CLIENT, accept, take_read
from channels.webchat.server.live import handle_socket
from channels.webchat.server.opening import open_session
from channels.webchat.server.pages import Assets
from channels.webchat.server.queue import show_queue
from channels.webchat.server.rating import take_rating
from channels.webchat.server.settings import NAME, WebchatSettings
from channels.webchat.server.uploads import FILES, make_link, refusing, show, upload
from channels.webchat.server.views import (
    ASSETS,
    show_demo,
    show_file,
    show_frame,
    show_loader,
    show_photo,
)

PREFIX = f"/webhooks/{NAME}"
FILE = "{file:[A-Za-z0-9_-]{1,64}}"
LONG_POLL_S = 25.0
POLL_AGAIN_S = 15
"""When a poll that had to make room for others may be asked again."""


def add_routes(app: web.Application) -> None:
    """Add the widget to an application that has its settings, Redis, database and inbox."""
    settings = app[SETTINGS]
    app[SECRET] = secrets.load_or_create(
        settings.state_dir, NAME, settings.of(WebchatSettings).secret
    )
    app[ASSETS] = Assets(settings)
    app[FILES] = store_of(settings)
    app[LEAVING] = asyncio.Event()
    app[WINDOWS] = Crowds.of(settings.connections_per_address)
    app[POLLS] = Crowds.of(settings.connections_per_address)
    app[ERASING] = asyncio.Lock()
    app.cleanup_ctx.append(_hub)
    app.on_shutdown.append(_leave)
    app.add_routes(
        [
            web.get("/", answering(show_demo)),
            web.get("/widget.js", answering(show_loader)),
            web.get("/webchat/frame", answering(show_frame)),
            web.get("/webchat/static/{version}/{name}", answering(show_file)),
            web.get("/webchat/photo/{photo:[0-9a-f]{20}}", answering(show_photo)),
            web.post(f"{PREFIX}/session", answering(open_session)),
            web.post(f"{PREFIX}/message", answering(take_message)),
            web.post(f"{PREFIX}/read", answering(read)),
            web.post(f"{PREFIX}/rating", answering(take_rating)),
            web.post(f"{PREFIX}/erase", answering(erase)),
            web.post(f"{PREFIX}/logout", answering(log_out)),
            web.get(f"{PREFIX}/queue", answering(show_queue)),
            web.get(f"{PREFIX}/history", answering(show_history)),
            web.get(f"{PREFIX}/poll", answering(poll)),
            web.get(f"{PREFIX}/socket", answering(handle_socket)),
            web.post(f"{PREFIX}/upload", refusing(upload)),
            web.post(f"{PREFIX}/files/{FILE}/link", answering(make_link)),
            web.get(f"{PREFIX}/files/{FILE}", answering(show)),
        ]
    )


async def _hub(app: web.Application) -> AsyncIterator[None]:
    app[HUB] = Hub(app[REDIS])
    app[CLIENT] = WebchatClient(app[REDIS], app[SETTINGS])
    app[HUB].start()
    yield
    await app[HUB].stop()


async def _leave(app: web.Application) -> None:
    app[LEAVING].set()


async def take_message(request: web.Request) -> web.Response:
    """Answer 202 once the message is in the inbox."""
    opened = await authenticate(request)
    data = receive.read_object(await read_body(request), request.app[SETTINGS])
    taken = await accept(request.app, opened, data, address_of(request))
    return web.json_response(taken, status=202, headers=NO_STORE)


async def read(request: web.Request) -> web.Response:
    """Take a receipt, where there is no WebSocket."""
    opened = await authenticate(request)
    data = receive.read_object(await read_body(request), request.app[SETTINGS])
    return web.json_response(await take_read(request.app, opened, data), headers=NO_STORE)


async def show_history(request: web.Request) -> web.Response:
    opened = await authenticate(request)
    app = request.app
    await throttle.spend(
        app[REDIS], (throttle.READS_PER_SESSION, opened.conversation), now=time.time()
    )
    body = await read_history(app[REDIS], app[DATABASE], app[SETTINGS], opened.conversation)
    return web.json_response(body, headers=NO_STORE)


async def poll(request: web.Request) -> web.Response:
    """Wait up to 25 s for something new after a cursor; an empty answer says: ask again."""
    opened = await authenticate(request)
    app = request.app
    after = read_cursor(request.query.get("after"))
    await throttle.spend(
        app[REDIS], (throttle.READS_PER_SESSION, opened.conversation), now=time.time()
    )
    try:
        async with asyncio.timeout(None) as stay:
            with (
                app[POLLS].of_address.joined(address_of(request), stay),
                app[POLLS].of_conversation.joined(opened.conversation, stay),
            ):
                body = await _news(app, opened.conversation, after)
    except TimeoutError as error:
        if not stay.expired():
            raise
        raise TooMany(POLL_AGAIN_S) from error
    await check_not_ended(app[REDIS], opened)  # while it waited
    return web.json_response(body, headers=NO_STORE)


async def _news(app: web.Application, conversation: str, after: str) -> dict[str, Any]:
    deadline = time.monotonic() + LONG_POLL_S
    async with app[HUB].listening(conversation) as listener:
        while True:
            tail = await app[HUB].tail(app[SETTINGS], conversation, after)
            left = deadline - time.monotonic()
            if tail.frames or left <= 0 or app[LEAVING].is_set():
                frames = tail.frames
                break
            passing = await listener.wait(left)
            if passing is not None:
                frames = [passing]
                break
    return {"frames": frames, "cursor": tail.cursor, "gap": tail.gap}
