from __future__ import annotations

import redis.asyncio

from bot.stores import redis_keys
from bot.streams import attempts


async def test_tries_of_a_row_are_counted_while_it_is_there(redis: redis.asyncio.Redis) -> None:
    stream = redis_keys.inbox(0)
    row = str(await redis.xadd(stream, {"body": "{}"}))
    assert [await attempts.count(redis, 0, stream, row) for _ in range(2)] == [1, 2]
    assert await attempts.count(redis, 0, stream, row, -1) == 1


async def test_nobody_leaves_a_count_of_a_row_that_is_done(redis: redis.asyncio.Redis) -> None:
    stream = redis_keys.inbox(0)
    row = str(await redis.xadd(stream, {"body": "{}"}))
    await redis.xdel(stream, row)
    assert await attempts.count(redis, 0, stream, row) == 0
    assert await attempts.count(redis, 0, stream, row, -1) == 0
    assert not await redis.exists(redis_keys.attempts(0))
