"""Reads the streams of the shards a process holds: in order within a conversation, side by side
across conversations. Inbox and outbox differ only in what they do with a row.

Order is that of arrival, unless a vendor says in which order its messages were written: of those
that wait together the earliest goes first, and a row may be held back for a moment so that one
which overtook it on the way can still be put before it (see docs/architecture.md, "Order").
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
    ready_at: float = 0.0
    """Unix seconds before which it is held back; 0 for a row without a position."""
    alone: bool = False
    """Nobody knows yet whether an earlier one came in before it was ready."""


@dataclass
class Line:
    """Rows of a conversation that wait, and the task that works them off."""

    rows: list[Row] = field(default_factory=list)
    task: asyncio.Task[None] | None = None


Work = Callable[[Row], Awaitable[None]]


class ShardReader:
    """Hands rows to `work`, each once while it is under way.

    Args:
        key: Stream of a shard.
        work: Finishes a row, or gives up because the lease is lost; must not raise.
        most_lines: Conversations under way at once; a backlog beyond stays in Redis, not in memory.
        most_slow: Conversations under way, those included that were set aside as slow.
        hold_s: How long a row with a `position` is held back after it was received.
    """

    def __init__(
        self,
        client: redis.asyncio.Redis,
        leases: Leases,
        key: Callable[[int], str],
        work: Work,
        *,
        most_lines: int,
        most_slow: int = 0,
        hold_s: float = 0.0,
    ) -> None:
        self._redis = client
        self._leases = leases
        self._key = key
        self._work = work
        self._most_lines = most_lines
        self._most_slow = max(most_slow, most_lines)
        self._slow: set[str] = set()
        self._room = asyncio.Event()
        self._hold_s = hold_s
        self._lines: dict[str, Line] = {}
        self._under_way: set[tuple[int, str, str]] = set()
        self._places: dict[int, tuple[str, str]] = {}
        """Shard → lease it is read under, and the last row that was read."""

    async def run(self, *, finish: bool) -> None:
        """Read until cancelled.

        Args:
            finish: Let rows under way come to their end first, instead of cancelling them.
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
            lines = self._tasks()  # now that nobody starts more of them
            if not finish:
                await _stop(lines)
            await asyncio.gather(*readers, *lines, return_exceptions=True)

    async def _read(self, shards: Sequence[int]) -> None:
        while True:
            held = {shard: self._leases.held.get(shard) for shard in shards}
            for shard, lease in held.items():
                if lease is None:
                    self._places.pop(shard, None)
                elif self._places.get(shard, ("", ""))[0] != lease:
                    # A new grant: whatever an earlier holder left unfinished comes first.
                    self._places[shard] = (lease, "0-0")
            ours = [shard for shard, lease in held.items() if lease is not None]
            if not ours:
                await asyncio.sleep(IDLE_S)
                continue
            while self._is_full():
                self._room.clear()
                await self._room.wait()
            # A shard granted meanwhile is not read before this look ends.
            block_ms = BLOCK_MS if len(ours) == len(shards) else min(BLOCK_MS, int(IDLE_S * 1000))
            try:
                await self._look(ours, block_ms)
            except StoreUnavailable:
                for shard in ours:
                    self._places.pop(shard, None)
                await asyncio.sleep(IDLE_S)

    def set_aside(self, conversation: str) -> None:
        """Count a conversation as slow until its line ends: it takes no room from others."""
        if conversation in self._lines:
            self._slow.add(conversation)
            self._room.set()

    def _is_full(self) -> bool:
        quick = len(self._lines) - len(self._slow)
        return quick >= self._most_lines or len(self._lines) >= self._most_slow

    async def _look(self, shards: Iterable[int], block_ms: int | None) -> None:
        """Read what is new in shards; without `block_ms`, only what is there already."""
        places = {self._key(shard): (shard, *self._places[shard]) for shard in shards}
        streams: Any = {key: last for key, (_, _, last) in places.items()}
        asked_at = time.time()
        answer: Any = await guarded(self._redis.xread(streams, BATCH, block_ms))
        for key, rows in answer or ():
            shard, lease, _ = places[key]
            full = len(rows) >= BATCH
            for row, fields in rows:
                at, last = self._places.get(shard, ("", ""))
                # Two looks at a time may bring the same rows.
                if at == lease and order_of(row) > order_of(last):
                    self._places[shard] = (lease, row)
                    body = unpack(fields["body"])
                    ready_at = self._ready_at(body)
                    # Not the moment of the answer, which may be old when this process is busy.
                    alone = bool(ready_at) and (full or asked_at < ready_at)
                    self._start(Row(shard, row, lease, body, ready_at, alone))

    def _ready_at(self, body: dict[str, Any]) -> float:
        if not body.get("position"):
            return 0.0
        # No longer than agreed, although the clock of the machine that took it may be ahead.
        return min(float(body.get("received_at") or 0.0), time.time()) + self._hold_s

    def _start(self, row: Row) -> None:
        # With the shard: two shards may give rows the same id in the same millisecond.
        name = (row.shard, row.lease, row.id)
        if name in self._under_way:
            return  # read again after Redis was away; whoever works on it goes on
        self._under_way.add(name)
        conversation = row.body["conversation"]
        line = self._lines.setdefault(conversation, Line())
        line.rows.append(row)
        if line.task is None:
            line.task = asyncio.create_task(self._work_off(conversation, line))

    async def _work_off(self, conversation: str, line: Line) -> None:
        try:
            while line.rows:
                row = await self._next(line)
                line.rows.remove(row)
                try:
                    if self._leases.held.get(row.shard) == row.lease:
                        await self._work(row)
                except Exception as error:
                    LOG.error("row.abandoned", conversation=conversation, error=repr(error))
                finally:
                    self._under_way.discard((row.shard, row.lease, row.id))
        finally:
            for row in line.rows:
                self._under_way.discard((row.shard, row.lease, row.id))
            del self._lines[conversation]
            self._slow.discard(conversation)
            self._room.set()

    async def _next(self, line: Line) -> Row:
        """Choose the earliest by the vendor's order, once it was held back for long enough and
        everything that came in meanwhile was read, whatever else this process had to do."""
        looked = set[str]()
        while True:
            row = min(line.rows, key=lambda row: int(row.body.get("position") or 0))
            if not row.alone or row.id in looked:
                return row
            if (wait_s := row.ready_at - time.time()) > 0:
                await asyncio.sleep(wait_s)
            if self._leases.held.get(row.shard) != row.lease:
                return row  # somebody else's by now: the caller drops it
            try:
                if row.shard in self._places:
                    await self._look([row.shard], None)
                    looked.add(row.id)
                    continue
            except StoreUnavailable:
                pass
            await asyncio.sleep(IDLE_S)

    def _tasks(self) -> list[asyncio.Task[None]]:
        return [line.task for line in self._lines.values() if line.task is not None]


async def _stop(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel until it has worked: one that arrives while the driver connects can get lost in it."""
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=STOP_AGAIN_S)
