"""Runner of all connectors of a process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack

import redis.asyncio
import structlog

from bot.connectors.base import Connector
from bot.connectors.kit.cursor import Cursor
from bot.errors import SamvadError
from bot.settings import Settings
from bot.stores.database import Database
from bot.stores.tasks import not_cancelled
from bot.streams.lease import Leases

LOG = structlog.get_logger(__name__)
EVERY_S = 2.0
"""Pause after a step without new events."""


async def run(
    connectors: Sequence[Connector],
    environment: Mapping[str, str],
    settings: Settings,
    database: Database,
    client: redis.asyncio.Redis,
    holder: str,
) -> None:
    """Run the configured connectors until cancelled, each under its own lease."""
    async with AsyncExitStack() as stack, asyncio.TaskGroup() as tasks:
        for connector in connectors:
            values = connector.values(environment)
            if values is None:
                LOG.info("connector.off", connector=connector.name)
                continue
            deliver = await stack.enter_async_context(connector.open(values))
            leases = Leases(client, f"connector-{connector.name}", holder, 1, settings.lease_s)
            tasks.create_task(_keep_lease(leases))
            tasks.create_task(_step(Cursor(connector, deliver, database), leases, connector.name))


async def _step(cursor: Cursor, leases: Leases, name: str) -> None:
    while not_cancelled():
        settled = 0
        try:
            if leases.held:
                settled = await cursor.step(time.time())
        except SamvadError as error:
            LOG.warning("connector.delayed", connector=name, reason=str(error))
        except Exception:
            # The outermost loop of this task: an odd row must not end all connectors.
            LOG.exception("connector.stumbled", connector=name)
        if not settled:
            await asyncio.sleep(EVERY_S)


async def _keep_lease(leases: Leases) -> None:
    """Renew a lease until cancelled; release it then, so that the next process need not wait."""
    try:
        await leases.keep()
    finally:
        await leases.release_all()
