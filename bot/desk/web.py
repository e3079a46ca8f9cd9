"""Code that handlers of all pages use: session and texts of a request, forms, answers."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from bot.desk import app_keys
from bot.desk.people.auth import Session
from bot.desk.rendering import Renderer
from bot.desk.texts import Texts
from bot.errors import BadRequest
from bot.handoff.service import Agent
from bot.web.bodies import Fields, read_form

RENDERER = web.AppKey("RENDERER", Renderer)
SESSION = web.RequestKey("SESSION", Session)
COOKIE = "samvad_desk"
LANGUAGE_COOKIE = "samvad_language"
LANGUAGE_S = 365 * 86400
"""How long a browser keeps the language chosen at the login."""
CONVERSATION = "/conversations/{conversation:[A-Za-z0-9_-]{1,64}}"
"""Where the addresses of what can be done with a conversation begin."""
MOST_FORM_BYTES = 128 * 1024
_FORM: web.RequestKey[Fields] = web.RequestKey("FORM")
_KEY = re.compile(r"[A-Za-z0-9_-]{8,48}")


def check_origin(request: web.Request, *, required: bool) -> None:
    """Refuse requests other sites make in the user's name.

    Raises:
        BadRequest: The Origin header is another host's, or missing where `required` (status 403).
    """
    origin = request.headers.get("Origin")
    if origin is None and not required:
        return
    if origin is None or urlsplit(origin).netloc.lower() != request.host.lower():
        raise BadRequest("bad-origin", "This request came from another site.", status=403)


def wants_json(request: web.Request) -> bool:
    return "application/json" in request.headers.get("Accept", "")


def session_of(request: web.Request) -> Session:
    return request[SESSION]


def texts_of(request: web.Request) -> Texts:
    """Texts in the user's language.

    What they chose for themselves comes first, then what this browser was told at the login, then
    what it accepts by itself, then the installation's default.
    """
    session = request.get(SESSION)
    return request.app[RENDERER].catalogue.choose(
        session.user.interface_language if session else "",
        cookie(request, LANGUAGE_COOKIE)[:16],
        accepted=request.headers.get("Accept-Language", ""),
    )


def agent_of(request: web.Request) -> Agent:
    user = session_of(request).user
    return Agent(user.id, user.name, user.supervises)


def require_admin(request: web.Request) -> None:
    """Let admins pass.

    Raises:
        BadRequest: The user is not one (status 403).
    """
    if not session_of(request).user.is_admin:
        raise BadRequest("admins-only", "This page is for administrators.", status=403)


def require_supervisor(request: web.Request) -> None:
    """Let supervisors and admins pass.

    Raises:
        BadRequest: The user is neither (status 403).
    """
    if not session_of(request).user.supervises:
        raise BadRequest("supervisors-only", "This page is for supervisors.", status=403)


async def form(request: web.Request) -> dict[str, str]:
    """Text fields of the posted form; of repeated ones the last."""
    return {name: values[-1] for name, values in (await posted(request)).items()}


async def posted(request: web.Request) -> Fields:
    """All values of the posted form's text fields; read once.

    Raises:
        BadRequest: It cannot be read (`bot.web.bodies.read_form`).
    """
    if _FORM not in request:
        request[_FORM] = await read_form(request, MOST_FORM_BYTES)
    return request[_FORM]


def action_key(fields: dict[str, str]) -> str:
    """The idempotency key a page makes for each click.

    Raises:
        BadRequest: It is missing or has other characters than we make.
    """
    key = fields.get("key", "")
    if not _KEY.fullmatch(key):
        raise BadRequest("bad-key", "The action carries no usable key: reload the page.")
    return key


def page(request: web.Request, template: str, status: int = 200, **context: Any) -> web.Response:
    """Render a page for the user at hand; `user` and `csrf` are always there."""
    session = request.get(SESSION)
    html = request.app[RENDERER].page(
        template,
        texts_of(request),
        user=session.user if session else None,
        csrf=session.csrf if session else "",
        presence=session.presence if session else "",
        path=request.path,
        **context,
    )
    return web.Response(text=html, content_type="text/html", charset="utf-8", status=status)


def done(request: web.Request, target: str, **more: Any) -> web.Response:
    """Answer an action: JSON for scripts, a redirect for plain forms."""
    if wants_json(request):
        return web.json_response({"ok": True, "target": target, **more})
    raise web.HTTPSeeOther(target)


def problem_of(request: web.Request, error: BadRequest) -> str:
    """Return the fault of a form, in the user's language."""
    texts, key = texts_of(request), f"error.{error.code}"
    return texts.say(key if texts.has(key) else "error.other", **error.values)


def came_from(request: web.Request) -> str:
    """The page a form was on, as a path of our own."""
    address = urlsplit(request.headers.get("Referer", ""))
    own = address.netloc.lower() == request.host.lower() and address.path.startswith("/")
    # Two slashes in front would be another host.
    return "/" + address.path.lstrip("/") if own else "/"


def remember_language(request: web.Request, response: web.StreamResponse, language: str) -> None:
    """Keep the language of the desk in a cookie of the browser, for its next login."""
    set_cookie(request, response, LANGUAGE_COOKIE, language, LANGUAGE_S)


def set_cookie(
    request: web.Request, response: web.StreamResponse, name: str, value: str, max_age: int
) -> None:
    """Give the browser a cookie that scripts cannot read and other sites do not send."""
    response.set_cookie(
        _spelled(request, name),
        value,
        max_age=max_age,
        httponly=True,
        samesite="Lax",
        path="/",
        secure=is_secure(request),
    )


def cookie(request: web.Request, name: str) -> str:
    """What the browser sent; "" for nothing."""
    return request.cookies.get(_spelled(request, name), "")


def drop_cookie(request: web.Request, response: web.StreamResponse, name: str) -> None:
    response.del_cookie(_spelled(request, name), path="/", secure=is_secure(request))


def _spelled(request: web.Request, name: str) -> str:
    """Over https no other host of the domain can set a cookie of this name, nor plain http."""
    return f"__Host-{name}" if is_secure(request) else name


def is_secure(request: web.Request) -> bool:
    """Whether browsers reach the desk by https; its cookies are for that only, then."""
    return request.app[app_keys.SETTINGS].public_url.startswith("https://")
