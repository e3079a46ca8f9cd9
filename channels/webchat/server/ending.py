"""End a visitor's sessions: all that began before, in every browser, once they log out.

A token carries how often its visitor's sessions had been ended when it was made; Redis has the
number of today (`bot.streams.generations`), which erasing raises as well.
"""

from __future__ import annotations

from aiohttp import web

from bot.streams import generations
from channels.kit.app_keys import REDIS, SETTINGS
from channels.webchat.server import guard
from channels.webchat.server.client import notify

ENDED = "ended"
ENDING = frozenset({ENDED, "erased"})
"""Frames after which a window's session is none any more."""


async def log_out(request: web.Request) -> web.Response:
    """Answer 200 `{ended: true}`: this token and all older ones of the visitor open nothing."""
    guard.check_own_origin(request)
    opened = await guard.authenticate(request)
    app = request.app
    await generations.end(app[REDIS], [opened.conversation])
    await notify(app[REDIS], app[SETTINGS], opened.conversation, {"type": ENDED})
    return web.json_response({"ended": True}, headers=guard.NO_STORE)
