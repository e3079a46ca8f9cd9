"""Meta's window for answers: a day after the customer last wrote, a week for agents.

Kept in Redis by the receiver; where nothing is known the vendor decides.
"""

from __future__ import annotations

import redis.asyncio

from bot.errors import DeliveryFailed
from bot.stores import redis_keys
from bot.stores.redis_batches import Script, batches_of
from bot.stores.redis_client import guarded
from bot.streams.messages import Outbound
from channels.kit.meta.graph import OUTSIDE_WINDOW
from channels.kit.meta.limits import HUMAN_AGENT_WINDOW, WINDOW

WINDOW_S = WINDOW.value
HUMAN_AGENT_S = HUMAN_AGENT_WINDOW.value
AGENT = "agent"
TAGGED = {"messaging_type": "MESSAGE_TAG", "tag": "HUMAN_AGENT"}


# KEYS: the moment, a key to read. ARGV: moment, ttl.
# A delivery that comes late must not make the window shorter.
_NOTE = Script("""
local known = tonumber(redis.call('GET', KEYS[1]) or '0')
if tonumber(ARGV[1]) > known then redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2]) end
return redis.call('GET', KEYS[2])
""")


class Windows:
    """Notes and looks up when customers last wrote."""

    def __init__(self, shards: int, client: redis.asyncio.Redis) -> None:
        self._shards = shards
        self._redis = client

    async def note(self, conversation: str, at: float, beside: str = "") -> str:
        """The customer did something at this moment that opens the window.

        Args:
            beside: A key of the same shard to read in the same round trip.

        Returns:
            The value there; empty without one.
        """
        key, ttl = self._key(conversation), int(HUMAN_AGENT_S)
        result = await guarded(
            batches_of(self._redis).script(_NOTE, [key, beside or key], repr(at), ttl)
        )
        return str(result or "") if beside else ""

    async def last(self, conversation: str) -> float | None:
        """Unix seconds; None when nothing is known."""
        value = await guarded(self._redis.get(self._key(conversation)))
        return float(value) if value else None

    def _key(self, conversation: str) -> str:
        shard = redis_keys.shard_of(conversation, self._shards)
        return redis_keys.seen(shard, f"window-{conversation}")


def messaging_type(outbound: Outbound, last: float | None, now: float) -> dict[str, str]:
    """Choose how a message is declared to Meta.

    Args:
        last: When the customer last wrote, Unix seconds; None if unknown.

    Returns:
        `messaging_type`, and `tag` where one is needed.

    Raises:
        DeliveryFailed: Neither the window nor the tag for people allows it.
    """
    age = 0.0 if last is None else now - last
    if age <= WINDOW_S:
        asked = outbound.in_reply_to or outbound.author == AGENT
        return {"messaging_type": "RESPONSE" if asked else "UPDATE"}
    if age <= HUMAN_AGENT_S and outbound.author == AGENT:
        return TAGGED
    raise DeliveryFailed(OUTSIDE_WINDOW, permanent=True)
