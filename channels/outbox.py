"""The way out: one process at a time drains a shard, in order within each conversation (D7).

A send that fails is tried again with growing pauses; what can never succeed, or fails too often,
becomes a dead letter that the desk shows. Only then do later messages of the conversation follow.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Mapping
from typing import Any, Protocol

import redis.asyncio
import structlog

from bot import redis_keys
from bot.conversation.messages import Outbound
from bot.delivery import record_row
from bot.errors import DeliveryFailed, StoreUnavailable
from bot.events import Event
from bot.lease import Leases
from bot.redis_client import guarded

LOG = structlog.get_logger(__name__)

BATCH = 64
MOST_LINES = 2048
"""Conversations with a message on its way; the rest of a backlog stays in Redis."""
BLOCK_MS = 1000
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 60.0
AWAY_PAUSE_S = 0.3
"""Before looking again whether Redis is back."""
MAX_TRIES = 8
"""With doubling pauses a message is tried for about a minute and a half."""

# KEYS: lease, outbox, record, attempts. ARGV: lease text, row, rows for the recorder.
_DONE = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if redis.call('XDEL', KEYS[2], ARGV[2]) == 0 then return 2 end
redis.call('HDEL', KEYS[4], ARGV[2])
for i = 3, #ARGV do redis.call('XADD', KEYS[3], '*', 'body', ARGV[i]) end
return 1
"""


class Client(Protocol):
    """How a channel sends."""

    async def send(self, outbound: Outbound) -> str:
        """Hand a message to the vendor; return the vendor's id.

        Raises:
            DeliveryFailed: The vendor did not take it.
        """


class Sender:
    """Drains the outbox shards held by `leases` through the channels' clients."""

    def __init__(
        self, client: redis.asyncio.Redis, leases: Leases, channels: Mapping[str, Client]
    ) -> None:
        self._redis = client
        self._leases = leases
        self._channels = channels
        self._done = client.register_script(_DONE)
        self._lines: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Send until cancelled."""
        readers = [
            asyncio.create_task(self._read(shard), name=f"outbox-{shard}")
            for shard in range(self._leases.shards)
        ]
        try:
            await asyncio.gather(*readers)
        finally:
            for reader in readers:
                reader.cancel()
            for line in self._lines.values():
                line.cancel()
            await asyncio.gather(*readers, *self._lines.values(), return_exceptions=True)

    async def _read(self, shard: int) -> None:
        lease, last = "", "0-0"
        while True:
            held = self._leases.held.get(shard)
            if held is None:
                lease = ""
                await asyncio.sleep(0.1)
                continue
            if held != lease:
                lease, last = held, "0-0"
            while len(self._lines) >= MOST_LINES:
                await asyncio.wait(self._lines.values(), return_when=asyncio.FIRST_COMPLETED)
            try:
                answer = await guarded(
                    self._redis.xread({redis_keys.outbox(shard): last}, BATCH, BLOCK_MS)
                )
            except StoreUnavailable:
                lease = ""
                await asyncio.sleep(0.2)
                continue
            for _, rows in answer or ():
                for row, fields in rows:
                    last = row
                    outbound = Outbound.from_dict(json.loads(fields["body"]))
                    before = self._lines.get(outbound.conversation)
                    task = asyncio.create_task(self._deliver(before, outbound, shard, row, lease))
                    self._lines[outbound.conversation] = task
                    task.add_done_callback(
                        lambda done, c=outbound.conversation: self._forget(c, done)
                    )

    def _forget(self, conversation: str, task: asyncio.Task[None]) -> None:
        if self._lines.get(conversation) is task:
            del self._lines[conversation]

    async def _deliver(
        self,
        before: asyncio.Task[None] | None,
        outbound: Outbound,
        shard: int,
        row: str,
        lease: str,
    ) -> None:
        if before is not None:
            await asyncio.wait([before])
        tries = 0
        while self._leases.held.get(shard) == lease:
            try:
                vendor_id = await self._send(outbound)
                await self._finish(shard, row, lease, self._sent(outbound, vendor_id))
                return
            except DeliveryFailed as error:
                tries = await self._count(shard, row, tries)
                LOG.warning(
                    "message.unsent", conversation=outbound.conversation, reason=error.reason,
                    tries=tries, permanent=error.permanent,
                )  # fmt: skip
                if error.permanent or tries >= MAX_TRIES:
                    try:
                        await self._finish(shard, row, lease, self._dead(outbound, error))
                        return
                    except StoreUnavailable:
                        await asyncio.sleep(AWAY_PAUSE_S)
                        continue
                await asyncio.sleep(error.retry_after_s or _pause(tries))
            except StoreUnavailable:
                await asyncio.sleep(AWAY_PAUSE_S)

    async def _count(self, shard: int, row: str, tries: int) -> int:
        """Count a failed try where a successor finds it."""
        try:
            return int(await guarded(self._redis.hincrby(redis_keys.attempts(shard), row, 1)))  # type: ignore[arg-type]
        except StoreUnavailable:
            return tries + 1

    async def _send(self, outbound: Outbound) -> str:
        client = self._channels.get(outbound.channel)
        if client is None:
            raise DeliveryFailed("channel-off", permanent=True)
        try:
            return await client.send(outbound)
        except (DeliveryFailed, StoreUnavailable):
            raise
        except Exception as error:
            LOG.exception("send.failed", channel=outbound.channel)
            raise DeliveryFailed(type(error).__name__) from error

    async def _finish(self, shard: int, row: str, lease: str, records: list[str]) -> None:
        await guarded(
            self._done(
                keys=[
                    redis_keys.lease(shard, "sender"),
                    redis_keys.outbox(shard),
                    redis_keys.record(shard),
                    redis_keys.attempts(shard),
                ],
                args=[lease, row, *records],
            )
        )

    def _sent(self, outbound: Outbound, vendor_id: str) -> list[str]:
        return [
            record_row("delivery", {"id": outbound.id, "delivery": "sent"}),
            record_row("event", self._event(outbound, "message.sent", vendor_id=vendor_id)),
        ]

    def _dead(self, outbound: Outbound, error: DeliveryFailed) -> list[str]:
        letter: dict[str, Any] = {
            "id": outbound.id,
            "direction": "out",
            "conversation": outbound.conversation,
            "error": error.reason,
            "body": outbound.to_dict(),
            "created_at": time.time(),
            "replayed_at": None,
        }
        return [
            record_row("dead", letter),
            record_row("delivery", {"id": outbound.id, "delivery": "failed"}),
            record_row("event", self._event(outbound, "message.failed", reason=error.reason)),
        ]

    @staticmethod
    def _event(outbound: Outbound, kind: str, **data: Any) -> dict[str, Any]:
        return Event(
            id=f"{outbound.id}:{kind}",
            type=kind,
            conversation=outbound.conversation,
            channel=outbound.channel,
            language=outbound.language,
            actor={"agent": "agent", "bot": "bot"}.get(outbound.author, "system"),
            content_version=outbound.content_version,
            data={**data, "in_reply_to": outbound.in_reply_to, "utter": outbound.utter},
        ).to_dict()


def _pause(tries: int) -> float:
    """Doubling, with jitter so that many conversations do not come back at once."""
    return min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** (tries - 1)) * random.uniform(0.5, 1.0)  # noqa: S311
