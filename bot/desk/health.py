"""GET /health: whether all is up, as on the ingress; 503 when a part is down.

Which part it is, is shown to logged-in users and on this machine.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from aiohttp import web

from bot import health as parts
from bot.desk import app_keys
from bot.desk.web import SESSION
from bot.remote import is_local

HEALTH = web.AppKey("HEALTH", parts.Latest)


def add_route(app: web.Application) -> None:
    app[HEALTH] = parts.Latest(partial(_report, app))
    app.router.add_get("/health", health)


async def health(request: web.Request) -> web.Response:
    return await request.app[HEALTH].answer(full=SESSION in request or is_local(request))


async def _report(app: web.Application) -> dict[str, Any]:
    report = await parts.check(app[app_keys.SETTINGS], app[app_keys.REDIS], app[app_keys.DATABASE])
    report["live"] = app[app_keys.HUB].listening.is_set()
    report["ok"] = report["ok"] and report["live"]
    return report
