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


async def test_a_try_that_is_taken_back_twice_leaves_the_losses_as_they_are(
    redis: redis.asyncio.Redis,
) -> None:
    stream = redis_keys.inbox(0)
    row = str(await redis.xadd(stream, {"body": "{}"}))
    assert await attempts.count(redis, 0, stream, row) == 1
    for _ in range(3):
        number = await attempts.count(redis, 0, stream, row, attempts.LOST - 1)
        assert number % attempts.LOST == 0
    for _ in range(2):
        assert await attempts.count(redis, 0, stream, row, -1) == 3 * attempts.LOST
    assert attempts.read(number) == (0, 3)
    assert await attempts.count(redis, 0, stream, row) == 3 * attempts.LOST + 1
