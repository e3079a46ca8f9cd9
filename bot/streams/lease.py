"""Leases: which process works on which shard, with a fencing number against slow processes.

A holder renews a lease when a third of its time has passed. The fencing number grows with every
grant, and every write is checked against it, so a process that was slow (stopped, swapped out)
cannot write after its shards have passed to another.
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
from redis import exceptions

from bot.errors import LeaseLost, StoreUnavailable
from bot.stores import redis_keys
from bot.stores.redis_client import guarded
from bot.stores.tasks import not_cancelled

LOG = structlog.get_logger(__name__)

MOST_ENDED = 10_000
"""Grants ended by an outage that are remembered; work under older ones was long dropped."""

# KEYS: lease, fence. ARGV: holder, ttl ms. A lease of the same name is free too: a restarted
# process takes its shards back at once, with a new fencing number. Returns the lease text, or
# false.
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
    """Leases on the shards that one process holds in one role.

    Args:
        role: `engine`, `sender` or `recorder`.
        holder: Name of this process; a successor with the same name takes its leases at once.
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
        """Shard → lease text, as of the last `step`."""
        self._until: dict[int, float] = {}
        """Shard → monotonic seconds until which nobody else can have it."""
        self._ended_by_outage: dict[tuple[int, str], None] = {}
        """Shard and lease text, oldest first."""

    @property
    def lease_s(self) -> float:
        return self._lease_s

    def surely_holds(self, shard: int, text: str) -> bool:
        """Tell without calling Redis whether a lease is still held.

        After a process was stopped for a while, this is False before Redis has said so.
        """
        return self.held.get(shard) == text and time.monotonic() < self._until.get(shard, math.inf)

    async def step(self) -> None:
        """Renew leases, take free ones up to a fair share, release those above it."""
        now = time.time()
        group = redis_keys.holders(self.role)
        await guarded(self._redis.zadd(group, {self.holder: now + self._lease_s}))
        await guarded(self._redis.zremrangebyscore(group, "-inf", now))
        holders = max(1, int(await guarded(self._redis.zcard(group))))
        share = -(-self.shards // holders)
        ttl_ms = int(self._lease_s * 1000)
        for shard, text in list(self.held.items()):
            key, asked_at = redis_keys.lease(shard, self.role), time.monotonic()
            if not await guarded(self._redis.eval(_RENEW, 1, key, text, ttl_ms)):
                LOG.warning("lease.lost", role=self.role, shard=shard)
                self._drop(shard)
            elif self.held.get(shard) == text:
                self._until[shard] = asked_at + self._lease_s
        for shard in range(self.shards):
            if len(self.held) >= share:
                break
            if shard not in self.held:
                keys = [redis_keys.lease(shard, self.role), redis_keys.fence(shard, self.role)]
                asked_at = time.monotonic()
                text = await guarded(self._redis.eval(_TAKE, 2, *keys, self.holder, ttl_ms))
                if text:
                    self.held[shard] = text
                    self._until[shard] = asked_at + self._lease_s
        while len(self.held) > share:
            await self.release(max(self.held))

    async def release(self, shard: int) -> None:
        """Release a shard at once."""
        text = self._drop(shard)
        if text:
            key = redis_keys.lease(shard, self.role)
            await guarded(self._redis.eval(_RELEASE, 1, key, text))

    async def release_all(self) -> None:
        """Release every shard, at a graceful stop."""
        for shard in list(self.held):
            await self.release(shard)
        await guarded(self._redis.zrem(redis_keys.holders(self.role), self.holder))

    async def keep(self) -> None:
        """Step until cancelled; while Redis is down no shard counts as held."""
        while not_cancelled():
            try:
                await self.step()
            except StoreUnavailable as error:
                if self.held:
                    LOG.warning("lease.delayed", role=self.role, reason=str(error))
                if not isinstance(error.__cause__, exceptions.TimeoutError):
                    self._note_outage()  # a late answer may be ours to answer for
                self.held.clear()
                self._until.clear()
            await asyncio.sleep(self._lease_s / 3)

    def lose(self, shard: int, text: str) -> None:
        """Take a grant for lost that a write was refused under; a newer one stays."""
        if self.held.get(shard) == text:
            self._drop(shard)

    def ended_by_outage(self, shard: int, text: str) -> bool:
        """Tell whether a grant ended because Redis did not take its renewal."""
        return (shard, text) in self._ended_by_outage

    def _note_outage(self) -> None:
        self._ended_by_outage.update(dict.fromkeys(list(self.held.items())))
        while len(self._ended_by_outage) > MOST_ENDED:
            del self._ended_by_outage[next(iter(self._ended_by_outage))]

    def _drop(self, shard: int) -> str:
        self._until.pop(shard, None)
        return self.held.pop(shard, "")


@dataclass(frozen=True)
class Grant:
    """The lease a task works under, for calls outside Redis, which cannot be fenced."""

    leases: Leases
    shard: int
    text: str


GRANT: ContextVar[Grant | None] = ContextVar("grant", default=None)
"""The grant this task works under."""


def require_lease() -> None:
    """Check the lease right before a call that cannot be undone, such as one to a vendor.

    Raises:
        LeaseLost: Another process may hold the shard by now.
    """
    lease_check()()


def lease_check() -> Callable[[], None]:
    """Return `require_lease` for the grant of this task, to be called on another thread.

    A transaction calls it last, when it has locked what it has written: a process that is stopped
    after that makes its successor wait, and one that was stopped before writes nothing.
    """
    grant = GRANT.get()

    def check() -> None:
        if grant is not None and not grant.leases.surely_holds(grant.shard, grant.text):
            raise LeaseLost(grant.shard)

    return check
