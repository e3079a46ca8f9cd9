"""How often a visitor's sessions have been ended: tokens made before are worth nothing.

Whoever erases a customer or logs one out counts one up. The keys have a hash for the conversation,
so that they may stay when everything that names it is erased.
"""

from __future__ import annotations

from collections.abc import Iterable

import redis.asyncio

from bot.stores import redis_keys
from bot.stores.redis_batches import batches_of
from bot.stores.redis_client import guarded


async def current(client: redis.asyncio.Redis, conversation: str) -> int:
    """The number a token needs to be worth something."""
    key = redis_keys.generation(conversation)
    (value,) = await guarded(batches_of(client).run(("GET", key)))
    return int(value or 0)


async def for_new_session(client: redis.asyncio.Redis, conversation: str) -> int:
    """The number for a token that is made now; it is kept for as long as any such token lives.

    Were it forgotten earlier, the next end would count from one, and this token would go on.
    """
    key = redis_keys.generation(conversation)
    commands = (("GET", key), ("EXPIRE", key, redis_keys.GENERATION_TTL_S))
    value, _ = await guarded(batches_of(client).run(*commands))
    return int(value or 0)


async def end(client: redis.asyncio.Redis, conversations: Iterable[str]) -> None:
    """End all sessions of these conversations."""
    for conversation in conversations:
        key = redis_keys.generation(conversation)
        pipeline = client.pipeline(transaction=False)
        pipeline.incr(key)
        pipeline.expire(key, redis_keys.GENERATION_TTL_S)
        await guarded(pipeline.execute())
