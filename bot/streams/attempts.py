"""Counter of tries for each row of an inbox or outbox, shared by processes."""

from __future__ import annotations

import redis.asyncio

from bot.stores import redis_keys
from bot.stores.redis_client import guarded

# KEYS: attempts, stream. ARGV: row, change. A row that is done is not counted: a process that was
# late (stopped, swapped out) would leave a number behind that nobody removes.
COUNT = """
if #redis.call('XRANGE', KEYS[2], ARGV[1], ARGV[1]) == 0 then return false end
return redis.call('HINCRBY', KEYS[1], ARGV[1], ARGV[2])
"""


async def count(
    client: redis.asyncio.Redis, shard: int, stream: str, row: str, change: int = 1
) -> int:
    """Count a try, or take one back; return the number of tries, 0 when the row is done."""
    keys = (redis_keys.attempts(shard), stream)
    return int(await guarded(client.eval(COUNT, 2, *keys, row, change)) or 0)
