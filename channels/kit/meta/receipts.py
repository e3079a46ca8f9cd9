"""Delivery and read receipts: Meta sends a moment up to which all was delivered or read.

A short list per conversation in Redis knows what was sent when.
"""

from __future__ import annotations

import redis.asyncio

from bot.stores import redis_keys
from bot.stores.redis_batches import Script, batches_of
from bot.stores.redis_client import guarded
from bot.streams.messages import Outbound

KEPT = 100
"""Messages per conversation that still wait for a receipt."""

# KEYS: sent, record, marks of reads and of deliveries. ARGV: message, handed over (ms),
# conversation, ttl, how many are kept.
# A receipt may have come before this: no later one names what lies before its mark.
_SENT = Script("""
redis.call('ZADD', KEYS[1], 'NX', ARGV[2], ARGV[1])
redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -ARGV[5] - 1)
redis.call('EXPIRE', KEYS[1], ARGV[4])
for at, state in ipairs({'read', 'delivered'}) do
  if tonumber(redis.call('GET', KEYS[at + 2]) or '-1') >= tonumber(ARGV[2]) then
    local body = {id = ARGV[1], conversation = ARGV[3], delivery = state}
    redis.call('XADD', KEYS[2], '*', 'body', cjson.encode({kind = 'delivery', body = body}))
    return state
  end
end
return ''
""")

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
    """Notes of what was sent, and the effects of receipts on it."""

    def __init__(self, shards: int, client: redis.asyncio.Redis) -> None:
        self._shards = shards
        self._redis = client

    async def sent(self, outbound: Outbound, handed: float) -> None:
        """Note a message that the vendor has taken.

        Args:
            handed: Unix seconds right before it was handed over. Meta's moments are those at
                which it passed the message on, often before we have its answer.

        Raises:
            StoreUnavailable: Redis is away; noting it again is safe.
        """
        shard = redis_keys.shard_of(outbound.conversation, self._shards)
        keys = [
            redis_keys.seen(shard, f"sent-{outbound.conversation}"),
            redis_keys.record(shard),
            redis_keys.seen(shard, f"read-{outbound.conversation}"),
            redis_keys.seen(shard, f"delivered-{outbound.conversation}"),
        ]
        arguments = (
            outbound.id,
            int(handed * 1000),
            outbound.conversation,
            redis_keys.SEEN_TTL_S,
            KEPT,
        )
        await guarded(batches_of(self._redis).script(_SENT, keys, *arguments))

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
            batches_of(self._redis).script(_NOTE, keys, moment, state, conversation, ttl)
        )
        return int(done)
