"""Report of set-aside rows to the health page (bot.stores.set_aside)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sized

import redis.asyncio

from bot.processes.every import every
from bot.stores import redis_keys
from bot.stores.redis_client import guarded

EVERY_S = 10.0


async def report_set_aside(
    client: redis.asyncio.Redis, holder: str, loops: Mapping[str, Sized]
) -> None:
    """Report until cancelled.

    Args:
        loops: Name of a loop → the rows it has set aside.
    """
    reported: dict[str, int] | None = (
        None  # the counts of a former process of this name are replaced as well
    )

    async def report() -> None:
        nonlocal reported
        counts = {name: len(rows) for name, rows in loops.items() if len(rows)}
        if counts != reported:
            if counts:
                await guarded(client.hset(redis_keys.SET_ASIDE, holder, json.dumps(counts)))
            else:
                await guarded(client.hdel(redis_keys.SET_ASIDE, holder))
            reported = counts

    await every(EVERY_S, report, name="set-aside")
