"""What an agent is follows from what they chose, their open desk and their silence."""

from __future__ import annotations

import pytest
import redis.asyncio

from bot.routing import presence
from bot.routing.model import Presence
from bot.stores.redis_keys import ACTIVITY, PRESENCE


@pytest.mark.parametrize(
    ("chosen", "idle_s", "is_then"),
    [
        ("online", 0.0, "online"),
        ("online", 899.0, "online"),
        ("online", 900.0, "away"),
        ("online", None, "offline"),
        ("busy", 10.0, "busy"),
        ("busy", 900.0, "away"),
        ("away", 0.0, "away"),
        ("offline", 0.0, "offline"),
        ("offline", 5000.0, "offline"),
        ("busy", None, "offline"),
    ],
)
def test_silence_and_a_closed_desk_outweigh_a_choice(
    chosen: str, idle_s: float | None, is_then: str
) -> None:
    assert presence.effective(Presence(chosen), idle_s, 900.0) == is_then


async def test_an_open_desk_shows_with_its_idle_seconds(redis: redis.asyncio.Redis) -> None:
    await presence.mark_online(redis, "asha")
    await presence.mark_online(redis, "ravi")
    await presence.mark_active(redis, "asha")
    await redis.zadd(ACTIVITY, {"ravi": 1.0})
    here = await presence.idle_times(redis)
    assert here["asha"] < 60
    assert here["ravi"] > 10**9


async def test_an_agent_who_left_or_faded_is_not_there(redis: redis.asyncio.Redis) -> None:
    await presence.mark_online(redis, "asha")
    await presence.mark_offline(redis, "asha")
    await redis.zadd(PRESENCE, {"ravi": 1.0})
    assert await presence.idle_times(redis) == {}


async def test_a_desk_that_has_just_opened_is_not_idle(redis: redis.asyncio.Redis) -> None:
    await presence.mark_online(redis, "asha")
    assert await presence.idle_times(redis) == {"asha": 0.0}
