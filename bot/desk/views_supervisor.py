"""Pages of supervisors: the overview, and the agents' part in routing; everybody's own status."""

from __future__ import annotations

import time
from typing import Any

from aiohttp import web
from sqlalchemy.engine import Connection

from bot.desk import app_keys, supervisor
from bot.desk.people import audit, users
from bot.desk.web import came_from, done, form, page, session_of
from bot.errors import BadRequest
from bot.routing import presence, roster, teams
from bot.routing.model import LEVELS, Presence


def require_supervisor(request: web.Request) -> None:
    """Let supervisors and admins pass.

    Raises:
        BadRequest: The user is neither (status 403).
    """
    if not session_of(request).user.supervises:
        raise BadRequest("supervisors-only", "This page is for supervisors.", status=403)


async def overview(request: web.Request) -> web.StreamResponse:
    """The whole desk at a glance; `X-Fragment: overview` asks for what changes."""
    require_supervisor(request)
    here = await presence.here(request.app[app_keys.REDIS])
    away_s, now = request.app[app_keys.SETTINGS].away_after_s, time.time()
    seen = await request.app[app_keys.DATABASE].read(
        lambda c: supervisor.overview(c, here, away_s, now)
    )
    part = request.headers.get("X-Fragment") == "overview"
    return page(request, "_overview.html" if part else "overview.html", seen=seen, now=now)


async def agent_list(request: web.Request) -> web.StreamResponse:
    require_supervisor(request)
    return await _agents(request)


async def agent_save(request: web.Request) -> web.StreamResponse:
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


async def choose_presence(request: web.Request) -> web.StreamResponse:
    """What the user wants to be from now on."""
    wanted, user = (await form(request)).get("presence", ""), session_of(request).user
    if wanted not in set(Presence):
        raise BadRequest("bad-presence", "There is no such status.")
    await request.app[app_keys.DATABASE].run(
        lambda c: teams.save_presence(c, user.id, Presence(wanted))
    )
    await request.app[app_keys.SERVICE].active(user.id)
    await presence.announce(request.app[app_keys.REDIS], "presence")
    return done(request, came_from(request))


async def _agents(request: web.Request) -> web.StreamResponse:
    here = await presence.here(request.app[app_keys.REDIS])
    settings = request.app[app_keys.SETTINGS]

    def work(connection: Connection) -> dict[str, Any]:
        people = [one for one in users.list_users(connection) if not one.disabled]
        profiles = teams.profiles(connection, [one.id for one in people])
        names = {team.id: team.name for team in teams.list_teams(connection)}
        of_team = teams.members(connection)
        loads = roster.loads_of(connection, [one.id for one in people])
        lines = [
            {
                "user": one,
                "profile": profiles[one.id],
                "load": loads.get(one.id, 0),
                "teams": sorted(names[t] for t in of_team.get(one.id, ()) if t in names),
                "presence": presence.effective(
                    profiles[one.id].presence, here.get(one.id), settings.away_after_s
                ),
            }
            for one in people
        ]
        return {"lines": lines}

    context = await request.app[app_keys.DATABASE].read(work)
    return page(
        request,
        "agents.html",
        languages=settings.languages,
        levels=LEVELS,
        most=teams.MOST_CAPACITY,
        **context,
    )
