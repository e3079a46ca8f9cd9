"""Pages of teams: who they are chosen for, who is in them, when they work, who helps out."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from aiohttp import web
from sqlalchemy.engine import Connection

from bot.desk import app_keys
from bot.desk.pages.teams import form
from bot.desk.people import audit, users
from bot.desk.web import done, page, posted, problem_of, require_admin, session_of, texts_of
from bot.errors import BadRequest
from bot.routing import presence, teams
from bot.routing.hours import Hours
from bot.routing.model import Team


async def show_all(request: web.Request) -> web.StreamResponse:
    require_admin(request)
    return await _list(request)


async def add(request: web.Request) -> web.StreamResponse:
    """A new team by its name; everything else is on its own page."""
    require_admin(request)
    chosen, by = await posted(request), session_of(request).user
    name = chosen.get("name", [""])[-1]

    def work(connection: Connection) -> Team:
        everyone = teams.list_teams(connection)[0]
        made = teams.save_team(connection, Team("", name, hours=Hours(everyone.hours.zone)))
        audit.write(connection, by.id, "team.added", made.name)
        return made

    try:
        made = await request.app[app_keys.DATABASE].run(work)
    except BadRequest as error:
        return await _list(request, problem_of(request, error), name)
    return done(request, f"/teams/{made.id}")


async def show(request: web.Request) -> web.StreamResponse:
    require_admin(request)
    team = await request.app[app_keys.DATABASE].read(
        lambda c: teams.get_team(c, request.match_info["team"])
    )
    return await _form(request, team, form.fields_of(team))


async def save(request: web.Request) -> web.StreamResponse:
    """Store the form; what cannot be used is shown again with the reason."""
    require_admin(request)
    chosen, by = await posted(request), session_of(request).user
    team_id = request.match_info["team"]
    fields: dict[str, Any] = {key: values[-1] for key, values in chosen.items()}
    for many in ("languages", "topics", "overflow_to", "members"):
        fields[many] = [value[:64] for value in chosen.get(many, [])]
    before = await request.app[app_keys.DATABASE].read(lambda c: teams.get_team(c, team_id))

    def work(connection: Connection) -> None:
        saved = teams.save_team(connection, replace(form.team_of(fields), id=team_id))
        teams.set_members(connection, team_id, fields["members"])
        audit.write(connection, by.id, "team.saved", saved.name)

    try:
        await request.app[app_keys.DATABASE].run(work)
    except BadRequest as error:
        return await _form(request, before, fields, problem_of(request, error))
    await presence.announce(request.app[app_keys.REDIS], "plan")
    return done(request, "/teams")


async def remove(request: web.Request) -> web.StreamResponse:
    require_admin(request)
    by, team_id = session_of(request).user, request.match_info["team"]

    def work(connection: Connection) -> None:
        name = teams.get_team(connection, team_id).name
        teams.remove_team(connection, team_id)
        audit.write(connection, by.id, "team.removed", name)

    await request.app[app_keys.DATABASE].run(work)
    await presence.announce(request.app[app_keys.REDIS], "plan")
    return done(request, "/teams")


async def _list(request: web.Request, problem: str = "", name: str = "") -> web.StreamResponse:
    def work(connection: Connection) -> dict[str, Any]:
        memberships, listed = teams.members(connection), teams.list_teams(connection)
        sizes = {team.id: sum(team.id in ids for ids in memberships.values()) for team in listed}
        return {"teams": listed, "sizes": sizes}

    context = await request.app[app_keys.DATABASE].read(work)
    now = time.time()
    opened = {team.id: team.hours.is_open(now) for team in context["teams"]}
    return page(
        request,
        "pages/teams/template.html",
        400 if problem else 200,
        opened=opened,
        problem=problem,
        name=name,
        **context,
    )


async def _form(
    request: web.Request, team: Team, fields: dict[str, Any], problem: str = ""
) -> web.StreamResponse:
    def work(connection: Connection) -> dict[str, Any]:
        memberships = teams.members(connection)
        people = [user for user in users.list_users(connection) if not user.disabled]
        members = [user.id for user in people if team.id in memberships.get(user.id, ())]
        others = [other for other in teams.list_teams(connection) if other.id != team.id]
        return {"people": people, "members": members, "others": others}

    context = await request.app[app_keys.DATABASE].read(work)
    if "members" in fields:
        context["members"] = fields["members"]
    return page(
        request,
        "pages/teams/team.html",
        400 if problem else 200,
        team=team,
        fields=fields,
        problem=problem,
        languages=request.app[app_keys.SETTINGS].languages,
        days=form.day_names(texts_of(request)),
        examples=form.EXAMPLES,
        **context,
    )


ROUTES = (
    web.get("/teams", show_all),
    web.post("/teams", add),
    web.get("/teams/{team}", show),
    web.post("/teams/{team}", save),
    web.post("/teams/{team}/remove", remove),
)
