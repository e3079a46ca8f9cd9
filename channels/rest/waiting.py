"""Requests that wait for their replies, and the one reader that delivers these."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import redis.asyncio
import structlog

from bot.errors import StoreUnavailable
from bot.stores import redis_keys
from bot.stores.packing import unpack
from bot.stores.redis_client import guarded, is_clustered
from bot.streams.messages import Outbound

log = structlog.get_logger()

BLOCK_MS = 2000
"""Below the driver's own time-out for an answer, 5 s."""
AGAIN_S = 0.2
"""Pause while Redis is away."""


@dataclass
class Awaited:
    """Replies that a request waits for."""

    done: asyncio.Future[list[Outbound]]
    found: dict[str, Outbound] = field(default_factory=dict)
    requests: int = 0


class Replies:
    """Reader of replies for all waiting requests of a process."""

    def __init__(self, client: redis.asyncio.Redis, shards: int) -> None:
        self._redis = client
        self._last = dict.fromkeys((redis_keys.replies(shard) for shard in range(shards)), "0-0")
        self._turns: dict[str, Awaited] = {}

    @contextlib.contextmanager
    def expected(self, message: str) -> Iterator[Awaited]:
        """Expect the replies to a message, from before it is in the inbox."""
        turn = self._turns.get(message)
        if turn is None:
            turn = Awaited(asyncio.get_running_loop().create_future())
            self._turns[message] = turn
        turn.requests += 1
        try:
            yield turn
        finally:
            turn.requests -= 1
            if not turn.requests:
                self._turns.pop(message, None)

    async def look_back(self, shard: int) -> None:
        """Take what came before it was expected: the message is a repeated delivery."""
        rows: Any = await guarded(self._redis.xrange(redis_keys.replies(shard)))
        for _, fields in rows:
            self._take(unpack(fields["body"]))

    async def run(self) -> None:
        """Fetch until cancelled."""
        keys = list(self._last)
        groups = [[key] for key in keys] if is_clustered(self._redis) else [keys]
        await asyncio.gather(*(self._follow(group) for group in groups))

    async def _follow(self, keys: list[str]) -> None:
        while True:
            streams: Any = {key: self._last[key] for key in keys}
            try:
                answer: Any = await guarded(self._redis.xread(streams, block=BLOCK_MS))
            except StoreUnavailable:
                await asyncio.sleep(AGAIN_S)
                continue
            except Exception:
                # Without this task no request of this process would get its replies any more.
                log.exception("rest.replies_failed")
                await asyncio.sleep(AGAIN_S)
                continue
            for key, rows in answer or ():
                for row, fields in rows:
                    self._last[key] = row
                    self._take(unpack(fields["body"]))

    def _take(self, body: dict[str, Any]) -> None:
        # Replies for other ingress processes, and for requests that are gone, come by too.
        turn = self._turns.get(body["in_reply_to"])
        if turn is None or turn.done.done():
            return
        if "text" in body:
            reply = Outbound.from_dict(body)
            turn.found[reply.id] = reply
            if len(turn.found) < int(reply.metadata.get("of", 1)):
                return
        turn.done.set_result(list(turn.found.values()))
