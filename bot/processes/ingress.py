"""The ingress process: accepts deliveries from vendors and browsers, and answers at once.

It imports no rasa; what needs thinking is in the inbox by the time it answers.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any

import structlog
from aiohttp import web

from bot import health
from bot.errors import BadRequest, StoreUnavailable
from bot.housekeeping import erasure
from bot.processes.running import serve_http
from bot.remote import is_local
from bot.settings import Settings
from bot.stores import redis_client
from bot.stores.database import Database
from bot.streams.inbox import Inbox
from bot.web.answers import harden
from bot.web.tally import TALLY
from channels import registry
from channels.kit.app_keys import DATABASE, ERASE, INBOX, REDIS, SETTINGS, Erase
from channels.kit.refusals import REFUSALS, add_counter

LOG = structlog.get_logger(__name__)
HEALTH = web.AppKey("health", health.Latest)
RETRY_S = 2
"""When to come back after a store did not answer."""
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def run(settings: Settings, holder: str) -> None:
    """Serve webhooks, widget and demo page until cancelled."""
    await serve_http(make_app(settings), settings, settings.ingress_port, "ingress")


def make_app(settings: Settings) -> web.Application:
    """Build the application; connections open when it starts and close when it stops."""
    app = web.Application(middlewares=[_errors])
    harden(app, settings.public_url)
    client = redis_client.connect(settings)
    app[SETTINGS] = settings
    app[REDIS] = client
    app[DATABASE] = Database.of(settings)
    app[INBOX] = Inbox(client, settings.shards)
    erase: Erase = partial(erasure.erase_own, settings, app[DATABASE], client)
    app[ERASE] = erase
    app.cleanup_ctx.append(_connections)
    add_counter(app)
    app[HEALTH] = health.Latest(partial(_report, app))
    app.router.add_get("/health", show_health)
    for channel in registry.on(settings):
        channel.add_routes(app)
    for name, missing in registry.off(settings).items():
        LOG.warning("channel.off", channel=name, missing=" ".join(missing))
    return app


async def show_health(request: web.Request) -> web.Response:
    """Say whether all is up; on this machine also what is not."""
    return await request.app[HEALTH].answer(full=is_local(request))


async def _report(app: web.Application) -> dict[str, Any]:
    report = await health.check(app[SETTINGS], app[REDIS], app[DATABASE])
    report["channels"] = [channel.name for channel in registry.on(app[SETTINGS])]
    return report


async def _connections(app: web.Application) -> AsyncIterator[None]:
    yield
    await app[REDIS].aclose()
    app[DATABASE].close()


@web.middleware
async def _errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except BadRequest as error:
        return _refused(request, error)
    except StoreUnavailable as error:
        TALLY.note("ingress.unavailable", level="warning", store=error.store, example=request.path)
        return _error("unavailable", "nothing was stored; try again in a moment", 503, RETRY_S)
    except UnicodeError:
        # Bytes in the head that are no text, on their way to where only text may go.
        return _refused(request, BadRequest("bad-text", "the head of the request is no text"))
    except (web.HTTPException, ConnectionError):
        raise
    except Exception as error:
        TALLY.note("ingress.failed", error=error, example=request.path)
        return _error("internal", "something went wrong on our side", 500)


def _refused(request: web.Request, error: BadRequest) -> web.Response:
    TALLY.note("ingress.refused", code=error.code, status=error.status, example=request.path)
    resource = request.match_info.route.resource
    request.app[REFUSALS].note(resource.canonical if resource else "", error.code)
    return _error(error.code, str(error), error.status, getattr(error, "retry_after_s", 0))


def _error(code: str, message: str, status: int, retry_after_s: int = 0) -> web.Response:
    headers = {"Retry-After": str(retry_after_s)} if retry_after_s else None
    return web.json_response(
        {"error": {"code": code, "message": message}}, status=status, headers=headers
    )
