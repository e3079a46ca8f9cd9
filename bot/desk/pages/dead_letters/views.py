"""The page of dead letters: what could not be handled or delivered, and how to send it again."""

from __future__ import annotations

from aiohttp import web

from bot.desk import app_keys
from bot.desk.pages.dead_letters import queries
from bot.desk.people import audit
from bot.desk.web import done, page, require_admin, session_of
from bot.errors import BadRequest


async def show(request: web.Request) -> web.StreamResponse:
    """Messages that could not be handled or delivered, newest first, with their error."""
    user = session_of(request).user
    letters = await request.app[app_keys.DATABASE].read(lambda c: queries.letters(c, user))
    may_replay = app_keys.REPLAY in request.app and user.is_admin
    return page(request, "pages/dead_letters/template.html", letters=letters, may_replay=may_replay)


async def replay(request: web.Request) -> web.StreamResponse:
    require_admin(request)
    if app_keys.REPLAY not in request.app:
        raise BadRequest("no-replay", "This desk cannot replay messages.", status=409)
    letter, admin = request.match_info["letter"], session_of(request).user
    await request.app[app_keys.REPLAY](letter)
    await request.app[app_keys.DATABASE].run(
        lambda c: audit.write(c, admin.id, "dead-letter.replayed", letter)
    )
    return done(request, "/dead-letters")


ROUTES = (
    web.get("/dead-letters", show),
    web.post("/dead-letters/{letter}/replay", replay),
)
