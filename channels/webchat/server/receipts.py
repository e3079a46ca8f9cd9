"""What the customer has seen, for the agents: "Read" beside a message.

The browser names the last entry it has shown; everything up to there that was said to the customer
counts as read.
"""

from __future__ import annotations

import redis.asyncio

from bot.settings import Settings
from bot.stores import redis_keys
from bot.stores.redis_client import guarded

# KEYS: stream, mark (last entry read), record. ARGV: last entry seen, conversation, mark ttl.
_READ = """
local from = redis.call('GET', KEYS[2])
from = from and ('(' .. from) or '-'
local rows = redis.call('XRANGE', KEYS[1], from, ARGV[1])
if #rows == 0 then return 0 end
local count = 0
for _, row in ipairs(rows) do
  local said = cjson.decode(row[2][2])
  if said['author'] ~= 'customer' then
    local body = {id = said['id'], conversation = ARGV[2], delivery = 'read'}
    redis.call('XADD', KEYS[3], '*', 'body', cjson.encode({kind = 'delivery', body = body}))
    count = count + 1
  end
end
redis.call('SET', KEYS[2], rows[#rows][1], 'EX', ARGV[3])
return count
"""


async def note_read(
    client: redis.asyncio.Redis, settings: Settings, conversation: str, until: str
) -> int:
    """Record as read what was shown up to an entry; return how many messages that are.

    Args:
        until: Cursor, from `history.read_cursor`.

    Raises:
        StoreUnavailable: Redis is away.
    """
    shard = redis_keys.shard_of(conversation, settings.shards)
    done = await guarded(
        client.eval(
            _READ,
            3,
            redis_keys.webchat(shard, conversation),
            redis_keys.seen(shard, f"read-{conversation}"),
            redis_keys.record(shard),
            until,
            conversation,
            redis_keys.CONVERSATION_TTL_S,
        )
    )
    return int(done)
