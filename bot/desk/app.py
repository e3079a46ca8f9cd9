"""The desk as an application: `make_app` wires it, `bot.__main__` serves it."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator

import redis.asyncio
from aiohttp import web

from bot.conversation.changes import Changes
from bot.desk import (
    app_keys,
    health,
    views_actions,
    views_admin,
    views_files,
    views_inbox,
    views_lists,
    views_login,
    views_macros,
    views_moves,
    views_sla,
    views_supervisor,
    views_teams,
    views_translate,
)
from bot.desk.conversation.suggestions import Suggester
from bot.desk.conversation.translating import DeskTranslator
from bot.desk.live import socket
from bot.desk.live.hub import Hub
from bot.desk.rendering import STATIC, Renderer
from bot.desk.search import index
from bot.desk.web import RENDERER, errors, headers, scoped, sessions
from bot.files.store import store_of
from bot.handoff.router import Router
from bot.handoff.service import HandoffService
from bot.handoff.snooze import Snoozer
from bot.language.translate import Translator
from bot.routing.keeper import SlaKeeper
from bot.settings import Settings
from bot.stores.database import Database
from bot.stores.secrets import load_or_create

MOST_BODY_BYTES = 128 * 1024
OTHER_TOPIC = "other"


def make_app(
    settings: Settings,
    database: Database,
    client: redis.asyncio.Redis,
    service: HandoffService,
) -> web.Application:
    """Build the desk; set `app[app_keys.REPLAY]` to let admins replay dead letters."""
    app = web.Application(
        middlewares=[headers, errors, sessions, scoped], client_max_size=MOST_BODY_BYTES
    )
    topics = _topics(settings)
    renderer = Renderer(settings, topics)
    app[app_keys.SETTINGS] = settings
    app[app_keys.DATABASE] = database
    app[app_keys.REDIS] = client
    app[app_keys.SERVICE] = service
    app[app_keys.SECRET] = load_or_create(settings.state_dir, "session", settings.session_secret)
    app[app_keys.FILES] = store_of(settings)
    app[app_keys.TOPICS] = topics
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
    conversation = "/conversations/{conversation:[A-Za-z0-9_-]{1,64}}"
    app.router.add_routes(
        [
            web.get("/", views_inbox.start),
            web.get("/health", health.health),
            web.get("/login", views_login.show),
            web.post("/login", views_login.log_in),
            web.post("/logout", views_login.log_out),
            web.post("/account/language", views_login.choose_language),
            web.get("/socket", socket.socket),
            web.get("/inbox/{view}", views_inbox.inbox),
            web.get("/inbox/{view}/{conversation:[A-Za-z0-9_-]{1,64}}", views_inbox.inbox),
            web.get(conversation + "/earlier", views_inbox.earlier),
            web.get(conversation + "/transcript.txt", views_inbox.transcript_file),
            web.post(conversation + "/claim", views_actions.claim),
            web.post(conversation + "/reply", views_actions.reply),
            web.post(conversation + "/files", views_files.upload),
            web.get("/files/{file:[A-Za-z0-9_-]{1,64}}", views_files.show),
            web.post(conversation + "/return", views_actions.give_back),
            web.post(conversation + "/resolve", views_actions.resolve),
            web.post(conversation + "/transfer", views_actions.transfer),
            web.post(conversation + "/note", views_actions.add_note),
            web.post(conversation + "/labels", views_actions.set_labels),
            web.post(conversation + "/snooze", views_actions.put_aside),
            web.post(conversation + "/wake", views_actions.wake),
            web.post(conversation + "/read", views_actions.mark_read),
            web.post(conversation + "/translations", views_translate.messages),
            web.post(conversation + "/preview", views_translate.preview),
            web.post(conversation + "/macros/{macro}", views_macros.run),
            web.get("/macros", views_macros.show),
            web.post("/macros", views_macros.save),
            web.post("/macros/{macro}/remove", views_macros.remove),
            web.get("/macros.json", views_macros.choices),
            web.post(conversation + "/assign", views_actions.assign),
            web.get("/targets.json", views_moves.targets),
            web.post(conversation + "/reopen", views_moves.reopen),
            web.post(conversation + "/priority", views_moves.prioritise),
            web.post(conversation + "/block", views_moves.block),
            web.post(conversation + "/unblock", views_moves.unblock),
            web.get(conversation + "/customers.json", views_moves.alike),
            web.post(conversation + "/merge", views_moves.merge),
            web.post(conversation + "/part", views_moves.part),
            web.get("/people.json", views_lists.people),
            web.post("/filters", views_lists.save_filter),
            web.post("/filters/{filter}/remove", views_lists.remove_filter),
            web.post("/presence", views_supervisor.choose_presence),
            web.get("/overview", views_supervisor.overview),
            web.get("/agents", views_supervisor.agent_list),
            web.post("/agents/{user}", views_supervisor.agent_save),
            web.get("/teams", views_teams.team_list),
            web.post("/teams", views_teams.team_add),
            web.get("/teams/{team}", views_teams.team_show),
            web.post("/teams/{team}", views_teams.team_save),
            web.post("/teams/{team}/remove", views_teams.team_remove),
            web.get("/policies", views_sla.policy_list),
            web.post("/policies", views_sla.policy_save),
            web.post("/policies/{policy}", views_sla.policy_save),
            web.post("/policies/{policy}/remove", views_sla.policy_remove),
            web.get("/canned.json", views_inbox.canned_replies),
            web.get("/canned", views_admin.canned_list),
            web.post("/canned", views_admin.canned_save),
            web.post("/canned/{reply}/remove", views_admin.canned_remove),
            web.get("/dead-letters", views_admin.dead_letter_list),
            web.post("/dead-letters/{letter}/replay", views_admin.dead_letter_replay),
            web.get("/users", views_admin.user_list),
            web.post("/users", views_admin.user_add),
            web.post("/users/{user}/{what:disable|enable|password}", views_admin.user_change),
        ]
    )
    app.router.add_static(app[app_keys.ASSETS] + "/", STATIC)


async def _running(app: web.Application) -> AsyncIterator[None]:
    database, hub = app[app_keys.DATABASE], app[app_keys.HUB]
    await database.run(index.prepare)
    hub.start()
    settings, client = app[app_keys.SETTINGS], app[app_keys.REDIS]
    holder = f"desk-{secrets.token_hex(6)}"
    router = Router(settings, database, client, app[app_keys.SERVICE], holder)
    keeper = SlaKeeper(settings, database, client, holder)
    tasks = [
        asyncio.create_task(router.run(), name="router"),
        asyncio.create_task(keeper.run(), name="sla-keeper"),
        asyncio.create_task(app[app_keys.SNOOZER].run(), name="snoozer"),
        asyncio.create_task(index.run(database), name="search-index"),
    ]
    yield
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await hub.stop()


async def _stop_hub(app: web.Application) -> None:
    # Before the connections are waited for: open sockets would hold the shutdown up.
    await app[app_keys.HUB].stop()


def _topics(settings: Settings) -> tuple[str, ...]:
    """Topics of the content pack, which are the names of its files, and `other`."""
    names = sorted(file.stem for file in (settings.data_dir / "faq").glob("*.yml"))
    return (*(name for name in names if name != OTHER_TOPIC), OTHER_TOPIC)
