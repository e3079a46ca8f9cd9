"""Which agents are there: a heartbeat in Redis that fades by itself, and when they last did
anything. What they chose to be stands in SQL (bot.routing.teams); `effective` puts both together.
"""

from __future__ import annotations

import json
import time

import redis.asyncio

from bot.routing.model import Presence
from bot.stores.redis_client import guarded
from bot.stores.redis_keys import ACTIVITY, PRESENCE, ROUTING_CHANNEL

HEARTBEAT_TTL_S = 45
"""The desk beats three times as often, so one lost beat does not show."""


async def seen(client: redis.asyncio.Redis, agent_id: str) -> None:
    """Keep an agent online for `HEARTBEAT_TTL_S`."""
    await guarded(client.zadd(PRESENCE, {agent_id: time.time() + HEARTBEAT_TTL_S}))


async def active(client: redis.asyncio.Redis, agent_id: str) -> None:
    """Note that an agent does something at their desk."""
    await guarded(client.zadd(ACTIVITY, {agent_id: time.time()}))


async def gone(client: redis.asyncio.Redis, agent_id: str) -> None:
    """Take an agent offline at once; since when stays known."""
    await guarded(client.zadd(PRESENCE, {agent_id: time.time()}))


async def online(client: redis.asyncio.Redis) -> int:
    """Count agents with an open desk."""
    return int(await guarded(client.zcount(PRESENCE, f"({time.time()}", "+inf")))


async def here(client: redis.asyncio.Redis) -> dict[str, float]:
    """Agents with an open desk, each with the seconds since they last did anything there."""
    now = time.time()
    names = await guarded(client.zrangebyscore(PRESENCE, f"({now}", "+inf"))
    there = [str(name) for name in names]
    if not there:
        return {}
    scores = await guarded(client.zmscore(ACTIVITY, there))
    return {
        agent: 0.0 if at is None else max(0.0, now - float(at))
        for agent, at in zip(there, scores, strict=True)
    }


async def is_online(client: redis.asyncio.Redis, agent_id: str) -> bool:
    """Tell whether one agent has an open desk."""
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


async def announce(client: redis.asyncio.Redis, what: str) -> None:
    """Wake the router: `presence` or `plan` has changed."""
    await guarded(client.publish(ROUTING_CHANNEL, json.dumps({"what": what})))


def effective(chosen: Presence, idle_s: float | None, away_after_s: float) -> Presence:
    """What an agent is.

    Args:
        idle_s: Seconds since they last did anything at an open desk; None without one.
    """
    if idle_s is None or chosen == Presence.OFFLINE:
        return Presence.OFFLINE
    if idle_s >= away_after_s:
        return Presence.AWAY
    return chosen
