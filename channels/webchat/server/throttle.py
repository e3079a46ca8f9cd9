"""How much one stranger may ask for: counters per address and per session.

Generous enough for an office behind one address, tight enough that a script gets nowhere. The
counters live in Redis, so all ingress processes count together.
"""

from __future__ import annotations

from dataclasses import dataclass

import redis.asyncio

from bot.errors import TooMany
from bot.settings import Settings
from bot.stores import redis_keys
from bot.stores.redis_client import guarded
from channels.webchat.server.settings import WebchatSettings

# KEYS: counter. ARGV: window in seconds. Counting and expiry in one step: a counter whose expiry
# got lost would lock its owner out for ever.
_COUNT = """
local count = redis.call('INCR', KEYS[1])
if count == 1 then redis.call('EXPIRE', KEYS[1], ARGV[1]) end
return count
"""


@dataclass(frozen=True)
class Allowance:
    """So many in a window."""

    what: str
    count: int
    window_s: int

    def left_s(self, now: float) -> int:
        """Seconds until the next window begins."""
        return self.window_s - int(now) % self.window_s


SESSIONS_S = 3600
MESSAGES_PER_ADDRESS = Allowance("webchat-address", 600, 60)
MESSAGES_PER_SESSION = Allowance("webchat-session", 30, 60)
UPLOADS_PER_ADDRESS = Allowance("webchat-uploads-address", 120, 3600)
UPLOADS_PER_SESSION = Allowance("webchat-uploads", 30, 600)
ERASURES_PER_ADDRESS = Allowance("webchat-erase-address", 20, 3600)
ERASURES_PER_SESSION = Allowance("webchat-erase", 5, 3600)
READS_PER_SESSION = Allowance("webchat-reads", 240, 60)


def sessions_per_address(settings: Settings) -> Allowance:
    """New visitors of one address: many, where a mobile carrier has its customers behind it."""
    count = settings.of(WebchatSettings).sessions_per_address
    return Allowance("webchat-sessions", count, SESSIONS_S)


async def spend(client: redis.asyncio.Redis, *claims: tuple[Allowance, str], now: float) -> None:
    """Count one against each allowance, in one round trip.

    Args:
        claims: Allowance, and the address or conversation it is spent by; hashed before it
            becomes part of a key.
        now: Unix seconds.

    Raises:
        TooMany: This one is over an allowance.
        StoreUnavailable: Redis is away.
    """
    pipeline = client.pipeline(transaction=False)
    for allowance, who in claims:
        key = redis_keys.limit(allowance.what, who, int(now) // allowance.window_s)
        pipeline.eval(_COUNT, 1, key, allowance.window_s)
    counts = await guarded(pipeline.execute())
    for (allowance, _), count in zip(claims, counts, strict=True):
        if int(count) > allowance.count:
            raise TooMany(allowance.left_s(now))
