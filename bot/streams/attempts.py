"""How often a row of an inbox or outbox was tried, by whichever process had it.

One number per row holds two counts: tries, and how often its lease was lost in the midst of one.
"""

from __future__ import annotations

import redis.asyncio

from bot.stores import redis_keys
from bot.stores.redis_client import guarded

LOST = 1000
"""A loss in the number of a row; tries stay far below."""

# KEYS: attempts, stream. ARGV: row, change. A row that is done is not counted: a process that was
# late (stopped, swapped out) would leave a number behind that nobody removes. A try may be taken
# back twice, where Redis did it and the answer got lost: no loss becomes tries by that.
COUNT = f"""
if #redis.call('XRANGE', KEYS[2], ARGV[1], ARGV[1]) == 0 then return false end
local number = tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or 0)
local change = tonumber(ARGV[2])
if change ~= 1 then
  local back = -change % {LOST}
  change = change + back - math.min(back, number % {LOST})
end
return redis.call('HINCRBY', KEYS[1], ARGV[1], change)
"""
FREE_LOSSES = 3
"""A slow machine loses leases through no fault of a message; beyond these it may be the message."""


def read(number: int) -> tuple[int, int]:
    """Split the number of a row: tries that count, and leases lost during tries."""
    losses, tries = divmod(number, LOST)
    return tries + max(0, losses - FREE_LOSSES), losses


async def count(
    client: redis.asyncio.Redis, shard: int, stream: str, row: str, change: int = 1
) -> int:
    """Count a try, or take one back; return the row's number (`read`), 0 when the row is done."""
    keys = (redis_keys.attempts(shard), stream)
    return int(await guarded(client.eval(COUNT, 2, *keys, row, change)) or 0)
