"""The page of agents: who takes how much, in which languages, and who is there."""

from __future__ import annotations

from aiohttp import web
from sqlalchemy.engine import Connection

from bot.desk import app_keys
from bot.desk.pages.agents import queries
from bot.desk.people import audit
from bot.desk.web import done, form, page, require_supervisor, session_of
from bot.errors import BadRequest
from bot.routing import presence, teams
from bot.routing.model import LEVELS


async def show(request: web.Request) -> web.StreamResponse:
    require_supervisor(request)
    idle = await presence.idle_times(request.app[app_keys.REDIS])
    settings = request.app[app_keys.SETTINGS]
    lines = await request.app[app_keys.DATABASE].read(
        lambda c: queries.agents(c, idle, settings.away_after_s)
    )
    return page(
        request,
        "pages/agents/template.html",
        lines=lines,
        languages=settings.languages,
        levels=LEVELS,
        most=teams.MOST_CAPACITY,
    )


async def save(request: web.Request) -> web.StreamResponse:
    """Capacity and languages of one agent; `level-<code>` is 0 to 3."""
    require_supervisor(request)
    fields, user_id, by = await form(request), request.match_info["user"], session_of(request).user
    capacity = fields.get("capacity", "")
    levels = {
        name.removeprefix("level-")[:16]: int(value)
        for name, value in fields.items()
        if name.startswith("level-") and value in {str(level) for level in LEVELS}
    }
    if not (capacity.isascii() and capacity.isdigit() and len(capacity) < 4):
        raise BadRequest("bad-capacity", "A capacity is a number of conversations.")

    def work(connection: Connection) -> None:
        teams.save_profile(connection, user_id, levels=levels, capacity=int(capacity))
        audit.write(connection, by.id, "agent.saved", user_id)

    await request.app[app_keys.DATABASE].run(work)
    await presence.announce(request.app[app_keys.REDIS], "plan")
    return done(request, "/agents")


ROUTES = (
    web.get("/agents", show),
    web.post("/agents/{user}", save),
)
