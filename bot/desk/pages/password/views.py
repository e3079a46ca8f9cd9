"""The page on which users choose a new password for themselves."""

from __future__ import annotations

import time

from aiohttp import web
from sqlalchemy.engine import Connection

from bot.desk import app_keys
from bot.desk.confirming import check_password
from bot.desk.people import audit, auth, devices, users
from bot.desk.people.auth import Started
from bot.desk.web import COOKIE, form, page, problem_of, session_of, set_cookie
from bot.errors import BadRequest


async def show(request: web.Request) -> web.StreamResponse:
    return _page(request)


async def change(request: web.Request) -> web.StreamResponse:
    """Take a new password from who knows the old one; all other browsers are logged out."""
    fields, user = await form(request), session_of(request).user
    try:
        await check_password(request, fields.get("current", ""))
        if fields.get("password") != fields.get("again"):
            raise BadRequest("passwords-differ", "The new password is not the same twice.")
        chosen, secret = fields.get("password", ""), request.app[app_keys.SECRET]

        def work(connection: Connection) -> tuple[Started, str]:
            users.set_password(connection, user.id, chosen)
            audit.write(connection, user.id, "user.own_password", user.id)
            started = auth.start_session(connection, user, time.time())
            return started, devices.issue(secret, connection, user.id)

        started, device = await request.app[app_keys.DATABASE].run(work)
    except BadRequest as error:
        return _page(request, problem_of(request, error), error.status)
    request.app[app_keys.HUB].dismiss(user.id)
    response = web.HTTPSeeOther("/")
    set_cookie(request, response, COOKIE, started.token, auth.SESSION_S)
    set_cookie(request, response, devices.COOKIE, device, devices.REMEMBERED_S)
    raise response


def _page(request: web.Request, message: str = "", status: int = 200) -> web.Response:
    return page(
        request,
        "pages/password/template.html",
        status=status,
        message=message,
        least=users.PASSWORD_LEAST,
    )


ROUTES = (
    web.get("/password", show),
    web.post("/password", change),
)
