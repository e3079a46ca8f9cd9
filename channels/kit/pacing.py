"""Pacing: sends no faster than a platform allows, across all sender processes.

Each place of the line is taken in Redis (the generic cell rate algorithm), so who comes later
waits longer; a vendor's own "retry after" holds the line for everybody.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import redis.asyncio

from bot.stores import redis_keys
from bot.stores.redis_client import guarded

# KEYS: the line. ARGV: interval in ms, burst, hold in ms (0: take a place).
# Returns the milliseconds to wait. The value is the time at which the line is empty again.
_TAKE = """
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local slack = (ARGV[2] - 1) * ARGV[1]
local free = tonumber(redis.call('GET', KEYS[1]) or '0')
local start, after
if tonumber(ARGV[3]) > 0 then
  start = now
  after = math.max(free, now + ARGV[3] + slack)
else
  start = math.max(now, free - slack)
  after = math.max(free, start) + ARGV[1]
end
redis.call('SET', KEYS[1], string.format('%.0f', after), 'PX', math.ceil(after - now + 1000))
return math.ceil(start - now)
"""


@dataclass(frozen=True)
class Pace:
    """Allowed rate of sending."""

    name: str
    """Such as `telegram-chat`; part of the key."""
    interval_s: float
    """Seconds from one message to the next in the long run."""
    burst: int = 1
    """Messages that may go at once after a pause."""


class Pacer:
    """Reserves moments for sending."""

    def __init__(self, client: redis.asyncio.Redis) -> None:
        self._redis = client

    async def take(self, pace: Pace, who: str) -> float:
        """Take the next place of a line; return the seconds to wait before sending.

        Raises:
            StoreUnavailable: No place was taken.
        """
        return await self._ask(pace, who, 0.0)

    async def hold(self, pace: Pace, who: str, for_s: float) -> None:
        """Let no process send before `for_s` seconds have passed, as the vendor demands."""
        await self._ask(pace, who, max(for_s, 0.001))

    async def wait(self, *lines: tuple[Pace, str]) -> None:
        """Take a place in each line and wait for the last of them."""
        waits = [await self.take(pace, who) for pace, who in lines]
        if (longest := max(waits, default=0.0)) > 0:
            await asyncio.sleep(longest)

    async def _ask(self, pace: Pace, who: str, hold_s: float) -> float:
        key = redis_keys.limit(pace.name, who, 0)
        wait_ms = await guarded(
            self._redis.eval(
                _TAKE, 1, key, round(pace.interval_s * 1000), pace.burst, round(hold_s * 1000)
            )
        )
        return int(wait_ms) / 1000
