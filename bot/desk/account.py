"""The menu behind a user's name: status and language. Logging out is in the page of the login."""

from __future__ import annotations

from aiohttp import web

from bot.desk import app_keys
from bot.desk.people import users
from bot.desk.web import RENDERER, came_from, done, form, remember_language, session_of
from bot.errors import BadRequest
from bot.routing import presence, teams
from bot.routing.model import Presence


async def choose_presence(request: web.Request) -> web.StreamResponse:
    """Store the presence a user chose."""
    wanted, user = (await form(request)).get("presence", ""), session_of(request).user
    if wanted not in set(Presence):
        raise BadRequest("bad-presence", "There is no such status.")
    await request.app[app_keys.DATABASE].run(
        lambda c: teams.save_presence(c, user.id, Presence(wanted))
    )
    await request.app[app_keys.SERVICE].active(user.id)
    await presence.announce(request.app[app_keys.REDIS], "presence")
    return done(request, came_from(request))


async def choose_language(request: web.Request) -> web.StreamResponse:
    """Remember in which language this user, and this browser, wants the desk."""
    wanted, user = (await form(request)).get("language", ""), session_of(request).user
    if wanted not in request.app[RENDERER].catalogue.texts:
        raise BadRequest("unknown-language", "The desk does not speak this language.")
    await request.app[app_keys.DATABASE].run(
        lambda c: users.set_interface_language(c, user.id, wanted)
    )
    response = web.HTTPSeeOther(came_from(request))
    remember_language(request, response, wanted)
    raise response


ROUTES = (
    web.post("/presence", choose_presence),
    web.post("/account/language", choose_language),
)
