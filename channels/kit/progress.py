"""Progress of a message: the parts a vendor has taken, so that a retry continues after them.

A call to a vendor cannot be fenced as a write to Redis can. So each part is *claimed* right before
its call, under the sender's lease, and noted right after it. Whoever finds another sender's claim
waits for its note a while: that sender may only have lost its lease, with the call under way.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass

import redis.asyncio
import structlog

from bot.errors import DeliveryFailed, LeaseLost, StoreUnavailable
from bot.stores import redis_keys
from bot.stores.redis_client import guarded
from bot.streams.lease import GRANT, require_lease
from bot.streams.messages import Outbound
from channels.kit.fitting import Fit, Part

LOG = structlog.get_logger(__name__)
LOOK_S = 0.1
"""How often another sender's claim is looked at again."""
LEASES = 2.0
"""Leases for which another sender's note is waited for."""
STORE_PAUSE_S = 0.2

SendPart = Callable[[Part, int], Awaitable[str]]

# KEYS: lease, progress. ARGV: lease text, holder with its sign, ttl, 1 to override another's claim.
# Returns -1 when the lease is lost, else the ids of what was taken and who has claimed the next
# part; that is us when it is ours to send.
_CLAIM = """
if ARGV[1] ~= '' and redis.call('GET', KEYS[1]) ~= ARGV[1] then return -1 end
local by = redis.call('HGET', KEYS[2], 'by') or ''
if by == '' or ARGV[4] == '1' or string.sub(by, 1, #ARGV[2]) == ARGV[2] then
  by = ARGV[1]
  redis.call('HSET', KEYS[2], 'by', by)
  redis.call('EXPIRE', KEYS[2], ARGV[3])
end
return {redis.call('HGET', KEYS[2], 'ids') or '[]', by}
"""

# KEYS: progress. ARGV: lease text, ttl, ids or nothing. What the vendor has, it has: noting that
# needs no lease.
_NOTE = """
if redis.call('HGET', KEYS[1], 'by') == ARGV[1] then redis.call('HSET', KEYS[1], 'by', '') end
if ARGV[3] ~= '' then redis.call('HSET', KEYS[1], 'ids', ARGV[3]) end
redis.call('EXPIRE', KEYS[1], ARGV[2])
return 1
"""


class _Taken(Exception):
    """The part in hand was sent by an earlier try."""

    def __init__(self, ids: list[str]) -> None:
        super().__init__()
        self.ids = ids


@dataclass(frozen=True)
class _Hand:
    """The part in hand."""

    progress: Progress
    outbound: Outbound
    number: int


_HAND: ContextVar[_Hand | None] = ContextVar("hand", default=None)


async def claim() -> None:
    """Claim the part in hand; a client awaits it right before its call to the vendor.

    Raises:
        LeaseLost: Another sender may be at it.
        StoreUnavailable: Redis is away.
    """
    hand = _HAND.get()
    if hand is not None:
        await hand.progress.claim(hand.outbound, hand.number)
    require_lease()


class Progress:
    """Record of sent parts, kept while a message may be tried again.

    Args:
        fit: Makes the parts of a message, the same ones each time.
    """

    def __init__(self, client: redis.asyncio.Redis, shards: int, fit: Fit) -> None:
        self._redis = client
        self._shards = shards
        self._fit = fit

    async def send(self, outbound: Outbound, send_part: SendPart) -> list[str]:
        """Send the parts that are still to be sent, in order.

        Args:
            send_part: Sends one part, given its number from 0, once `claim` has returned; returns
                the vendor's id.

        Returns:
            The vendor's ids of all parts, also of those sent by an earlier try.

        Raises:
            DeliveryFailed: A part was not taken; those before it are remembered.
            LeaseLost: Another sender has the shard.
            StoreUnavailable: Redis is away.
        """
        parts: Sequence[Part] = self._fit(outbound)
        if not parts:
            raise DeliveryFailed("empty", permanent=True)
        ids: list[str] = []
        for number, part in enumerate(parts):
            if number < len(ids):
                continue
            _HAND.set(_Hand(self, outbound, number))
            try:
                ids.append(await send_part(part, number))
            except _Taken as known:
                ids = known.ids
                continue
            except DeliveryFailed:
                with contextlib.suppress(StoreUnavailable):
                    await self._note(outbound, "")
                raise
            finally:
                _HAND.set(None)
            await self._keep(outbound, ids)
        return ids

    async def claim(self, outbound: Outbound, number: int) -> None:
        """See the function `claim`."""
        shard = redis_keys.shard_of(outbound.conversation, self._shards)
        grant = GRANT.get()
        text = grant.text if grant else ""
        holder = text.partition("|")[0] + "|"
        patience_s = LEASES * grant.leases.lease_s if grant else 0.0
        deadline = time.monotonic() + patience_s
        while True:
            override = time.monotonic() >= deadline
            result = await guarded(
                self._redis.eval(
                    _CLAIM,
                    2,
                    redis_keys.lease(shard, "sender"),
                    self._key(outbound),
                    text,
                    holder,
                    redis_keys.SEEN_TTL_S,
                    int(override),
                )
            )
            if result == -1:
                raise LeaseLost(shard)
            ids, by = json.loads(result[0]), result[1]
            if len(ids) > number:
                raise _Taken(ids)
            if by == text:
                return
            await asyncio.sleep(LOOK_S)

    async def _keep(self, outbound: Outbound, ids: list[str]) -> None:
        """Note what the vendor has, however long it takes: else it would be sent again."""
        while True:
            try:
                await self._note(outbound, json.dumps(ids))
                return
            except StoreUnavailable:
                await asyncio.sleep(STORE_PAUSE_S)

    async def _note(self, outbound: Outbound, ids: str) -> None:
        grant = GRANT.get()
        await guarded(
            self._redis.eval(
                _NOTE,
                1,
                self._key(outbound),
                grant.text if grant else "",
                redis_keys.SEEN_TTL_S,
                ids,
            )
        )

    def _key(self, outbound: Outbound) -> str:
        shard = redis_keys.shard_of(outbound.conversation, self._shards)
        return redis_keys.seen(shard, f"sending-{outbound.id}")
