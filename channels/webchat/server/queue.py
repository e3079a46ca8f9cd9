"""Where a waiting customer stands: the line under the heading of the chat."""

from __future__ import annotations

import time
from typing import Any

from aiohttp import web
from sqlalchemy.engine import Connection

from bot.conversation import store
from bot.conversation.states import State
from bot.handoff.waiting import minutes
from bot.routing import presence, roster
from bot.routing.queue import place_of
from channels.kit.app_keys import DATABASE, REDIS, SETTINGS
from channels.webchat.server import throttle
from channels.webchat.server.guard import NO_STORE, authenticate


def look(connection: Connection, conversation: str, agents: int) -> dict[str, Any]:
    """Return `state`, and while waiting `place` (1 is next), `minutes` if they can be told, and
    `agents` (who serve its team now)."""
    current = store.get(connection, conversation)
    if current is None or current.state != State.WAITING:
        return {"state": current.state.value if current else ""}
    queued = place_of(connection, current, agents)
    found: dict[str, Any] = {"state": "waiting", "place": queued.place, "agents": agents}
    if queued.estimate_s is not None:
        found["minutes"] = minutes(queued.estimate_s)
    return found


async def show_queue(request: web.Request) -> web.Response:
    opened = await authenticate(request)
    app = request.app
    await throttle.spend(
        app[REDIS], (throttle.READS_PER_SESSION, opened.conversation), now=time.time()
    )
    here, away_s = await presence.idle_times(app[REDIS]), app[SETTINGS].away_after_s

    def work(connection: Connection) -> dict[str, Any]:
        people = roster.people_for(connection, opened.conversation, here, away_s)
        return look(connection, opened.conversation, people)

    body = await app[DATABASE].read(work)
    return web.json_response(body, headers=NO_STORE)
