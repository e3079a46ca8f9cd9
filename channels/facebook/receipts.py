"""Delivery and read receipts: Messenger names a moment, up to which all was delivered or read.

A short list per conversation in Redis knows what was sent when.
"""

from __future__ import annotations

import redis.asyncio

from bot import redis_keys
from bot.conversation.messages import Outbound
from bot.redis_client import guarded
from bot.redis_lane import Script, lane_of
from bot.settings import Settings

KEPT = 100
"""Messages per conversation that still wait for a receipt."""

# KEYS: sent, mark, record, mark of reads. ARGV: until (ms), state, conversation, mark ttl.
# A receipt says nothing new about what an earlier one of its kind covered, or what was read.
_NOTE = Script("""
local before = tonumber(redis.call('GET', KEYS[2]) or '0')
before = math.max(before, tonumber(redis.call('GET', KEYS[4]) or '0'))
if tonumber(ARGV[1]) <= before then return 0 end
redis.call('SET', KEYS[2], ARGV[1], 'EX', ARGV[4])
local ids = redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. string.format('%.0f', before), ARGV[1])
for _, id in ipairs(ids) do
  local body = {id = id, conversation = ARGV[3], delivery = ARGV[2]}
  redis.call('XADD', KEYS[3], '*', 'body', cjson.encode({kind = 'delivery', body = body}))
end
return #ids
""")


class Receipts:
    """Notes what was sent, and what receipts say about it."""

    def __init__(self, settings: Settings, client: redis.asyncio.Redis) -> None:
        self._shards = settings.shards
        self._redis = client

    async def sent(self, outbound: Outbound, at: float) -> None:
        """A message was taken by Messenger."""
        shard = redis_keys.shard_of(outbound.conversation, self._shards)
        key = redis_keys.seen(shard, f"sent-{outbound.conversation}")
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.zadd(key, {outbound.id: int(at * 1000)})
        pipeline.zremrangebyrank(key, 0, -KEPT - 1)
        pipeline.expire(key, redis_keys.SEEN_TTL_S)
        await guarded(pipeline.execute())

    async def note(self, conversation: str, state: str, until: float) -> int:
        """Record `delivered` or `read` for all sent up to a moment; return how many."""
        shard = redis_keys.shard_of(conversation, self._shards)
        keys = [
            redis_keys.seen(shard, f"sent-{conversation}"),
            redis_keys.seen(shard, f"{state}-{conversation}"),
            redis_keys.record(shard),
            redis_keys.seen(shard, f"read-{conversation}"),
        ]
        moment, ttl = int(until * 1000), redis_keys.SEEN_TTL_S
        done = await guarded(
            lane_of(self._redis).script(_NOTE, keys, moment, state, conversation, ttl)
        )
        return int(done)
