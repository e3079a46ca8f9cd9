"""Logging in and out."""

from __future__ import annotations

import secrets
import time

from aiohttp import web

from bot.desk import app_keys
from bot.desk.people import auth
from bot.desk.web import (
    COOKIE,
    RENDERER,
    SESSION,
    form,
    is_secure,
    page,
    remember_language,
    session_of,
)
from bot.errors import BadRequest
from bot.remote import address_of
from bot.stores import redis_keys
from bot.stores.redis_client import guarded

BROWSER_COOKIE = "samvad_login"
LIMIT_WINDOW_S = 900
LIMIT_ATTEMPTS = 40
"""Wrong passwords from one address in a window; the lock of a login is stricter."""


async def show(request: web.Request) -> web.StreamResponse:
    if SESSION in request:
        raise web.HTTPSeeOther("/")
    wanted = request.query.get("language", "")
    if wanted in request.app[RENDERER].catalogue.texts:
        response = web.HTTPSeeOther("/login")
        remember_language(request, response, wanted)
        raise response
    return _form(request, "")


async def log_in(request: web.Request) -> web.StreamResponse:
    fields = await form(request)
    browser = request.cookies.get(BROWSER_COOKIE, "")
    expected = auth.form_token(request.app[app_keys.SECRET], browser)
    if not browser or not auth.same(fields.get("csrf", ""), expected):
        return _form(request, "login.too_old", fields.get("login", ""))
    key = _limit_key(request)
    await _count_attempt(request, key)
    started = await auth.log_in(
        request.app[app_keys.DATABASE], fields.get("login", ""), fields.get("password", "")
    )
    if started is None:
        return _form(request, "login.wrong", fields.get("login", ""), status=401)
    await guarded(request.app[app_keys.REDIS].decr(key))
    response = web.HTTPSeeOther("/")
    response.set_cookie(
        COOKIE,
        started.token,
        max_age=auth.SESSION_S,
        httponly=True,
        samesite="Lax",
        path="/",
        secure=is_secure(request),
    )
    response.del_cookie(BROWSER_COOKIE, path="/login")
    raise response


async def log_out(request: web.Request) -> web.StreamResponse:
    session = session_of(request)
    await request.app[app_keys.DATABASE].run(lambda c: auth.end_session(c, session.digest))
    request.app[app_keys.HUB].dismiss(session.user.id)
    response = web.HTTPSeeOther("/login")
    response.del_cookie(COOKIE, path="/")
    raise response


def _form(request: web.Request, message: str, login: str = "", status: int = 200) -> web.Response:
    browser = request.cookies.get(BROWSER_COOKIE) or secrets.token_urlsafe(16)
    token = auth.form_token(request.app[app_keys.SECRET], browser)
    response = page(
        request,
        "pages/login/template.html",
        status=status,
        message=message,
        login=login[:64],
        token=token,
    )
    response.set_cookie(
        BROWSER_COOKIE,
        browser,
        max_age=3600,
        httponly=True,
        samesite="Lax",
        path="/login",
        secure=is_secure(request),
    )
    return response


def _limit_key(request: web.Request) -> str:
    slot = int(time.time() // LIMIT_WINDOW_S)
    address = address_of(request, request.app[app_keys.SETTINGS].trusted_proxies)
    return redis_keys.limit("desk-login", address, slot)


async def _count_attempt(request: web.Request, key: str) -> None:
    """Count an attempt before its password is checked; the right one is given back.

    Attempts side by side would otherwise all be checked before the first of them counts.

    Raises:
        BadRequest: The address has used its attempts up (status 429).
    """
    pipe = request.app[app_keys.REDIS].pipeline(transaction=True)
    pipe.incr(key)
    pipe.expire(key, LIMIT_WINDOW_S)
    count, _ = await guarded(pipe.execute())
    if int(count) > LIMIT_ATTEMPTS:
        raise BadRequest("too-many-attempts", "Too many attempts: wait a quarter of an hour.", 429)


ROUTES = (
    web.get("/login", show),
    web.post("/login", log_in),
    web.post("/logout", log_out),
)
