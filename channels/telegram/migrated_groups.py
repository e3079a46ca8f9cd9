"""Groups that became supergroups: their conversations keep their ids.

Kept in Redis for two days at a time; after a loss Telegram tells us again with the next send.
"""

from __future__ import annotations

import redis.asyncio

from bot.settings import Settings
from bot.stores import redis_keys
from bot.stores.redis_client import guarded


class Moves:
    """Lookup of group ids, both ways."""

    def __init__(self, settings: Settings, client: redis.asyncio.Redis) -> None:
        self._shards = settings.shards
        self._redis = client

    async def note(self, bot: str, old: str, new: str) -> None:
        """Remember a move."""
        ttl = redis_keys.SEEN_TTL_S
        await guarded(self._redis.set(self._key(bot, "to", old), new, ex=ttl))
        await guarded(self._redis.set(self._key(bot, "from", new), old, ex=ttl))

    async def now(self, bot: str, chat: str) -> str:
        """Id a group has now."""
        return await self._look(self._key(bot, "to", chat)) or chat

    async def first(self, bot: str, chat: str) -> str:
        """Id a group had when we met it."""
        return await self._look(self._key(bot, "from", chat)) or chat

    async def _look(self, key: str) -> str:
        return str(await guarded(self._redis.getex(key, ex=redis_keys.SEEN_TTL_S)) or "")

    def _key(self, bot: str, way: str, chat: str) -> str:
        shard = redis_keys.shard_of(f"{bot}:{chat}", self._shards)
        return redis_keys.seen(shard, f"moved-{way}-{bot}-{chat}")
