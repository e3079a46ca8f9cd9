"""Sessions that were ended stay ended, and those that begin later can be ended as well."""

from __future__ import annotations

import redis.asyncio

from bot.stores import redis_keys
from bot.streams import generations
from channels.webchat.server.session import SESSION_S

CONVERSATION = "webchat-1"


async def test_a_session_can_be_ended_for_as_long_as_it_lives(redis: redis.asyncio.Redis) -> None:
    await generations.end(redis, [CONVERSATION])
    key = redis_keys.generation(CONVERSATION)
    await redis.expire(key, 60)  # nearly a month later the customer logs in again
    begun = await generations.for_new_session(redis, CONVERSATION)
    assert begun == 1
    assert await redis.ttl(key) > SESSION_S
    await generations.end(redis, [CONVERSATION])
    assert begun < await generations.current(redis, CONVERSATION)


async def test_nothing_is_kept_of_who_never_ended_a_session(redis: redis.asyncio.Redis) -> None:
    assert await generations.for_new_session(redis, CONVERSATION) == 0
    assert not await redis.exists(redis_keys.generation(CONVERSATION))
