"""The page of service levels: what is promised to whom."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from sqlalchemy.engine import Connection

from bot.desk import app_keys
from bot.desk.people import audit, naming
from bot.desk.web import done, form, page, problem_of, require_admin, session_of
from bot.errors import BadRequest
from bot.routing import policies, teams
from bot.routing.sla import SlaPolicy


async def show(request: web.Request) -> web.StreamResponse:
    require_admin(request)
    return await _list(request)


async def save(request: web.Request) -> web.StreamResponse:
    """Add a policy, or change the one that is named in the address."""
    require_admin(request)
    fields, by = await form(request), session_of(request).user
    policy_id = request.match_info.get("policy", "")

    def work(connection: Connection) -> None:
        saved = policies.save_policy(connection, policy_of(fields, policy_id))
        audit.write(connection, by.id, "policy.saved", saved.name)

    try:
        await request.app[app_keys.DATABASE].run(work)
    except BadRequest as error:
        return await _list(request, problem_of(request, error), {**fields, "id": policy_id})
    return done(request, "/policies")


async def remove(request: web.Request) -> web.StreamResponse:
    require_admin(request)
    by, policy_id = session_of(request).user, request.match_info["policy"]

    def work(connection: Connection) -> None:
        policies.remove_policy(connection, policy_id)
        audit.write(connection, by.id, "policy.removed", policy_id)

    await request.app[app_keys.DATABASE].run(work)
    return done(request, "/policies")


def policy_of(fields: dict[str, str], policy_id: str = "") -> SlaPolicy:
    """Read a posted form; times are minutes, empty for none.

    Raises:
        BadRequest: A number cannot be used.
    """
    priority = fields.get("least_priority", "0")
    return SlaPolicy(
        id=policy_id,
        name=naming.plain(fields.get("name", "")),
        team=fields.get("team", "")[:64],
        channel=fields.get("channel", "")[:32],
        least_priority=int(priority) if priority in {"0", "1", "2", "3"} else 0,
        first_reply_s=_seconds(fields.get("first", "")),
        next_reply_s=_seconds(fields.get("next", "")),
        resolution_s=_seconds(fields.get("resolution", "")),
        business_hours=bool(fields.get("business_hours")),
    )


def _seconds(minutes: str) -> int | None:
    text = minutes.strip()
    if not text:
        return None
    try:
        seconds = float(text) * 60
    except ValueError:
        seconds = -1.0
    if not 0 < seconds <= policies.LONGEST_S:
        raise BadRequest("bad-time-allowed", "A time is half a minute to 90 days.")
    return int(seconds)


async def _list(
    request: web.Request, problem: str = "", fields: dict[str, str] | None = None
) -> web.StreamResponse:
    def work(connection: Connection) -> dict[str, Any]:
        return {
            "policies": policies.list_policies(connection),
            "teams": teams.list_teams(connection),
        }

    context = await request.app[app_keys.DATABASE].read(work)
    names = {team.id: team.name for team in context["teams"]}
    return page(
        request,
        "pages/policies/template.html",
        400 if problem else 200,
        names=names,
        problem=problem,
        fields=fields or {},
        channels=request.app[app_keys.CHANNELS],
        **context,
    )


ROUTES = (
    web.get("/policies", show),
    web.post("/policies", save),
    web.post("/policies/{policy}", save),
    web.post("/policies/{policy}/remove", remove),
)
