"""Application factory of the desk: `make_app`; `bot.processes.desk` serves the application."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

import redis.asyncio
from aiohttp import web

from bot.conversation.changes import Changes
from bot.desk import account, app_keys, health
from bot.desk.conversation.suggestions import Suggester
from bot.desk.conversation.translating import DeskTranslator
from bot.desk.live import socket
from bot.desk.live.hub import Hub
from bot.desk.middleware import errors, headers, scoped, sessions
from bot.desk.pages.registry import MENU, PAGES
from bot.desk.rendering import STATIC, Renderer
from bot.desk.search import index
from bot.desk.topics import Topics
from bot.desk.web import RENDERER
from bot.files.store import store_of
from bot.handoff.service import HandoffService
from bot.handoff.snooze import Snoozer
from bot.language.translate import Translator
from bot.settings import Settings
from bot.stores.database import Database
from bot.stores.secrets import load_or_create
from bot.web.answers import harden


def make_app(
    settings: Settings,
    database: Database,
    client: redis.asyncio.Redis,
    service: HandoffService,
    channels: Mapping[str, str] | None = None,
) -> web.Application:
    """Build the desk; set `app[app_keys.REPLAY]` to let admins replay dead letters.

    Args:
        channels: Names and titles of the channels that service levels may be promised for.
    """
    app = web.Application(middlewares=[headers, errors, sessions, scoped])
    harden(app, settings.public_url)
    topics = Topics(database, client)
    renderer = Renderer(settings, topics, MENU)
    app[app_keys.SETTINGS] = settings
    app[app_keys.DATABASE] = database
    app[app_keys.REDIS] = client
    app[app_keys.SERVICE] = service
    app[app_keys.SECRET] = load_or_create(settings.state_dir, "session", settings.session_secret)
    app[app_keys.FILES] = store_of(settings)
    app[app_keys.TOPICS] = topics
    app[app_keys.CHANNELS] = channels or {}
    app[app_keys.ASSETS] = renderer.assets
    app[app_keys.SUGGESTER] = Suggester(settings.default_language)
    app[app_keys.HUB] = Hub(database, client, service, renderer, app[app_keys.SUGGESTER])
    app[app_keys.CHANGES] = Changes(settings.shards, database, client)
    app[app_keys.SNOOZER] = Snoozer(database, app[app_keys.CHANGES])
    app[app_keys.TRANSLATOR] = DeskTranslator(database, Translator.of(settings, client))
    app[RENDERER] = renderer
    app.cleanup_ctx.append(_running)
    app.on_shutdown.append(_stop_hub)
    _add_routes(app)
    return app


def _add_routes(app: web.Application) -> None:
    for page in PAGES:
        app.router.add_routes(page.routes)
    app.router.add_routes(account.ROUTES)
    health.add_route(app)
    app.router.add_get("/socket", socket.socket)
    app.router.add_static(app[app_keys.ASSETS] + "/", STATIC)


async def _running(app: web.Application) -> AsyncIterator[None]:
    database, hub = app[app_keys.DATABASE], app[app_keys.HUB]
    await database.run(index.prepare)
    await app[app_keys.TOPICS].refresh()
    hub.start()
    yield
    await hub.stop()


async def _stop_hub(app: web.Application) -> None:
    # Before the connections are waited for: open sockets would hold the shutdown up.
    await app[app_keys.HUB].stop()
