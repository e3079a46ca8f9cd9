"""At the door: who asks, from where, and how errors are answered."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

import redis.asyncio
from aiohttp import web

from bot import remote
from bot.errors import BadRequest, NotAuthenticated, StoreUnavailable, TooMany
from bot.streams import addresses, generations
from bot.web import bodies
from bot.web.tally import TALLY
from channels.kit.app_keys import REDIS, SETTINGS
from channels.webchat.server import session, throttle

SECRET = web.AppKey("webchat_secret", bytes)
RETRY_S = 2
"""When to come back after Redis or SQL did not answer."""
NO_STORE = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def answering(handler: Handler) -> Handler:
    """Turn our errors into JSON: `{"error": {"code", "message"}}`."""

    async def answer(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except BadRequest as error:
            TALLY.note(
                "webchat.refused", code=error.code, status=error.status, example=request.path
            )
            return refusal(error.code, str(error), error.status, getattr(error, "retry_after_s", 0))
        except StoreUnavailable as error:
            TALLY.note("webchat.unavailable", level="warning", why=error.why, example=request.path)
            return refusal("unavailable", "try again in a moment", 503, RETRY_S)

    return answer


def refusal(code: str, message: str, status: int, retry_after_s: int = 0) -> web.Response:
    headers = {**NO_STORE, **({"Retry-After": str(retry_after_s)} if retry_after_s else {})}
    body = {"error": {"code": code, "message": message}}
    return web.json_response(body, status=status, headers=headers)


async def authenticate(request: web.Request) -> session.Session:
    """Read the bearer token.

    Raises:
        NotAuthenticated: There is none, it is not valid, or its visitor's sessions were ended.
    """
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        raise NotAuthenticated
    return await verified(request.app, token.strip())


async def verified(app: web.Application, token: str) -> session.Session:
    """Read a token that still opens its conversation; raises as `authenticate`."""
    opened = session.verify(app[SECRET], token, app[SETTINGS], now=time.time())
    await check_not_ended(app[REDIS], opened)
    return opened


async def check_not_ended(client: redis.asyncio.Redis, opened: session.Session) -> None:
    """Let a session through whose visitor has not logged out since; raises as `authenticate`."""
    if opened.generation < await generations.current(client, opened.conversation):
        raise NotAuthenticated("session-ended", "the session was ended; ask for a new one")


async def read_body(request: web.Request) -> bytes:
    return await bodies.read_body(request, request.app[SETTINGS].max_body_bytes)


def own_origin(request: web.Request) -> str:
    """Return the origin the browser knows us by."""
    public = request.app[SETTINGS].public_url
    if public:
        parts = urlsplit(public)
        return f"{parts.scheme}://{parts.netloc}".lower()
    return f"{request.scheme}://{request.host}".lower()


def check_own_origin(request: web.Request, *, required: bool = False) -> None:
    """Refuse other pages' scripts: only our frame talks to these routes.

    A proxy in front may speak another scheme with us, so only host and port are compared.

    Raises:
        BadRequest: `origin-not-allowed`.
    """
    origin = request.headers.get("Origin", "")
    if not origin and not required:
        return
    theirs = urlsplit(origin).netloc.lower()
    if theirs not in {request.host.lower(), urlsplit(own_origin(request)).netloc}:
        raise BadRequest("origin-not-allowed", "only the widget's own frame may ask", status=403)


def address_of(request: web.Request) -> str:
    return remote.address_of(request, request.app[SETTINGS].trusted_proxies)


async def check_address(
    app: web.Application, opened: session.Session, origin: str, *, keep: bool, now: float
) -> None:
    """Refuse a chat that begins at an address an agent has shut; keep where a message came from.

    A customer the site vouches for can be blocked by name, so their address does not matter.

    Args:
        origin: From `digest_of`.

    Raises:
        TooMany: The same answer as for too many sessions.
    """
    may = await addresses.may_write(app[REDIS], opened.conversation, origin, keep=keep)
    if not may and not opened.is_identified:
        raise TooMany(throttle.sessions_per_address(app[SETTINGS]).left_s(now))


def digest_of(secret: bytes, address: str) -> str:
    """Return a digest by which messages of one address are counted, and no address is found."""
    return hmac.new(secret, f"address:{address}".encode(), hashlib.sha256).hexdigest()[:16]
