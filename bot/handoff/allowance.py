"""Allowance of handoffs: how many customers of one address may wait for a person at once.

Each handoff takes an agent's time and pushes other customers back, and whoever wants to be a new
customer is one. Beyond the allowance a conversation is left as a message: a person reads it, and
nobody waits for it. Vendors tell no addresses, so their customers have no such allowance.
"""

from __future__ import annotations

import hashlib

import redis.asyncio

from bot.stores import redis_keys
from bot.stores.redis_client import guarded
from bot.streams.messages import Inbound

WINDOW_S = 600


class HandoffAllowance:
    """Counts conversations handed off, by the address they came from.

    Args:
        most: Conversations of one address in ten minutes.
    """

    def __init__(self, client: redis.asyncio.Redis, most: int) -> None:
        self._redis = client
        self._most = most

    async def has_room(self, inbound: Inbound) -> bool:
        """Count the conversation of a message, once however often the turn is run.

        Raises:
            StoreUnavailable: Redis is away.
        """
        if not inbound.origin:
            return True
        slot = int(inbound.received_at) // WINDOW_S
        key = redis_keys.limit("handoffs-address", inbound.origin, slot)
        pipeline = self._redis.pipeline(transaction=True)
        # Not by its name: nothing that names it may be left when it is erased.
        pipeline.sadd(key, hashlib.sha256(inbound.conversation.encode()).hexdigest()[:16])
        pipeline.expire(key, WINDOW_S)
        pipeline.scard(key)
        return int((await guarded(pipeline.execute()))[2]) <= self._most
