"""HTTP of the widget: pages, session, messages, history, long poll. docs/webchat.md lists them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

from aiohttp import web

from bot import secrets
from bot.errors import BadRequest, NotAuthenticated
from bot.files.store import store_of
from channels.app_keys import DATABASE, REDIS, SETTINGS
from channels.webchat import pages, receive, session, throttle
from channels.webchat.client import WebchatClient
from channels.webchat.guard import (
    NO_STORE,
    SECRET,
    address_of,
    answering,
    authenticate,
    check_own_origin,
    own_origin,
    read_body,
)
from channels.webchat.history import read_cursor, read_history, read_tail
from channels.webchat.hub import HUB, LEAVING, Hub
from channels.webchat.intake import CLIENT, accept
from channels.webchat.live import handle_socket
from channels.webchat.pages import Assets
from channels.webchat.uploads import FILES, make_link, refusing, show, upload

ASSETS = web.AppKey("webchat_assets", Assets)

PREFIX = "/webhooks/webchat"
FILE = "{file:[A-Za-z0-9_-]{1,64}}"
LONG_POLL_S = 25.0
_FOR_EVER = "public, max-age=31536000, immutable"
_REVALIDATE = "no-cache"
_LOADER_CACHE = "public, max-age=300"


def add_routes(app: web.Application) -> None:
    """Add the widget to an application that has its settings, Redis, database and inbox."""
    settings = app[SETTINGS]
    app[SECRET] = secrets.load_or_create(settings.state_dir, "webchat", settings.webchat_secret)
    app[ASSETS] = Assets(settings)
    app[FILES] = store_of(settings)
    app[LEAVING] = asyncio.Event()
    app.cleanup_ctx.append(_hub)
    app.on_shutdown.append(_leave)
    app.add_routes(
        [
            web.get("/", answering(show_demo)),
            web.get("/widget.js", answering(show_loader)),
            web.get("/webchat/frame", answering(show_frame)),
            web.get("/webchat/static/{version}/{name}", answering(show_file)),
            web.post(f"{PREFIX}/session", answering(open_session)),
            web.post(f"{PREFIX}/message", answering(take_message)),
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


async def show_demo(request: web.Request) -> web.Response:
    settings, assets = request.app[SETTINGS], request.app[ASSETS]
    language = assets.language_for(
        request.query.get("language"), request.headers.get("Accept-Language", "")
    )
    page = assets.demo(next(iter(settings.webchat_sites), "demo"), language)
    policy = {"Content-Security-Policy": pages.DEMO_POLICY}
    return pages.serve(request, page, _REVALIDATE, policy)


async def show_loader(request: web.Request) -> web.Response:
    loader = request.app[ASSETS].file("widget.js")
    assert loader is not None  # noqa: S101 - Assets refuses to start without it
    # Other sites load it with `crossorigin` and an integrity attribute.
    headers = {"Access-Control-Allow-Origin": "*", "Cross-Origin-Resource-Policy": "cross-origin"}
    return pages.serve(request, loader, _LOADER_CACHE, headers)


async def show_frame(request: web.Request) -> web.Response:
    settings = request.app[SETTINGS]
    site = request.query.get("site", "")
    origin = request.query.get("origin", "")
    pages.check_embedding(settings, site, origin, own_origin(request))
    origins = pages.allowed_origins(settings, site)
    policy = {"Content-Security-Policy": pages.frame_policy(origins, request.host)}
    return pages.serve(request, request.app[ASSETS].frame(), _REVALIDATE, policy)


async def show_file(request: web.Request) -> web.Response:
    assets = request.app[ASSETS]
    asset = assets.file(request.match_info["name"])
    if asset is None:
        raise BadRequest("not-found", "no such file", status=404)
    current = request.match_info["version"] == assets.version
    return pages.serve(request, asset, _FOR_EVER if current else _REVALIDATE)


async def open_session(request: web.Request) -> web.Response:
    """Give a token: a new visitor, the same one again, or the customer the site vouches for."""
    settings, secret, now = request.app[SETTINGS], request.app[SECRET], time.time()
    check_own_origin(request)
    data = receive.read_object(await read_body(request), settings)
    site = receive.field(data, "site")
    pages.check_embedding(settings, site, receive.field(data, "origin"), own_origin(request))
    known = _known_visitor(request, receive.field(data, "token"), site, now)
    identity = receive.field(data, "identity")
    if identity:
        visitor = session.identified_visitor(secret, site, identity, now=now)
    else:
        visitor = known.visitor if known is not None else ""
    if not visitor:
        await throttle.spend(
            request.app[REDIS], (throttle.SESSIONS_PER_ADDRESS, address_of(request)), now=now
        )
    token, visitor = session.issue(secret, site, now=now, visitor=visitor)
    opened = session.session_of(site, visitor, now + session.SESSION_S)
    body = {
        "token": token,
        "visitor": visitor,
        "conversation": opened.conversation,
        "expires_at": int(opened.expires_at),
        "business": settings.business_name,
        "languages": list(settings.languages),
        "max_text_chars": settings.max_text_chars,
    }
    return web.json_response(body, headers=NO_STORE)


def _known_visitor(
    request: web.Request, token: str, site: str, now: float
) -> session.Session | None:
    try:
        known = session.verify(request.app[SECRET], token, request.app[SETTINGS], now=now)
    except NotAuthenticated:
        return None
    return known if known.site == site else None


async def take_message(request: web.Request) -> web.Response:
    """Answer 202 once the message is in the inbox."""
    opened = authenticate(request)
    data = receive.read_object(await read_body(request), request.app[SETTINGS])
    taken = await accept(request.app, opened, data, address_of(request))
    return web.json_response(taken, status=202, headers=NO_STORE)


async def show_history(request: web.Request) -> web.Response:
    opened = authenticate(request)
    app = request.app
    await throttle.spend(
        app[REDIS], (throttle.READS_PER_SESSION, opened.conversation), now=time.time()
    )
    body = await read_history(app[REDIS], app[DATABASE], app[SETTINGS], opened.conversation)
    return web.json_response(body, headers=NO_STORE)


async def poll(request: web.Request) -> web.Response:
    """Wait up to 25 s for something new after a cursor; an empty answer says: ask again."""
    opened = authenticate(request)
    app = request.app
    after = read_cursor(request.query.get("after"))
    await throttle.spend(
        app[REDIS], (throttle.READS_PER_SESSION, opened.conversation), now=time.time()
    )
    deadline = time.monotonic() + LONG_POLL_S
    async with app[HUB].listening(opened.conversation) as listener:
        while True:
            tail = await read_tail(app[REDIS], app[SETTINGS], opened.conversation, after)
            left = deadline - time.monotonic()
            if tail.frames or left <= 0 or app[LEAVING].is_set():
                frames = tail.frames
                break
            passing = await listener.wait(left)
            if passing is not None:
                frames = [passing]
                break
    body = {"frames": frames, "cursor": tail.cursor, "gap": tail.gap}
    return web.json_response(body, headers=NO_STORE)
