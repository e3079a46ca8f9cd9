"""The page of supervisors: queue, agents, long waits and broken promises at a glance."""

from __future__ import annotations

import time

from aiohttp import web

from bot.desk import app_keys
from bot.desk.pages.overview import queries
from bot.desk.web import page, require_supervisor
from bot.routing import presence


async def show(request: web.Request) -> web.StreamResponse:
    """The whole desk at a glance; `X-Fragment: overview` asks for what changes."""
    require_supervisor(request)
    idle = await presence.idle_times(request.app[app_keys.REDIS])
    away_s, now = request.app[app_keys.SETTINGS].away_after_s, time.time()
    seen = await request.app[app_keys.DATABASE].read(
        lambda c: queries.overview(c, idle, away_s, now)
    )
    part = request.headers.get("X-Fragment") == "overview"
    template = "pages/overview/_overview.html" if part else "pages/overview/template.html"
    return page(request, template, seen=seen, now=now)


ROUTES = (web.get("/overview", show),)
