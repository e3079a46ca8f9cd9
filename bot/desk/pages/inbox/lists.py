"""A user's own lists, and the colleagues a note may name."""

from __future__ import annotations

from aiohttp import web
from sqlalchemy.engine import Connection

from bot.desk import app_keys
from bot.desk.conversation import mentions
from bot.desk.lists import saved_filters
from bot.desk.lists.filters import Filters, View
from bot.desk.people import scope
from bot.desk.web import done, form, session_of
from bot.errors import BadRequest


async def save_filter(request: web.Request) -> web.StreamResponse:
    """Keep view, filters and order of a list under `name`."""
    fields, user = await form(request), session_of(request).user
    try:
        view = View(fields.get("view", ""))
    except ValueError:
        raise BadRequest("unknown-view", "There is no such list.", status=404) from None
    saved = await request.app[app_keys.DATABASE].run(
        lambda c: saved_filters.save(c, user.id, fields.get("name", ""), view, Filters.of(fields))
    )
    return done(request, f"/inbox/{view.value}", saved=saved.id, query=saved.query)


async def remove_filter(request: web.Request) -> web.StreamResponse:
    user, filter_id = session_of(request).user, request.match_info["filter"]
    await request.app[app_keys.DATABASE].run(lambda c: saved_filters.remove(c, user.id, filter_id))
    return done(request, "/inbox/open")


async def people(request: web.Request) -> web.StreamResponse:
    """Who can be called in a note (on `conversation`), as JSON for the composer's menu."""
    user, conversation = session_of(request).user, request.query.get("conversation", "")[:64]

    def work(connection: Connection) -> list[tuple[str, str]]:
        if conversation:
            scope.check(connection, user, conversation)
        return mentions.offered(connection, user, conversation)

    found = await request.app[app_keys.DATABASE].read(work)
    return web.json_response([{"login": login, "name": name} for login, name in found])


ROUTES = (
    web.get("/people.json", people),
    web.post("/filters", save_filter),
    web.post("/filters/{filter}/remove", remove_filter),
)
