"""Who works on which shard: leases with a fencing number.

A holder renews its leases three times as often as they run out. Its fencing number grows with
every grant, and every write is checked against it, so a process that was only slow (stopped,
swapped out) cannot write after its shards moved on.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass

import redis.asyncio
import structlog

from bot.errors import LeaseLost, StoreUnavailable
from bot.stores import redis_keys
from bot.stores.redis_client import guarded
from bot.stores.tasks import goes_on

LOG = structlog.get_logger(__name__)

# KEYS: lease, fence. ARGV: holder, ttl ms. Ours by name too: a restarted process takes its shards
# back at once, with a new fencing number. Returns the lease text, or false.
_TAKE = """
local there = redis.call('GET', KEYS[1])
if there and string.sub(there, 1, #ARGV[1] + 1) ~= ARGV[1] .. '|' then return false end
local text = ARGV[1] .. '|' .. redis.call('INCR', KEYS[2])
redis.call('SET', KEYS[1], text, 'PX', ARGV[2])
return text
"""

# KEYS: lease. ARGV: lease text, ttl ms.
_RENEW = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
"""

_RELEASE = """
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
"""


class Leases:
    """The shards one process holds in one role.

    Args:
        role: `engine`, `sender` or `recorder`.
        holder: Name of this process; a successor with the same name inherits at once.
    """

    def __init__(
        self, client: redis.asyncio.Redis, role: str, holder: str, shards: int, lease_s: float
    ) -> None:
        self._redis = client
        self.role = role
        self.holder = holder
        self.shards = shards
        self._lease_s = lease_s
        self.held: dict[int, str] = {}
        """Shard → lease text, as of the last look."""
        self._until: dict[int, float] = {}
        """Shard → moment (monotonic) before which nobody else can have it."""

    @property
    def lease_s(self) -> float:
        return self._lease_s

    def sure(self, shard: int, text: str) -> bool:
        """Tell without asking whether a grant still holds.

        A process that was stopped for a while learns here that it was, before anybody told it.
        """
        return self.held.get(shard) == text and time.monotonic() < self._until.get(shard, math.inf)

    async def step(self) -> None:
        """Renew, take what is free up to a fair share, give back what is above it."""
        now = time.time()
        group = redis_keys.holders(self.role)
        await guarded(self._redis.zadd(group, {self.holder: now + self._lease_s}))
        await guarded(self._redis.zremrangebyscore(group, "-inf", now))
        holders = max(1, int(await guarded(self._redis.zcard(group))))
        share = -(-self.shards // holders)
        ttl_ms = int(self._lease_s * 1000)
        for shard, text in list(self.held.items()):
            key, asked = redis_keys.lease(shard, self.role), time.monotonic()
            if not await guarded(self._redis.eval(_RENEW, 1, key, text, ttl_ms)):
                LOG.warning("lease.lost", role=self.role, shard=shard)
                self._drop(shard)
            elif self.held.get(shard) == text:
                self._until[shard] = asked + self._lease_s
        for shard in range(self.shards):
            if len(self.held) >= share:
                break
            if shard not in self.held:
                keys = [redis_keys.lease(shard, self.role), redis_keys.fence(shard, self.role)]
                asked = time.monotonic()
                text = await guarded(self._redis.eval(_TAKE, 2, *keys, self.holder, ttl_ms))
                if text:
                    self.held[shard] = text
                    self._until[shard] = asked + self._lease_s
        while len(self.held) > share:
            await self.release(max(self.held))

    async def release(self, shard: int) -> None:
        """Give a shard back at once."""
        text = self._drop(shard)
        if text:
            key = redis_keys.lease(shard, self.role)
            await guarded(self._redis.eval(_RELEASE, 1, key, text))

    async def release_all(self) -> None:
        """Give everything back, at a graceful stop."""
        for shard in list(self.held):
            await self.release(shard)
        await guarded(self._redis.zrem(redis_keys.holders(self.role), self.holder))

    async def keep(self) -> None:
        """Step until cancelled; while Redis is away nothing is ours, and that is all we know."""
        while goes_on():
            try:
                await self.step()
            except StoreUnavailable as error:
                if self.held:
                    LOG.warning("lease.delayed", role=self.role, reason=str(error))
                self.held.clear()
                self._until.clear()
            await asyncio.sleep(self._lease_s / 3)

    def _drop(self, shard: int) -> str:
        self._until.pop(shard, None)
        return self.held.pop(shard, "")


@dataclass(frozen=True)
class Grant:
    """The right to work on a shard's rows, for what acts outside Redis and cannot be fenced."""

    leases: Leases
    shard: int
    text: str


GRANT: ContextVar[Grant | None] = ContextVar("grant", default=None)
"""Under which grant this task works."""


def must_hold() -> None:
    """Ask right before something that cannot be taken back, such as a call to a vendor.

    Raises:
        LeaseLost: Another process may have the shard by now.
    """
    holding()()


def holding() -> Callable[[], None]:
    """Return `must_hold` for the grant of this task, to be asked on another thread.

    A transaction asks it last, when it holds locks on what it has written: a process that is
    stopped after that holds its successor up, and one that was stopped before writes nothing.
    """
    grant = GRANT.get()

    def ask() -> None:
        if grant is not None and not grant.leases.sure(grant.shard, grant.text):
            raise LeaseLost(grant.shard)

    return ask
