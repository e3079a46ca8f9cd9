"""GET /health: the health report, as on the ingress; 503 when a part is down."""

from __future__ import annotations

from aiohttp import web

from bot import health as parts
from bot.desk import app_keys


async def health(request: web.Request) -> web.Response:
    report = await parts.check(
        request.app[app_keys.SETTINGS], request.app[app_keys.REDIS], request.app[app_keys.DATABASE]
    )
    report["live"] = request.app[app_keys.HUB].listening.is_set()
    report["ok"] = report["ok"] and report["live"]
    return web.json_response(report, status=200 if report["ok"] else 503)
