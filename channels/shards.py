"""Reads the streams of the shards a process holds: in order within a conversation, side by side
across conversations. Inbox and outbox differ only in what they do with a row.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any

import redis.asyncio
import structlog

from bot.errors import StoreUnavailable
from bot.lease import Leases
from bot.redis_client import guarded

LOG = structlog.get_logger(__name__)

BATCH = 64
"""Rows read at once from a shard."""
BLOCK_MS = 1000
"""Longest wait for a row before the lease is looked at again."""
IDLE_S = 0.1
"""How soon a shard is looked at again that is not ours, or after Redis was away."""

STOP_AGAIN_S = 0.5


@dataclass(frozen=True)
class Row:
    """A row under the lease it was read with."""

    shard: int
    id: str
    lease: str
    body: dict[str, Any]


Work = Callable[[Row], Awaitable[None]]


class ShardReader:
    """Hands rows to `work`, each once while it is under way.

    Args:
        key: Stream of a shard.
        work: Finishes a row, or gives up because the lease is lost; must not raise.
        most_lines: Conversations under way at once; a backlog beyond stays in Redis, not in memory.
    """

    def __init__(
        self,
        client: redis.asyncio.Redis,
        leases: Leases,
        key: Callable[[int], str],
        work: Work,
        *,
        most_lines: int,
    ) -> None:
        self._redis = client
        self._leases = leases
        self._key = key
        self._work = work
        self._most_lines = most_lines
        self._lines: dict[str, asyncio.Task[None]] = {}
        self._under_way: set[tuple[int, str, str]] = set()

    async def run(self, *, finish: bool) -> None:
        """Read until cancelled.

        Args:
            finish: Let rows under way come to their end first, instead of cancelling them.
        """
        readers = [
            asyncio.create_task(self._read(shard), name=f"{self._key(shard)}")
            for shard in range(self._leases.shards)
        ]
        try:
            # Not `gather`, which would wait for readers that a lost cancellation left running.
            done, _ = await asyncio.wait(readers, return_when=asyncio.FIRST_COMPLETED)
            for reader in done:
                reader.result()
        finally:
            lines = list(self._lines.values())
            await _stop(readers if finish else [*readers, *lines])
            await asyncio.gather(*readers, *lines, return_exceptions=True)

    async def _read(self, shard: int) -> None:
        lease, last = "", "0-0"
        while True:
            held = self._leases.held.get(shard)
            if held is None:
                lease = ""
                await asyncio.sleep(IDLE_S)
                continue
            if held != lease:
                # A new grant: whatever an earlier holder left unfinished comes first.
                lease, last = held, "0-0"
            while len(self._lines) >= self._most_lines:
                await asyncio.wait(self._lines.values(), return_when=asyncio.FIRST_COMPLETED)
            try:
                answer = await guarded(self._redis.xread({self._key(shard): last}, BATCH, BLOCK_MS))
            except StoreUnavailable:
                lease = ""
                await asyncio.sleep(IDLE_S)
                continue
            for _, rows in answer or ():
                for row, fields in rows:
                    last = row
                    self._start(Row(shard, row, lease, json.loads(fields["body"])))

    def _start(self, row: Row) -> None:
        # With the shard: two shards may give rows the same id in the same millisecond.
        name = (row.shard, row.lease, row.id)
        if name in self._under_way:
            return  # read again after Redis was away; whoever works on it goes on
        self._under_way.add(name)
        conversation = row.body["conversation"]
        task = asyncio.create_task(self._after(self._lines.get(conversation), row))
        self._lines[conversation] = task
        task.add_done_callback(lambda done: self._forget(conversation, name, done))

    async def _after(self, before: asyncio.Task[None] | None, row: Row) -> None:
        if before is not None:
            await asyncio.wait([before])
        if self._leases.held.get(row.shard) == row.lease:
            await self._work(row)

    def _forget(
        self, conversation: str, name: tuple[int, str, str], task: asyncio.Task[None]
    ) -> None:
        self._under_way.discard(name)
        if self._lines.get(conversation) is task:
            del self._lines[conversation]
        if not task.cancelled() and task.exception() is not None:
            LOG.error("row.abandoned", conversation=conversation, error=repr(task.exception()))


async def _stop(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel until it has worked: one that arrives while the driver connects can get lost in it."""
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=STOP_AGAIN_S)
