"""The page on which users choose a new password for themselves."""

from __future__ import annotations

import time

from aiohttp import web
from sqlalchemy.engine import Connection

from bot.desk import app_keys
from bot.desk.people import audit, auth, devices, users
from bot.desk.people.auth import Started
from bot.desk.web import COOKIE, form, page, problem_of, session_of, set_cookie
from bot.errors import BadRequest
from bot.stores import redis_keys
from bot.stores.redis_client import guarded

WINDOW_S = 900
MOST_ATTEMPTS = 10
"""Wrong passwords of one user in a window: who sits at their desk must not guess for long."""


async def show(request: web.Request) -> web.StreamResponse:
    return _page(request)


async def change(request: web.Request) -> web.StreamResponse:
    """Take a new password from who knows the old one; all other browsers are logged out."""
    fields, user = await form(request), session_of(request).user
    try:
        await _check_current(request, fields.get("current", ""))
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


async def _check_current(request: web.Request, password: str) -> None:
    """Let through who knows the password of today.

    Raises:
        BadRequest: It is another one (status 403), or there were too many attempts (429).
    """
    user = session_of(request).user
    key = redis_keys.limit("desk-password", user.id, int(time.time() // WINDOW_S))
    pipe = request.app[app_keys.REDIS].pipeline(transaction=True)
    pipe.incr(key)
    pipe.expire(key, WINDOW_S)
    count, _ = await guarded(pipe.execute())
    if int(count) > MOST_ATTEMPTS:
        raise BadRequest("too-many-attempts", "Too many attempts: wait a quarter of an hour.", 429)
    row = await request.app[app_keys.DATABASE].read(lambda c: auth.row_of(c, user.login))
    if row is None or not await auth.is_right(str(row["password_hash"]), password):
        raise BadRequest("wrong-password", "The current password is another one.", 403)


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
