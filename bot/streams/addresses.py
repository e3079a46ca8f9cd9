"""Addresses that agents have shut for a day: no new chat may begin from there.

Whoever is blocked comes back as a new visitor at once. An address is only ever its keyed digest
(`Inbound.origin`). The one a conversation last wrote from is kept for a day, so that an agent can
shut it; chats that were under way from there go on, since others may share the address.
"""

from __future__ import annotations

import hashlib
import time

import redis.asyncio

from bot.stores import redis_keys
from bot.stores.redis_batches import batches_of
from bot.stores.redis_client import guarded

BLOCKED_S = 24 * 3600
"""How long an address stays shut, and how long the one a conversation wrote from is kept."""
KEPT_ANEW_S = 3600
"""How often that one is written again while the conversation goes on."""


async def is_blocked(client: redis.asyncio.Redis, origin: str) -> bool:
    """Tell whether new chats of an address are refused."""
    key = redis_keys.blocked_address(origin)
    (there,) = await guarded(batches_of(client).run(("EXISTS", key)))
    return bool(there)


async def may_write(
    client: redis.asyncio.Redis, conversation: str, origin: str, *, keep: bool = True
) -> bool:
    """Tell whether a conversation may be written to from an address, and keep that it was.

    Args:
        keep: Whether this is a message; a chat that was only opened is still a new one.

    Returns:
        False if the address is shut, and the conversation has not been written to for a day.
    """
    key, now = redis_keys.address_of(conversation), f"{origin} {int(time.time()) // KEPT_ANEW_S}"
    commands = (("EXISTS", redis_keys.blocked_address(origin)), ("GET", key))
    shut, before = await guarded(batches_of(client).run(*commands))
    if shut and before is None:
        return False
    # Once an hour: each write waits for Redis' disk.
    if keep and before != now:
        await guarded(batches_of(client).run(("SET", key, now, "EX", BLOCKED_S)))
    return True


async def is_kept(client: redis.asyncio.Redis, conversation: str) -> bool:
    """Tell whether there is an address that `block` would shut."""
    (there,) = await guarded(
        batches_of(client).run(("EXISTS", redis_keys.address_of(conversation)))
    )
    return bool(there)


async def block(client: redis.asyncio.Redis, conversation: str) -> bool:
    """Shut the address a conversation last wrote from for a day; False if none is kept."""
    (kept,) = await guarded(batches_of(client).run(("GET", redis_keys.address_of(conversation))))
    if not kept:
        return False
    origin = kept.partition(" ")[0]
    key, mine = redis_keys.blocked_address(origin), redis_keys.blocked_by(conversation)
    await guarded(
        batches_of(client).run(
            # First, so that it can be taken back; the address may be another one by then.
            ("SET", mine, origin, "EX", BLOCKED_S),
            ("SADD", key, _digest(conversation)),
            ("EXPIRE", key, BLOCKED_S),
        )
    )
    return True


async def unblock(client: redis.asyncio.Redis, conversation: str) -> bool:
    """Open the address again that was shut for this conversation; False if none was.

    It stays shut while it was shut for another conversation as well.
    """
    mine = redis_keys.blocked_by(conversation)
    (origin,) = await guarded(batches_of(client).run(("GET", mine)))
    if not origin:
        return False
    key = redis_keys.blocked_address(origin)
    await guarded(batches_of(client).run(("SREM", key, _digest(conversation)), ("DEL", mine)))
    return True


def _digest(conversation: str) -> str:
    """A name that is not the conversation's: the address stays shut when that is erased."""
    return hashlib.sha256(conversation.encode()).hexdigest()[:16]
