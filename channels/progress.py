"""Which parts of a message a vendor has taken: a retry goes on where the last try stopped."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence

import redis.asyncio

from bot import redis_keys
from bot.conversation.messages import Outbound
from bot.errors import DeliveryFailed, StoreUnavailable
from bot.redis_client import guarded
from channels.limits import Part, fit

KEPT_HERE = 1000
SendPart = Callable[[Part, int], Awaitable[str]]


class Progress:
    """Remembers sent parts for as long as a message may be tried again."""

    def __init__(self, client: redis.asyncio.Redis, shards: int) -> None:
        self._redis = client
        self._shards = shards
        self._here: dict[str, list[str]] = {}

    async def send(self, outbound: Outbound, send_part: SendPart) -> list[str]:
        """Send the parts that are still to be sent, in order.

        Args:
            send_part: Sends one part, given its number from 0; returns the vendor's id.

        Returns:
            The vendor's ids of all parts, also of those sent by an earlier try.

        Raises:
            DeliveryFailed: A part was not taken; those before it are remembered.
            StoreUnavailable: Redis is away.
        """
        parts: Sequence[Part] = fit(outbound)
        if not parts:
            raise DeliveryFailed("empty", permanent=True)
        key = redis_keys.seen(
            redis_keys.shard_of(outbound.conversation, self._shards), f"parts-{outbound.id}"
        )
        known = await guarded(self._redis.get(key))
        ids = max(json.loads(known) if known else [], self._here.pop(outbound.id, []), key=len)
        for number, part in enumerate(parts[len(ids) :], len(ids)):
            ids.append(await send_part(part, number))
            try:
                await guarded(self._redis.set(key, json.dumps(ids), ex=redis_keys.SEEN_TTL_S))
            except StoreUnavailable:
                # What the vendor has must not be sent again because Redis cannot note it.
                self._keep(outbound.id, ids)
        return ids

    def _keep(self, message: str, ids: list[str]) -> None:
        if len(self._here) >= KEPT_HERE:
            del self._here[next(iter(self._here))]
        self._here[message] = ids
