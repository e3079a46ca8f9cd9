"""Pages of teams: who they are chosen for, who is in them, when they work, who helps out."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import date
from typing import Any

from aiohttp import web
from babel import Locale, UnknownLocaleError  # type: ignore[import-untyped]
from sqlalchemy.engine import Connection

from bot.desk import app_keys
from bot.desk.people import audit, users
from bot.desk.texts import Texts
from bot.desk.web import done, page, problem_of, require_admin, session_of, texts_of
from bot.errors import BadRequest
from bot.routing import hours, presence, teams
from bot.routing.hours import Hours, Spans
from bot.routing.model import Team

DAYS = 7
MOST_EXCEPTIONS = 200
EXAMPLES = {
    "hours": "09:00-17:30",
    "zone": "Asia/Kolkata",
    "exceptions": "2026-12-25\n2026-12-24 09:00-12:00",
}


async def team_list(request: web.Request) -> web.StreamResponse:
    require_admin(request)
    return await _list(request)


async def team_add(request: web.Request) -> web.StreamResponse:
    """A new team by its name; everything else is on its own page."""
    require_admin(request)
    posted, by = await request.post(), session_of(request).user
    name = str(posted.get("name", ""))

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


async def team_show(request: web.Request) -> web.StreamResponse:
    require_admin(request)
    team = await request.app[app_keys.DATABASE].read(
        lambda c: teams.get_team(c, request.match_info["team"])
    )
    return await _form(request, team, fields_of(team))


async def team_save(request: web.Request) -> web.StreamResponse:
    """Store the form; what cannot be used is shown again with the reason."""
    require_admin(request)
    posted, by = await request.post(), session_of(request).user
    team_id = request.match_info["team"]
    fields: dict[str, Any] = {key: str(value) for key, value in posted.items()}
    for many in ("languages", "topics", "overflow_to", "members"):
        fields[many] = [str(value)[:64] for value in posted.getall(many, [])]
    before = await request.app[app_keys.DATABASE].read(lambda c: teams.get_team(c, team_id))

    def work(connection: Connection) -> None:
        saved = teams.save_team(connection, replace(team_of(fields), id=team_id))
        teams.set_members(connection, team_id, fields["members"])
        audit.write(connection, by.id, "team.saved", saved.name)

    try:
        await request.app[app_keys.DATABASE].run(work)
    except BadRequest as error:
        return await _form(request, before, fields, problem_of(request, error))
    await presence.announce(request.app[app_keys.REDIS], "plan")
    return done(request, "/teams")


async def team_remove(request: web.Request) -> web.StreamResponse:
    require_admin(request)
    by, team_id = session_of(request).user, request.match_info["team"]

    def work(connection: Connection) -> None:
        name = teams.get_team(connection, team_id).name
        teams.remove_team(connection, team_id)
        audit.write(connection, by.id, "team.removed", name)

    await request.app[app_keys.DATABASE].run(work)
    await presence.announce(request.app[app_keys.REDIS], "plan")
    return done(request, "/teams")


def team_of(fields: dict[str, Any]) -> Team:
    """Read a posted form.

    Raises:
        BadRequest: A time, date or number cannot be used.
    """
    minutes = fields.get("overflow_min", "").strip()
    if not (minutes.isascii() and minutes.isdigit() and len(minutes) <= 5):
        raise BadRequest("bad-overflow", "Others help after a number of minutes.")
    zone = fields.get("zone", "").strip()
    hours.zone_of(zone)
    week = tuple(hours.parse_spans(fields.get(f"day-{day}", "")) for day in range(DAYS))
    return Team(
        id="",
        name=fields.get("name", ""),
        languages=frozenset(fields["languages"]),
        topics=frozenset(fields["topics"]),
        hours=Hours(zone, week, parse_exceptions(fields.get("exceptions", ""))),
        overflow_after_s=int(minutes) * 60,
        overflow_to=tuple(fields["overflow_to"]),
    )


def parse_exceptions(text: str) -> dict[date, Spans]:
    """Read one exception a line: a date, and its hours unless it is a day off.

    Raises:
        BadRequest: A line is neither, or there are too many.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if len(lines) > MOST_EXCEPTIONS:
        raise BadRequest("bad-date", f"At most {MOST_EXCEPTIONS} days.")
    found = {}
    for line in lines:
        day, _, spans = (
            line.replace(":", " ", 1).partition(" ")
            if line[10:11] == ":"
            else (line.partition(" "))
        )
        found[hours.parse_day(day)] = hours.parse_spans(spans)
    return found


def fields_of(team: Team) -> dict[str, Any]:
    """A team as its form shows it."""
    days = {f"day-{day}": hours.spans_text(team.hours.week[day]) for day in range(DAYS)}
    exceptions = [
        f"{day.isoformat()} {hours.spans_text(spans)}".strip()
        for day, spans in sorted(team.hours.exceptions.items())
    ]
    return {
        "name": team.name,
        "languages": sorted(team.languages),
        "topics": sorted(team.topics),
        "zone": team.hours.zone,
        "exceptions": "\n".join(exceptions),
        **days,
        "overflow_min": str(team.overflow_after_s // 60),
        "overflow_to": list(team.overflow_to),
    }


def day_names(texts: Texts) -> list[str]:
    """Monday to Sunday in a language."""
    try:
        locale = Locale.parse(texts.language)
    except (UnknownLocaleError, ValueError):
        locale = Locale("en")
    names = locale.days["stand-alone"]["wide"]
    return [str(names[day]) for day in range(DAYS)]


async def _list(request: web.Request, problem: str = "", name: str = "") -> web.StreamResponse:
    def work(connection: Connection) -> dict[str, Any]:
        of_team, known = teams.members(connection), teams.list_teams(connection)
        sizes = {team.id: sum(team.id in ids for ids in of_team.values()) for team in known}
        return {"teams": known, "sizes": sizes}

    context = await request.app[app_keys.DATABASE].read(work)
    now = time.time()
    opened = {team.id: team.hours.is_open(now) for team in context["teams"]}
    return page(
        request,
        "teams.html",
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
        of_team = teams.members(connection)
        people = [one for one in users.list_users(connection) if not one.disabled]
        members = [one.id for one in people if team.id in of_team.get(one.id, ())]
        others = [one for one in teams.list_teams(connection) if one.id != team.id]
        return {"people": people, "members": members, "others": others}

    context = await request.app[app_keys.DATABASE].read(work)
    if "members" in fields:
        context["members"] = fields["members"]
    return page(
        request,
        "team.html",
        400 if problem else 200,
        team=team,
        fields=fields,
        problem=problem,
        languages=request.app[app_keys.SETTINGS].languages,
        days=day_names(texts_of(request)),
        examples=EXAMPLES,
        **context,
    )
