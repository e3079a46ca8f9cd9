"""What every request to the desk passes through: session, CSRF, headers, errors."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import structlog
from aiohttp import web

from bot.desk import app_keys
from bot.desk.people import auth, scope
from bot.desk.people.auth import Session
from bot.desk.rendering import Renderer
from bot.desk.texts import Texts
from bot.errors import BadRequest, NotAuthenticated, StoreUnavailable, TransitionRefused
from bot.handoff.service import Agent

log = structlog.get_logger()

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
RENDERER = web.AppKey("RENDERER", Renderer)
SESSION = web.RequestKey("SESSION", Session)
COOKIE = "samvad_desk"
LANGUAGE_COOKIE = "samvad_language"
PUBLIC = frozenset({"/login", "/health"})
_KEY = re.compile(r"[A-Za-z0-9_-]{8,48}")

HEADERS = {
    # `connect-src 'self'` covers the WebSocket of the same host (CSP level 3).
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; manifest-src 'self'; form-action 'self'; frame-ancestors 'none'; "
        "base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # `no-referrer` would make browsers send `Origin: null` with our own forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


@web.middleware
async def headers(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Add the security headers, and say what may be cached."""
    try:
        response = await handler(request)
    except web.HTTPException as refusal:
        _add_headers(request, refusal)
        raise
    if not response.prepared:
        _add_headers(request, response)
    return response


def _add_headers(request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(HEADERS)
    static = request.path.startswith(request.app[app_keys.ASSETS] + "/")
    response.headers["Cache-Control"] = (
        "public, max-age=31536000, immutable" if static else "no-store"
    )


@web.middleware
async def errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn our errors into pages, or into JSON for the page's scripts."""
    try:
        return await handler(request)
    except NotAuthenticated as error:
        if wants_json(request) or request.method != "GET":
            return _refusal(request, error.status, error.code)
        raise web.HTTPSeeOther("/login") from error
    except BadRequest as error:
        return _refusal(request, error.status, error.code, **error.values)
    except TransitionRefused as error:
        log.info(
            "desk.refused",
            conversation_id=error.conversation_id,
            state=str(error.state),
            target=str(error.target),
        )
        return _refusal(request, 409, "too-late")
    except StoreUnavailable as error:
        log.error("desk.store_unavailable", store=error.store)
        return _refusal(request, 503, "store-unavailable")
    except web.HTTPException as error:
        if error.status < 400 or wants_json(request):
            raise
        return _refusal(request, error.status, "not-found" if error.status == 404 else "other")


@web.middleware
async def sessions(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let in who has a session; check origin and CSRF token of everything that changes."""
    if request.path.startswith("/static/"):
        return await handler(request)
    token = request.cookies.get(COOKIE, "")
    session = None
    if token:
        session = await request.app[app_keys.DATABASE].read(
            lambda c: auth.find_session(c, token[:128])
        )
    if session is not None:
        request[SESSION] = session
    elif request.path not in PUBLIC:
        raise NotAuthenticated
    if request.method not in {"GET", "HEAD"}:
        check_origin(request, required=False)
        if session is not None:
            given = request.headers.get("X-CSRF-Token") or (await form(request)).get("csrf", "")
            if not auth.same(given, session.csrf):
                raise BadRequest("bad-csrf", "The form is too old: reload the page.", status=403)
    return await handler(request)


@web.middleware
async def scoped(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Check every address that names a conversation, whatever its handler does."""
    conversation, session = request.match_info.get("conversation", ""), request.get(SESSION)
    if conversation and session is not None:
        await request.app[app_keys.DATABASE].read(
            lambda c: scope.check(c, session.user, conversation)
        )
    return await handler(request)


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
        request.cookies.get(LANGUAGE_COOKIE, "")[:16],
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


async def form(request: web.Request) -> dict[str, str]:
    """Text fields of the posted form; files and repeated fields are dropped."""
    posted = await request.post()
    return {key: value for key, value in posted.items() if isinstance(value, str)}


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
    """What was wrong with a form, in the user's language."""
    texts, key = texts_of(request), f"error.{error.code}"
    return texts.say(key if texts.has(key) else "error.other", **error.values)


def came_from(request: web.Request) -> str:
    """The page a form was on, as a path of our own."""
    address = urlsplit(request.headers.get("Referer", ""))
    own = address.netloc.lower() == request.host.lower() and address.path.startswith("/")
    # Two slashes in front would be another host.
    return "/" + address.path.lstrip("/") if own else "/"


def _refusal(request: web.Request, status: int, code: str, /, **values: object) -> web.Response:
    texts = texts_of(request)
    key = f"error.{code}"
    message = texts.say(key if texts.has(key) else "error.other", **values)
    if wants_json(request):
        return web.json_response({"ok": False, "code": code, "message": message}, status=status)
    return page(request, "error.html", status=status, code=code, message=message)
