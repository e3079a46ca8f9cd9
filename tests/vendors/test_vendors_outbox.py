"""What vendors ask of the outbox: patience when they name a time, and a session that is closed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from dataclasses import replace

import builders
import pytest
import redis.asyncio

from bot.errors import DeliveryFailed
from bot.stores import redis_keys
from bot.streams import delivery
from bot.streams import outbox as outbox_module
from bot.streams.lease import Leases
from bot.streams.messages import Outbound
from bot.streams.outbox import LIMITED_S, MAX_TRIES, Sender

SHARDS = 2


class Limited:
    """Says "later" so many times, then takes the message."""

    def __init__(self, times: int) -> None:
        self.left = times
        self.sent: list[str] = []
        self.closed = False

    async def send(self, outbound: Outbound) -> str:
        if self.left:
            self.left -= 1
            raise DeliveryFailed("rate-limited", retry_after_s=0.0001)
        self.sent.append(outbound.text)
        return "1"

    async def aclose(self) -> None:
        self.closed = True


async def drained(client: redis.asyncio.Redis, vendor: Limited, age_s: float) -> list[str]:
    """Send one message written `age_s` ago; return the kinds of rows for the recorder."""
    message = replace(builders.outbound("hello"), created_at=time.time() - age_s)
    await delivery.send(client, SHARDS, message, episode_id="ep")
    shard = redis_keys.shard_of(message.conversation, SHARDS)
    leases = Leases(client, "sender", "sender", SHARDS, 60.0)
    await leases.step()
    task = asyncio.create_task(Sender(client, leases, {"rest": vendor}).run())

    async def empty() -> bool:
        return not await client.xlen(redis_keys.outbox(shard))

    await builders.until(empty)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    rows = await client.xrange(redis_keys.record(shard))
    return [json.loads(fields["body"])["kind"] for _, fields in rows]


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox_module, "FIRST_PAUSE_S", 0.0001)


async def test_a_named_time_is_obeyed_beyond_the_usual_tries(redis: redis.asyncio.Redis) -> None:
    vendor = Limited(MAX_TRIES + 5)
    assert "dead" not in await drained(redis, vendor, 0.0)
    assert vendor.sent == ["hello"]
    assert vendor.closed


async def test_but_not_for_ever(redis: redis.asyncio.Redis) -> None:
    vendor = Limited(MAX_TRIES + 5)
    assert "dead" in await drained(redis, vendor, LIMITED_S + 1)
    assert vendor.sent == []
