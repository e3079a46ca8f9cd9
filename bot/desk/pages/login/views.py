"""Logging in and out: the password, then the code of whoever has a second factor."""

from __future__ import annotations

import secrets
import time
from typing import NoReturn

from aiohttp import web

from bot.desk import app_keys
from bot.desk.people import auth, devices, halfway
from bot.desk.people.auth import CodeWanted, Session, Started
from bot.desk.people.halfway import Halfway
from bot.desk.web import (
    COOKIE,
    RENDERER,
    SESSION,
    cookie,
    drop_cookie,
    form,
    page,
    remember_language,
    session_of,
    set_cookie,
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
    login, password = fields.get("login", ""), fields.get("password", "")
    if not _is_own_form(request, fields):
        return _form(request, "login.too_old", login)
    known, key = await _count_attempt(request, login)
    started = await auth.log_in(
        request.app[app_keys.DATABASE], login, password, known=known, address=_address(request)
    )
    if started is None:
        return _form(request, "login.wrong", login, status=401)
    await guarded(request.app[app_keys.REDIS].decr(key))
    if isinstance(started, CodeWanted):
        await _lead_to_code(request, started)
    else:
        await _let_in(request, started)


async def show_code(request: web.Request) -> web.StreamResponse:
    if await _halfway(request) is None:
        raise web.HTTPSeeOther("/login")
    return _code_form(request, "")


async def check_code(request: web.Request) -> web.StreamResponse:
    """The second step; its wrong codes are counted like wrong passwords."""
    fields, who = await form(request), await _halfway(request)
    if who is None or not _is_own_form(request, fields):
        return _form(request, "login.too_old")
    known, key = await _count_attempt(request, who.login)
    started = await auth.log_in_by_code(
        request.app[app_keys.DATABASE],
        request.app[app_keys.SECRET],
        who.user_id,
        fields.get("code", "")[:64],
        known=known,
        address=_address(request),
    )
    if started is None:
        return _code_form(request, "login.wrong_code", status=401)
    await guarded(request.app[app_keys.REDIS].decr(key))
    await _let_in(request, started)


async def _lead_to_code(request: web.Request, wanted: CodeWanted) -> NoReturn:
    secret, browser = request.app[app_keys.SECRET], cookie(request, BROWSER_COOKIE)
    value = await request.app[app_keys.DATABASE].read(
        lambda c: halfway.issue(secret, c, wanted.user.id, browser, time.time())
    )
    response = web.HTTPSeeOther("/login/code")
    set_cookie(request, response, halfway.COOKIE, value, halfway.LIFE_S)
    raise response


async def _let_in(request: web.Request, started: Started) -> NoReturn:
    user_id, secret = started.session.user.id, request.app[app_keys.SECRET]
    device = await request.app[app_keys.DATABASE].read(lambda c: devices.issue(secret, c, user_id))
    if (before := request.get(SESSION)) is not None:
        await _end(request, before)
    response = web.HTTPSeeOther("/")
    set_cookie(request, response, COOKIE, started.token, auth.SESSION_S)
    set_cookie(request, response, devices.COOKIE, device, devices.REMEMBERED_S)
    for name in (BROWSER_COOKIE, halfway.COOKIE):
        drop_cookie(request, response, name)
    raise response


async def _halfway(request: web.Request) -> Halfway | None:
    secret, browser = request.app[app_keys.SECRET], cookie(request, BROWSER_COOKIE)
    sent = cookie(request, halfway.COOKIE)
    return await request.app[app_keys.DATABASE].read(
        lambda c: halfway.read(secret, c, sent, browser, time.time())
    )


def _is_own_form(request: web.Request, fields: dict[str, str]) -> bool:
    browser = cookie(request, BROWSER_COOKIE)
    expected = auth.form_token(request.app[app_keys.SECRET], browser)
    return bool(browser) and auth.same(fields.get("csrf", ""), expected)


async def log_out(request: web.Request) -> web.StreamResponse:
    await _end(request, session_of(request))
    response = web.HTTPSeeOther("/login")
    drop_cookie(request, response, COOKIE)
    raise response


async def _end(request: web.Request, session: Session) -> None:
    await request.app[app_keys.DATABASE].run(lambda c: auth.end_session(c, session.digest))
    request.app[app_keys.HUB].dismiss(session.user.id)


def _form(request: web.Request, message: str, login: str = "", status: int = 200) -> web.Response:
    browser = cookie(request, BROWSER_COOKIE) or secrets.token_urlsafe(16)
    token = auth.form_token(request.app[app_keys.SECRET], browser)
    response = page(
        request,
        "pages/login/template.html",
        status=status,
        message=message,
        login=login[:64],
        token=token,
    )
    set_cookie(request, response, BROWSER_COOKIE, browser, 3600)
    return response


def _code_form(request: web.Request, message: str, status: int = 200) -> web.Response:
    token = auth.form_token(request.app[app_keys.SECRET], cookie(request, BROWSER_COOKIE))
    return page(request, "pages/login/code.html", status=status, message=message, token=token)


def _address(request: web.Request) -> str:
    return address_of(request, request.app[app_keys.SETTINGS].trusted_proxies)


async def _count_attempt(request: web.Request, login: str) -> tuple[bool, str]:
    """Count an attempt before its password is checked; the right one is given back.

    Attempts side by side would otherwise all be checked before the first of them counts. A browser
    that has logged in before has an allowance of its own, which no stranger uses up.

    Returns:
        Whether the browser is known, and the counter's key.

    Raises:
        BadRequest: The address has used its attempts up (status 429).
    """
    slot = int(time.time() // LIMIT_WINDOW_S)
    secret, sent = request.app[app_keys.SECRET], cookie(request, devices.COOKIE)
    device = await request.app[app_keys.DATABASE].read(
        lambda c: devices.known(secret, c, login, sent)
    )
    if device:
        key = redis_keys.limit("desk-device", device, slot)
        if await _count(request, key) <= auth.FREE_FAILURES:
            return True, key
    key = redis_keys.limit("desk-login", _address(request), slot)
    if await _count(request, key) > LIMIT_ATTEMPTS:
        raise BadRequest("too-many-attempts", "Too many attempts: wait a quarter of an hour.", 429)
    return False, key


async def _count(request: web.Request, key: str) -> int:
    pipe = request.app[app_keys.REDIS].pipeline(transaction=True)
    pipe.incr(key)
    pipe.expire(key, LIMIT_WINDOW_S)
    count, _ = await guarded(pipe.execute())
    return int(count)


ROUTES = (
    web.get("/login", show),
    web.post("/login", log_in),
    web.get("/login/code", show_code),
    web.post("/login/code", check_code),
    web.post("/logout", log_out),
)
