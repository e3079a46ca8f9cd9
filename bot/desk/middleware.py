"""Middleware of the desk: session, CSRF, headers, errors."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog
from aiohttp import web

from bot.desk import app_keys
from bot.desk.people import auth, scope
from bot.desk.web import COOKIE, SESSION, check_origin, cookie, form, page, texts_of, wants_json
from bot.errors import BadRequest, NotAuthenticated, StoreUnavailable, TransitionRefused
from bot.web.tally import TALLY

log = structlog.get_logger()

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
LOGIN = frozenset({"/login", "/login/code"})
"""Paths whose forms have a token of their own."""
PUBLIC = LOGIN | {"/health"}
"""Paths that need no session."""

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
        TALLY.note("desk.refused", code=error.code, status=error.status)
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
        TALLY.note("desk.store_unavailable", level="error", store=error.store)
        return _refusal(request, 503, "store-unavailable")
    except web.HTTPException as error:
        if error.status < 400 or wants_json(request):
            raise
        return _refusal(request, error.status, "not-found" if error.status == 404 else "other")
    except UnicodeError:
        # Bytes in the head that are no text, on their way to where only text may go.
        TALLY.note("desk.refused", code="bad-text", status=400)
        return _refusal(request, 400, "bad-text")
    except ConnectionError:
        raise
    except Exception as error:
        TALLY.note("desk.failed", error=error, example=request.path)
        if request.writer.output_size:
            raise
        return _refusal(request, 500, "other")


@web.middleware
async def sessions(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let in who has a session; check origin and CSRF token of everything that changes."""
    if request.path.startswith("/static/"):
        return await handler(request)
    token = cookie(request, COOKIE)
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
        # A new login ends the session there is.
        if session is not None and request.path not in LOGIN:
            csrf_token = request.headers.get("X-CSRF-Token") or (await form(request)).get(
                "csrf", ""
            )
            if not auth.same(csrf_token, session.csrf):
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


def _refusal(request: web.Request, status: int, code: str, /, **values: object) -> web.Response:
    texts = texts_of(request)
    key = f"error.{code}"
    message = texts.say(key if texts.has(key) else "error.other", **values)
    if wants_json(request):
        return web.json_response({"ok": False, "code": code, "message": message}, status=status)
    return page(request, "error.html", status=status, code=code, message=message)
