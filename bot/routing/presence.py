"""Presence of agents in Redis: an expiring heartbeat, and when they were last active.

The presence they chose is in SQL (bot.routing.teams); `effective` combines both.
"""

from __future__ import annotations

import json
import time

import redis.asyncio

from bot.routing.model import Presence
from bot.stores.redis_client import guarded
from bot.stores.redis_keys import ACTIVITY, PRESENCE, ROUTING_CHANNEL

HEARTBEAT_TTL_S = 45
"""The desk sends a heartbeat three times as often, so one may get lost."""


async def mark_online(client: redis.asyncio.Redis, agent_id: str) -> None:
    """Keep an agent online for `HEARTBEAT_TTL_S`."""
    await guarded(client.zadd(PRESENCE, {agent_id: time.time() + HEARTBEAT_TTL_S}))


async def mark_active(client: redis.asyncio.Redis, agent_id: str) -> None:
    """Note that an agent is active at their desk."""
    await guarded(client.zadd(ACTIVITY, {agent_id: time.time()}))


async def mark_offline(client: redis.asyncio.Redis, agent_id: str) -> None:
    """Mark an agent as offline now; the time stays stored."""
    await guarded(client.zadd(PRESENCE, {agent_id: time.time()}))


async def count_online(client: redis.asyncio.Redis) -> int:
    """Count agents with an open desk."""
    return int(await guarded(client.zcount(PRESENCE, f"({time.time()}", "+inf")))


async def idle_times(client: redis.asyncio.Redis) -> dict[str, float]:
    """Return the agents with an open desk, each with the seconds since they were active."""
    now = time.time()
    names = await guarded(client.zrangebyscore(PRESENCE, f"({now}", "+inf"))
    agents = [str(name) for name in names]
    if not agents:
        return {}
    scores = await guarded(client.zmscore(ACTIVITY, agents))
    return {
        agent: 0.0 if at is None else max(0.0, now - float(at))
        for agent, at in zip(agents, scores, strict=True)
    }


async def is_online(client: redis.asyncio.Redis, agent_id: str) -> bool:
    """Tell whether an agent has an open desk."""
    score = await guarded(client.zscore(PRESENCE, agent_id))
    return score is not None and float(score) > time.time()


async def offline_s(client: redis.asyncio.Redis, agent_id: str, now: float) -> float:
    """Return the seconds an agent has been offline at `now`; 0 while online.

    For an unknown agent, as after a loss of Redis, time counts from the first call.
    """
    pipeline = client.pipeline(transaction=False)
    pipeline.zadd(PRESENCE, {agent_id: now}, nx=True)
    pipeline.zscore(PRESENCE, agent_id)
    _, score = await guarded(pipeline.execute())
    return max(0.0, now - float(score))


async def announce(client: redis.asyncio.Redis, change: str) -> None:
    """Notify the router that `presence` or `plan` has changed."""
    await guarded(client.publish(ROUTING_CHANNEL, json.dumps({"what": change})))


def effective(chosen: Presence, idle_s: float | None, away_after_s: float) -> Presence:
    """Return an agent's presence.

    Args:
        idle_s: Seconds since they were active at an open desk; None without one.
    """
    if idle_s is None or chosen == Presence.OFFLINE:
        return Presence.OFFLINE
    if idle_s >= away_after_s:
        return Presence.AWAY
    return chosen
