"""Counters of refused deliveries (wrong signature, no JSON, …), for the health page.

Counted in the process and written every few seconds: strangers decide how many there are.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import redis.asyncio
from aiohttp import web

from bot.errors import StoreUnavailable
from bot.stores import redis_keys
from bot.stores.redis_batches import batches_of
from bot.stores.redis_client import guarded
from bot.web.tally import TALLY
from channels.kit.app_keys import REDIS

EVERY_S = 2.0


class Refusals:
    """Refusals since they were last written."""

    def __init__(self, client: redis.asyncio.Redis) -> None:
        self._redis = client
        self._counts: Counter[str] = Counter()

    def note(self, path: str, code: str) -> None:
        """Count a refusal.

        Args:
            path: Of the route, `/webhooks/<channel>/…`, not as a stranger wrote it: what is
                counted lives for ever. The code is one of our own.
        """
        parts = path.split("/")
        channel = parts[2] if len(parts) > 3 and parts[1] == "webhooks" else "other"
        self._counts[f"{channel} {code}"] += 1

    async def write(self) -> None:
        """Add what was counted to the totals; what cannot be written now is kept for the next time.

        After an error of any other kind some may be written and some not: these figures are given
        up, said in the log, and counting goes on.
        """
        counts, self._counts = self._counts, Counter()
        if not counts:
            return
        commands = [
            ("HINCRBY", redis_keys.REFUSED, what, number) for what, number in counts.items()
        ]
        try:
            await guarded(batches_of(self._redis).run(*commands))
        except StoreUnavailable:
            self._counts += counts
        except Exception as error:
            TALLY.note("refusals.failed", error=error)

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            await asyncio.sleep(EVERY_S)
            await self.write()


REFUSALS = web.AppKey("refusals", Refusals)


async def counting(app: web.Application) -> AsyncIterator[None]:
    """Write while the application runs, and once at its end."""
    task = asyncio.create_task(app[REFUSALS].run())
    yield
    task.cancel()
    await asyncio.wait([task], timeout=EVERY_S)
    await app[REFUSALS].write()


def add_counter(app: web.Application) -> None:
    """Count for this application; its Redis must be open for as long."""
    app[REFUSALS] = Refusals(app[REDIS])
    app.cleanup_ctx.append(counting)
