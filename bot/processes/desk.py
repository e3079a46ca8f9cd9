"""The desk process: the agents' pages and their sockets; it runs no background work."""

from __future__ import annotations

import asyncio
from functools import partial

from bot.desk.app import make_app
from bot.desk.app_keys import REPLAY, TOPICS, Replay
from bot.desk.topics import EVERY_S
from bot.handoff.service import HandoffService
from bot.processes.every import every
from bot.processes.running import serve_http
from bot.settings import Settings
from bot.stores import redis_client
from bot.stores.database import Database
from bot.streams import dead_letters
from channels import registry


async def run(settings: Settings, holder: str) -> None:
    """Serve the desk until cancelled."""
    database, client = Database.of(settings), redis_client.connect(settings)
    service = HandoffService(settings, database, client)
    app = make_app(settings, database, client, service, registry.titles())
    replay: Replay = partial(dead_letters.replay, database, client, settings.shards)
    app[REPLAY] = replay
    topics = asyncio.create_task(every(EVERY_S, app[TOPICS].refresh, name="topics"))
    try:
        await serve_http(app, settings, settings.desk_port, "desk")
    finally:
        topics.cancel()
        await asyncio.gather(topics, return_exceptions=True)
        await client.aclose()
        database.close()
