"""Asking for today's password again before something about the login itself is changed."""

from __future__ import annotations

import time

from aiohttp import web

from bot.desk import app_keys
from bot.desk.people import auth
from bot.desk.web import session_of
from bot.errors import BadRequest
from bot.stores import redis_keys
from bot.stores.redis_client import guarded

WINDOW_S = 900
MOST_ATTEMPTS = 10
"""Wrong passwords of one user in a window: who sits at their desk must not guess for long."""


async def check_password(request: web.Request, password: str) -> None:
    """Let through who knows the password of today.

    Raises:
        BadRequest: It is another one (status 403), or there were too many attempts (429).
    """
    user = session_of(request).user
    await count_attempt(request)
    row = await request.app[app_keys.DATABASE].read(lambda c: auth.row_of(c, user.login))
    if row is None or not await auth.is_right(str(row["password_hash"]), password):
        raise BadRequest("wrong-password", "The current password is another one.", 403)


async def count_attempt(request: web.Request) -> None:
    """Count an attempt of this user; raises as `check_password` for too many."""
    user = session_of(request).user
    key = redis_keys.limit("desk-password", user.id, int(time.time() // WINDOW_S))
    pipe = request.app[app_keys.REDIS].pipeline(transaction=True)
    pipe.incr(key)
    pipe.expire(key, WINDOW_S)
    count, _ = await guarded(pipe.execute())
    if int(count) > MOST_ATTEMPTS:
        raise BadRequest("too-many-attempts", "Too many attempts: wait a quarter of an hour.", 429)
