"""Tells the health page how many rows a process has set aside (bot.stores.set_aside)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sized

import redis.asyncio

from bot.processes.every import every
from bot.stores import redis_keys
from bot.stores.redis_client import guarded

EVERY_S = 10.0


async def telling(client: redis.asyncio.Redis, holder: str, loops: Mapping[str, Sized]) -> None:
    """Tell until cancelled.

    Args:
        loops: Name of a loop → the rows it has set aside.
    """
    last: dict[str, int] | None = None  # what a former process of this name told counts as well

    async def tell() -> None:
        nonlocal last
        counts = {name: len(rows) for name, rows in loops.items() if len(rows)}
        if counts != last:
            if counts:
                await guarded(client.hset(redis_keys.SET_ASIDE, holder, json.dumps(counts)))
            else:
                await guarded(client.hdel(redis_keys.SET_ASIDE, holder))
            last = counts

    await every(EVERY_S, tell, name="set-aside")
