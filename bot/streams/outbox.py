"""Sender of the outbox: one process at a time per shard, in order within a conversation.

A send that fails is tried again with growing pauses; one that can never succeed, or fails too
often, becomes a dead letter that the desk shows. Only then are later messages of the conversation
sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Mapping
from typing import Any, Protocol

import redis.asyncio
import structlog

from bot.errors import DeliveryFailed, LeaseLost, StoreUnavailable
from bot.events import Event, EventData, MessageFailed, MessageSent, Subject
from bot.stores import redis_keys
from bot.stores.redis_batches import Script, batches_of
from bot.stores.redis_client import guarded
from bot.streams import attempts
from bot.streams.delivery import record_row
from bot.streams.lease import GRANT, Grant, Leases
from bot.streams.messages import Outbound
from bot.streams.shards import Row, ShardReader

LOG = structlog.get_logger(__name__)

MOST_CONVERSATIONS = 2048
"""Conversations sent to at once; the rest of a backlog stays in Redis."""
MOST_SLOW = 20_000
"""The same, including those whose vendor did not take the message at once: while one vendor is
down, customers of the others get their messages. A waiting message takes some kilobytes of
memory."""
FIRST_PAUSE_S = 0.5
STORE_PAUSE_S = 0.3
"""Pause before trying again whether Redis is back."""
LONGEST_PAUSE_S = 60.0
STOP_S = 8.0
"""Time a stop leaves to calls in progress: a vendor may have taken the message."""
MAX_TRIES = 8
"""With doubling pauses a message is tried for about a minute and a half."""
LIMITED_S = 3600.0
"""Seconds since a message was written for which "retry after" is obeyed beyond those tries."""

# KEYS: lease, outbox, record, attempts. ARGV: lease text, row, rows for the recorder.
_DONE = Script("""
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if redis.call('XDEL', KEYS[2], ARGV[2]) == 0 then return 2 end
redis.call('HDEL', KEYS[4], ARGV[2])
for i = 3, #ARGV do redis.call('XADD', KEYS[3], '*', 'body', ARGV[i]) end
return 1
""")


class ChannelClient(Protocol):
    """Interface of a channel's sending side."""

    async def send(self, outbound: Outbound) -> str:
        """Send a message to the vendor; return the vendor's id.

        Raises:
            DeliveryFailed: The vendor did not take it.
        """


