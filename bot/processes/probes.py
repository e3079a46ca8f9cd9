"""`/live` and `/ready` for processes without pages of their own, for container platforms.

`/live` says that the event loop runs; it calls no store, so that an outage of Redis does not make
Kubernetes restart every engine. `/ready` says that the process renews its leases and thus gets
work, and that the stores accept writes; a housekeeper, which has no leases, renews its entry among
the holders.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator
from typing import Any

import redis.asyncio
from aiohttp import web

from bot.errors import StoreUnavailable
from bot.health import Latest, refusals
from bot.remote import is_local
from bot.settings import Settings
from bot.stores import redis_keys
from bot.stores.database import Database
from bot.stores.redis_client import guarded
from bot.web.answers import harden
from bot.web.serving import serving


@contextlib.asynccontextmanager
async def serve_probes(
    settings: Settings,
    client: redis.asyncio.Redis,
    role: str,
    holder: str,
    database: Database,
) -> AsyncIterator[None]:
    """Serve the probes on `HEALTH_PORT` while the context lasts; do nothing when it is 0.

    Raises:
        ConfigurationError: The port is taken.
    """
    if not settings.health_port:
        yield
        return

    async def live(request: web.Request) -> web.Response:
        # On this machine with particulars; whoever starts containers looks at the status alone.
        return web.json_response({"ok": True, **({"process": holder} if is_local(request) else {})})

    async def report() -> dict[str, Any]:
        try:
            until = await guarded(client.zscore(redis_keys.holders(role), holder))
        except StoreUnavailable:
            until = None
        why = await refusals(client, database)
        is_ready = until is not None and float(until) > time.time() and not why
        return {"ok": is_ready, "process": holder, **({"why": why} if why else {})}

    latest = Latest(report)

    async def ready(request: web.Request) -> web.Response:
        return await latest.answer(full=is_local(request))

    app = web.Application()
    harden(app, "")
    app.router.add_get("/live", live)
    app.router.add_get("/ready", ready)
    async with serving(app, settings, settings.health_port, "HEALTH_PORT"):
        yield
