"""Which agents are online: a heartbeat in Redis that fades by itself."""

from __future__ import annotations

import time

import redis.asyncio

from bot.redis_client import guarded
from bot.redis_keys import PRESENCE

HEARTBEAT_TTL_S = 45
"""The desk beats three times as often, so one lost beat does not show."""


async def seen(client: redis.asyncio.Redis, agent_id: str) -> None:
    """Keep an agent online for `HEARTBEAT_TTL_S`."""
    await guarded(client.zadd(PRESENCE, {agent_id: time.time() + HEARTBEAT_TTL_S}))


async def gone(client: redis.asyncio.Redis, agent_id: str) -> None:
    """Take an agent offline at once; since when stays known."""
    await guarded(client.zadd(PRESENCE, {agent_id: time.time()}))


async def online(client: redis.asyncio.Redis) -> int:
    """Count agents online."""
    return int(await guarded(client.zcount(PRESENCE, f"({time.time()}", "+inf")))


async def is_online(client: redis.asyncio.Redis, agent_id: str) -> bool:
    """Tell whether one agent is online."""
    score = await guarded(client.zscore(PRESENCE, agent_id))
    return score is not None and float(score) > time.time()


async def offline_s(client: redis.asyncio.Redis, agent_id: str, now: float) -> float:
    """Seconds an agent has been offline at `now`; 0 while online.

    An agent nobody has seen, as after a loss of Redis, is counted from the first time we ask.
    """
    pipeline = client.pipeline(transaction=False)
    pipeline.zadd(PRESENCE, {agent_id: now}, nx=True)
    pipeline.zscore(PRESENCE, agent_id)
    _, score = await guarded(pipeline.execute())
    return max(0.0, now - float(score))