class Sender:
    """Sender of messages from the shards held by `leases`, through the channels' clients."""

    def __init__(
        self, client: redis.asyncio.Redis, leases: Leases, channels: Mapping[str, ChannelClient]
    ) -> None:
        self._redis = client
        self._leases = leases
        self._channels = channels
        self._calls: dict[asyncio.Task[str], tuple[Outbound, Row]] = {}
        self._reader = ShardReader(
            client,
            leases,
            redis_keys.outbox,
            self._deliver,
            most_conversations=MOST_CONVERSATIONS,
            most_slow=MOST_SLOW,
        )

    async def run(self) -> None:
        """Send until cancelled."""
        try:
            await self._reader.run(finish=False)
        finally:
            await self._finish_calls()
            for channel in self._channels.values():
                if close := getattr(channel, "aclose", None):
                    await close()

    async def _deliver(self, row: Row) -> None:
        outbound = Outbound.from_dict(row.body)
        GRANT.set(Grant(self._leases, row.shard, row.lease))
        records = await self._send_until_settled(outbound, row)
        # The vendor has it, or never will: only our own record is missing now, and sending again
        # because it cannot be written would double the message.
        while records and self._leases.held.get(row.shard) == row.lease:
            try:
                await self._finish(row, records)
                return
            except StoreUnavailable:
                await asyncio.sleep(STORE_PAUSE_S)

    async def _send_until_settled(self, outbound: Outbound, row: Row) -> list[str]:
        """Try until it is sent or given up; return rows to record, none if the lease is lost."""
        tries = 0
        while self._leases.held.get(row.shard) == row.lease:
            try:
                return self._sent(outbound, await self._call(outbound, row))
            except LeaseLost:
                # Perhaps only late in renewing it: then the row is still ours to send.
                await asyncio.sleep(STORE_PAUSE_S)
            except DeliveryFailed as error:
                self._reader.set_aside(outbound.conversation)
                tries = await self._count(row, tries)
                LOG.warning(
                    "message.unsent",
                    conversation=outbound.conversation,
                    reason=error.reason,
                    tries=tries,
                    permanent=error.permanent,
                )
                if error.permanent or (tries >= MAX_TRIES and not _must_wait(outbound, error)):
                    return self._dead(outbound, error)
                await asyncio.sleep(error.retry_after_s or _pause(tries))
            except StoreUnavailable:
                await asyncio.sleep(STORE_PAUSE_S)
        return []

    async def _count(self, row: Row, tries_before: int) -> int:
        """Count a failed try in Redis, where the next holder of the shard finds it."""
        try:
            stream = redis_keys.outbox(row.shard)
            return await attempts.count(self._redis, row.shard, stream, row.id) or tries_before + 1
        except StoreUnavailable:
            return tries_before + 1

    async def _call(self, outbound: Outbound, row: Row) -> str:
        """Send in a separate task, which a stop does not cancel during a call."""
        call = asyncio.create_task(self._send(outbound))
        self._calls[call] = (outbound, row)
        try:
            vendor_id = await asyncio.shield(call)
        except asyncio.CancelledError:
            raise
        except BaseException:
            self._calls.pop(call, None)
            raise
        self._calls.pop(call, None)
        return vendor_id

    async def _finish_calls(self) -> None:
        """Wait at a stop for vendors' answers to calls in progress, and record them."""
        if not self._calls:
            return
        done, pending = await asyncio.wait(self._calls, timeout=STOP_S)
        for call in pending:
            call.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        for call in done:
            if not call.cancelled() and call.exception() is None:
                outbound, row = self._calls[call]
                with contextlib.suppress(StoreUnavailable):
                    await self._finish(row, self._sent(outbound, call.result()))

    async def _send(self, outbound: Outbound) -> str:
        client = self._channels.get(outbound.channel)
        if client is None:
            raise DeliveryFailed("channel-off", permanent=True)
        try:
            return await client.send(outbound)
        except (DeliveryFailed, LeaseLost, StoreUnavailable):
            raise
        except Exception as error:
            LOG.exception("send.failed", channel=outbound.channel)
            raise DeliveryFailed(type(error).__name__) from error

    async def _finish(self, row: Row, records: list[str]) -> None:
        keys = [
            redis_keys.lease(row.shard, "sender"),
            redis_keys.outbox(row.shard),
            redis_keys.record(row.shard),
            redis_keys.attempts(row.shard),
        ]
        await guarded(batches_of(self._redis).script(_DONE, keys, row.lease, row.id, *records))

    def _sent(self, outbound: Outbound, vendor_id: str) -> list[str]:
        sent = MessageSent(vendor_id, outbound.in_reply_to, outbound.utter)
        return [
            record_row("delivery", _delivery(outbound, "sent")),
            record_row("event", _event(outbound, sent)),
        ]

    def _dead(self, outbound: Outbound, error: DeliveryFailed) -> list[str]:
        failed = MessageFailed(error.reason, outbound.in_reply_to, outbound.utter)
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
            record_row("delivery", _delivery(outbound, "failed")),
            record_row("event", _event(outbound, failed)),
        ]


def _must_wait(outbound: Outbound, error: DeliveryFailed) -> bool:
    """Tell whether the vendor named a time to come back, which is no refusal for `LIMITED_S`."""
    return error.retry_after_s is not None and time.time() - outbound.created_at < LIMITED_S


def _event(outbound: Outbound, data: EventData) -> Event:
    episode = str(outbound.metadata.get("episode", ""))
    return Event.of(
        Subject(outbound.conversation, episode, outbound.channel, outbound.language),
        data,
        key=outbound.id,
        actor={"agent": "agent", "bot": "bot"}.get(outbound.author, "system"),
        content_version=outbound.content_version,
    )


def _delivery(outbound: Outbound, state: str) -> dict[str, str]:
    return {"id": outbound.id, "conversation": outbound.conversation, "delivery": state}


def _pause(tries: int) -> float:
    """Return the doubling pause, with jitter so that conversations do not come back together."""
    return min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** (tries - 1)) * random.uniform(0.5, 1.0)  # noqa: S311
