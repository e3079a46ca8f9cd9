"""Changes of a conversation's owner outside a turn, by agents and the housekeeper.

SQL is the truth; Redis has a copy that the engine reads. During a change a mark is in Redis and the
copy is deleted, so no turn of the bot can commit meanwhile: the bot never writes while an agent
answers. The mark is a counter, since two agents may click at once and the loser must not remove it
for the winner. A process that dies in the middle leaves no copy; the next turn then reads SQL.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import redis.asyncio
from sqlalchemy.engine import Connection

from bot.conversation.store import Conversation
from bot.stores import redis_keys
from bot.stores.database import Database
from bot.stores.packing import pack
from bot.stores.redis_batches import batches_of
from bot.stores.redis_client import guarded

# KEYS: transition, owner. ARGV: mark ttl.
_BEGIN = """
redis.call('INCR', KEYS[1])
redis.call('EXPIRE', KEYS[1], ARGV[1])
redis.call('DEL', KEYS[2])
return 1
"""

# KEYS: transition.
_LIFT = """
if redis.call('DECR', KEYS[1]) <= 0 then redis.call('DEL', KEYS[1]) end
return 1
"""

# KEYS: transition, owner. ARGV: copy, its version, copy ttl. A slower writer must not win.
_END = (
    """
local there = redis.call('GET', KEYS[2])
if not there or cjson.decode(there)['version'] < tonumber(ARGV[2]) then
  redis.call('SET', KEYS[2], ARGV[1], 'EX', ARGV[3])
end
"""
    + _LIFT
)


class Changes:
    """Writer of state changes, to SQL and to the copy in Redis."""

    def __init__(self, shards: int, database: Database, client: redis.asyncio.Redis) -> None:
        self._shards = shards
        self._database = database
        self._redis = client

    async def apply(
        self, conversation_id: str, work: Callable[[Connection], Conversation]
    ) -> Conversation:
        """Run `work` in one transaction; meanwhile no turn of this conversation can commit.

        Raises:
            TransitionRefused, StaleConversation: From `work`; nothing has changed then.
            StoreUnavailable: SQL or Redis is down. If SQL has the change, the copy is missing and
                the next reader reads SQL.
        """
        shard = redis_keys.shard_of(conversation_id, self._shards)
        mark = redis_keys.transition(shard, conversation_id)
        copy = redis_keys.owner(shard, conversation_id)
        await self._script(_BEGIN, [mark, copy], redis_keys.TRANSITION_TTL_S)
        try:
            changed = await self._database.run(work)
        except Exception:
            await self._script(_LIFT, [mark])
            raise
        await self._script(
            _END, [mark, copy], changed.to_json(), changed.version, redis_keys.CONVERSATION_TTL_S
        )
        await announce(self._redis, conversation_id, "state")
        return changed

    async def _script(self, script: str, keys: list[str], *arguments: Any) -> None:
        await guarded(self._redis.eval(script, len(keys), *keys, *arguments))


async def announce(client: redis.asyncio.Redis, conversation_id: str, kind: str) -> None:
    """Tell open desks of a change; `kind` is `message`, `state` and the like."""
    body = pack({"conversation": conversation_id, "what": kind})
    await guarded(batches_of(client).run(("PUBLISH", redis_keys.LIVE_CHANNEL, body)))
