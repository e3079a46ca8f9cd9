"""Shard reader: reads the streams of held shards, in order within a conversation.

Conversations are worked on side by side; inbox and outbox differ only in what they do with a row.
Order is that of arrival, unless a vendor numbers its messages: of those that wait together the
earliest goes first, and a row may be held back for a moment so that one written before it can still
come first (see docs/architecture.md, "Order").
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import redis.asyncio
import structlog

from bot.errors import StoreUnavailable
from bot.stores.packing import unpack
from bot.stores.redis_client import guarded, is_clustered, order_of
from bot.streams.lease import Leases

LOG = structlog.get_logger(__name__)

BATCH = 64
"""Rows read from a shard at once."""
BLOCK_MS = 1000
"""Longest wait for a row before the lease is checked again."""
IDLE_S = 0.1
"""Pause before a shard that is not held is checked again, or after Redis was down."""

STOP_AGAIN_S = 0.5


@dataclass(frozen=True)
class Row:
    """A row with the lease it was read under."""

    shard: int
    id: str
    lease: str
    body: dict[str, Any]
    ready_at: float = 0.0
    """Unix seconds until which it is held back; 0 for a row without a position."""
    unchecked: bool = False
    """Whether it is unknown if an earlier row arrived before this one was ready."""


@dataclass
class Backlog:
    """Waiting rows of one conversation, and the task that works on them."""

    rows: list[Row] = field(default_factory=list)
    task: asyncio.Task[None] | None = None


Work = Callable[[Row], Awaitable[None]]


class ShardReader:
    """Reader of shards: passes each row to `work` once, however often it is read.

    Args:
        key: Returns the stream of a shard.
        work: Finishes a row, or gives up because the lease is lost; must not raise.
        most_conversations: Conversations worked on at once; more stay in Redis, not in memory.
        most_slow: The same, including those set aside as slow.
        hold_s: How long a row with a `position` is held back after it was received.
    """

    def __init__(
        self,
        client: redis.asyncio.Redis,
        leases: Leases,
        key: Callable[[int], str],
        work: Work,
        *,
        most_conversations: int,
        most_slow: int = 0,
        hold_s: float = 0.0,
    ) -> None:
        self._redis = client
        self._leases = leases
        self._key = key
        self._work = work
        self._most_conversations = most_conversations
        self._most_slow = max(most_slow, most_conversations)
        self._slow: set[str] = set()
        self._room = asyncio.Event()
        self._hold_s = hold_s
        self._backlogs: dict[str, Backlog] = {}
        self._in_progress: set[tuple[int, str, str]] = set()
        self._places: dict[int, tuple[str, str]] = {}
        """Shard → lease it is read under, and the last row read."""

    async def run(self, *, finish: bool) -> None:
        """Read until cancelled.

        Args:
            finish: Whether rows in progress are finished first instead of cancelled.
        """
        shards = range(self._leases.shards)
        # On a cluster each shard's stream may be on another node: one reader for each.
        groups = [[shard] for shard in shards] if is_clustered(self._redis) else [list(shards)]
        readers = [
            asyncio.create_task(self._read(group), name=f"reader-{group[0]}") for group in groups
        ]
        try:
            # Not `gather`, which would wait for readers that a lost cancellation left running.
            done, _ = await asyncio.wait(readers, return_when=asyncio.FIRST_COMPLETED)
            for reader in done:
                reader.result()
        finally:
            await _stop(readers)
            tasks = self._tasks()  # now that the readers start no more of them
            if not finish:
                await _stop(tasks)
            await asyncio.gather(*readers, *tasks, return_exceptions=True)

    async def _read(self, shards: Sequence[int]) -> None:
        while True:
            held = {shard: self._leases.held.get(shard) for shard in shards}
            for shard, lease in held.items():
                if lease is None:
                    self._places.pop(shard, None)
                elif self._places.get(shard, ("", ""))[0] != lease:
                    # A new grant: whatever an earlier holder left unfinished comes first.
                    self._places[shard] = (lease, "0-0")
            held_shards = [shard for shard, lease in held.items() if lease is not None]
            if not held_shards:
                await asyncio.sleep(IDLE_S)
                continue
            while self._is_full():
                self._room.clear()
                await self._room.wait()
            # A shard granted meanwhile is not read before this look ends.
            block_ms = (
                BLOCK_MS if len(held_shards) == len(shards) else min(BLOCK_MS, int(IDLE_S * 1000))
            )
            try:
                await self._read_new(held_shards, block_ms)
            except StoreUnavailable:
                for shard in held_shards:
                    self._places.pop(shard, None)
                await asyncio.sleep(IDLE_S)

    def set_aside(self, conversation: str) -> None:
        """Count a conversation as slow until its rows are done: it takes no room from others."""
        if conversation in self._backlogs:
            self._slow.add(conversation)
            self._room.set()

    def _is_full(self) -> bool:
        quick = len(self._backlogs) - len(self._slow)
        return quick >= self._most_conversations or len(self._backlogs) >= self._most_slow

    async def _read_new(self, shards: Iterable[int], block_ms: int | None) -> None:
        """Read new rows of shards; without `block_ms`, only those already there."""
        places = {self._key(shard): (shard, *self._places[shard]) for shard in shards}
        streams: Any = {key: last_row for key, (_, _, last_row) in places.items()}
        asked_at = time.time()
        answer: Any = await guarded(self._redis.xread(streams, BATCH, block_ms))
        for key, rows in answer or ():
            shard, lease, _ = places[key]
            full = len(rows) >= BATCH
            for row, fields in rows:
                lease_now, last_row = self._places.get(shard, ("", ""))
                # Two reads at a time may bring the same rows.
                if lease_now == lease and order_of(row) > order_of(last_row):
                    self._places[shard] = (lease, row)
                    body = unpack(fields["body"])
                    ready_at = self._ready_at(body)
                    # Not the moment of the answer, which may be old when this process is busy.
                    unchecked = bool(ready_at) and (full or asked_at < ready_at)
                    self._start(Row(shard, row, lease, body, ready_at, unchecked))

    def _ready_at(self, body: dict[str, Any]) -> float:
        if not body.get("position"):
            return 0.0
        # No longer than agreed, although the clock of the machine that took it may be ahead.
        return min(float(body.get("received_at") or 0.0), time.time()) + self._hold_s

    def _start(self, row: Row) -> None:
        # With the shard: two shards may give rows the same id in the same millisecond.
        name = (row.shard, row.lease, row.id)
        if name in self._in_progress:
            return  # read again after Redis was down; the task that has it goes on
        self._in_progress.add(name)
        conversation = row.body["conversation"]
        backlog = self._backlogs.setdefault(conversation, Backlog())
        backlog.rows.append(row)
        if backlog.task is None:
            backlog.task = asyncio.create_task(self._work_off(conversation, backlog))

    async def _work_off(self, conversation: str, backlog: Backlog) -> None:
        try:
            while backlog.rows:
                row = await self._next(backlog)
                backlog.rows.remove(row)
                try:
                    if self._leases.held.get(row.shard) == row.lease:
                        await self._work(row)
                except Exception as error:
                    LOG.error("row.abandoned", conversation=conversation, error=repr(error))
                finally:
                    self._in_progress.discard((row.shard, row.lease, row.id))
        finally:
            for row in backlog.rows:
                self._in_progress.discard((row.shard, row.lease, row.id))
            del self._backlogs[conversation]
            self._slow.discard(conversation)
            self._room.set()

    async def _next(self, backlog: Backlog) -> Row:
        """Choose the earliest row by the vendor's order.

        Wait until it was held back for long enough and all rows that arrived meanwhile are read.
        """
        checked = set[str]()
        while True:
            row = min(backlog.rows, key=lambda row: int(row.body.get("position") or 0))
            if not row.unchecked or row.id in checked:
                return row
            if (wait_s := row.ready_at - time.time()) > 0:
                await asyncio.sleep(wait_s)
            if self._leases.held.get(row.shard) != row.lease:
                return row  # another process holds the shard by now: the caller drops it
            try:
                if row.shard in self._places:
                    await self._read_new([row.shard], None)
                    checked.add(row.id)
                    continue
            except StoreUnavailable:
                pass
            await asyncio.sleep(IDLE_S)

    def _tasks(self) -> list[asyncio.Task[None]]:
        return [backlog.task for backlog in self._backlogs.values() if backlog.task is not None]


async def _stop(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel tasks until they end: a cancellation while the driver connects can get lost in it."""
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=STOP_AGAIN_S)
