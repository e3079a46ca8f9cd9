"""GET /health: what is up; 503 when a part is down."""

from __future__ import annotations

import sqlalchemy as sa
from aiohttp import web

from bot.desk import app_keys
from bot.desk.sql import read
from bot.errors import StoreUnavailable
from bot.redis_client import guarded


async def health(request: web.Request) -> web.Response:
    parts: dict[str, str] = {}
    try:
        await guarded(request.app[app_keys.REDIS].ping())
        parts["redis"] = "up"
    except StoreUnavailable:
        parts["redis"] = "down"
    try:
        await read(request.app[app_keys.DATABASE], lambda c: c.execute(sa.text("SELECT 1")))
        parts["database"] = "up"
    except StoreUnavailable:
        parts["database"] = "down"
    parts["live"] = "up" if request.app[app_keys.HUB].listening.is_set() else "down"
    healthy = "down" not in parts.values()
    return web.json_response({"ok": healthy, **parts}, status=200 if healthy else 503)
