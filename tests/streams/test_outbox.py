"""The outbox: order, retries, dead letters, and what follows them."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import builders
import pytest
import redis.asyncio

from bot.errors import DeliveryFailed, StoreUnavailable
from bot.stores import redis_keys
from bot.streams import delivery
from bot.streams import outbox as outbox_module
from bot.streams import shards as shards_module
from bot.streams.lease import Leases
from bot.streams.messages import Outbound
from bot.streams.outbox import MAX_TRIES, Sender

SHARDS = 4


class Vendor:
    """A channel that does what a script says and remembers every try."""

    def __init__(self, script: Callable[[Outbound, int], None] = lambda _, __: None) -> None:
        self.tries: list[str] = []
        self.sent: list[Outbound] = []
        self._script = script

    async def send(self, outbound: Outbound) -> str:
        self.tries.append(outbound.text)
        self._script(outbound, self.tries.count(outbound.text))
        self.sent.append(outbound)
        return f"vendor-{len(self.sent)}"


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox_module, "FIRST_PAUSE_S", 0.0001)
    monkeypatch.setattr(outbox_module, "LONGEST_PAUSE_S", 0.0001)


@asynccontextmanager
async def sending(client: redis.asyncio.Redis, vendor: Vendor) -> AsyncIterator[None]:
    leases = Leases(client, "sender", "sender", SHARDS, 60.0)
    await leases.step()
    task = asyncio.create_task(Sender(client, leases, {"rest": vendor}).run())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _drained(client: redis.asyncio.Redis) -> list[dict[str, object]]:
    """Wait until the outbox is empty; give the rows for the recorder, replies left out."""

    async def is_empty() -> bool:
        return not any([await client.xlen(redis_keys.outbox(s)) for s in range(SHARDS)])

    await builders.until(is_empty)
    rows = []
    for shard in range(SHARDS):
        rows += [json.loads(f["body"]) for _, f in await client.xrange(redis_keys.record(shard))]
    return [row for row in rows if row["kind"] != "message"]


async def _post(client: redis.asyncio.Redis, *messages: Outbound) -> None:
    for message in messages:
        await delivery.send(client, SHARDS, message, episode_id="ep")


async def test_replies_leave_in_order_and_are_marked_sent(redis: redis.asyncio.Redis) -> None:
    vendor = Vendor()
    await _post(redis, *(builders.outbound(str(n), n=n) for n in range(8)))
    async with sending(redis, vendor):
        rows = await _drained(redis)
    assert [message.text for message in vendor.sent] == list("01234567")
    assert [r["body"] for r in rows if r["kind"] == "delivery"] == [
        {"id": message.id, "conversation": message.conversation, "delivery": "sent"}
        for message in vendor.sent
    ]
    events = [r["body"] for r in rows if r["kind"] == "event"]
    assert [e["type"] for e in events] == ["message.sent"] * 8  # type: ignore[index]
    assert events[0]["data"]["vendor_id"] == "vendor-1"  # type: ignore[index]


async def test_what_fails_is_tried_again_before_the_next_one(redis: redis.asyncio.Redis) -> None:
    def script(outbound: Outbound, tries: int) -> None:
        if outbound.text == "first" and tries < 4:
            raise DeliveryFailed("vendor-error", retry_after_s=0.0001 if tries == 1 else None)

    vendor = Vendor(script)
    await _post(redis, builders.outbound("first", n=1), builders.outbound("second", n=2))
    async with sending(redis, vendor):
        await _drained(redis)
    assert vendor.tries == ["first"] * 4 + ["second"]
    assert not await redis.exists(*(redis_keys.attempts(s) for s in range(SHARDS)))


async def test_one_stuck_conversation_does_not_hold_up_another(redis: redis.asyncio.Redis) -> None:
    free = asyncio.Event()

    class Stuck(Vendor):
        async def send(self, outbound: Outbound) -> str:
            if outbound.vendor_user == "ann":
                await free.wait()
            return await super().send(outbound)

    vendor = Stuck()
    await _post(redis, builders.outbound("a"), builders.outbound("b", user="bob"))
    async with sending(redis, vendor):
        await builders.until(lambda: bool(vendor.sent))
        assert [m.text for m in vendor.sent] == ["b"]
        free.set()
        await _drained(redis)


async def test_a_vendor_that_is_away_takes_no_room_from_the_others(
    redis: redis.asyncio.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    def script(outbound: Outbound, tries: int) -> None:
        if outbound.text == "wait":
            raise DeliveryFailed("limited", retry_after_s=3600)

    monkeypatch.setattr(outbox_module, "MOST_CONVERSATIONS", 4)
    monkeypatch.setattr(shards_module, "BATCH", 1)
    vendor = Vendor(script)
    await _post(redis, *(builders.outbound("wait", user=f"user-{n}") for n in range(12)))
    await _post(redis, *(builders.outbound("go", user=f"other-{n}") for n in range(12)))
    async with sending(redis, vendor):
        await builders.until(lambda: len(vendor.sent) == 12)
    assert {message.text for message in vendor.sent} == {"go"}


async def test_a_permanent_refusal_becomes_a_dead_letter_at_once_and_the_rest_follows(
    redis: redis.asyncio.Redis,
) -> None:
    def script(outbound: Outbound, tries: int) -> None:
        if outbound.text == "blocked":
            raise DeliveryFailed("blocked", permanent=True)

    vendor = Vendor(script)
    blocked = builders.outbound("blocked", n=1)
    await _post(redis, blocked, builders.outbound("after", n=2))
    async with sending(redis, vendor):
        rows = await _drained(redis)
    assert vendor.tries == ["blocked", "after"]
    (letter,) = [r["body"] for r in rows if r["kind"] == "dead"]
    assert isinstance(letter, dict)
    assert (letter["id"], letter["direction"], letter["error"]) == (blocked.id, "out", "blocked")
    kept = replace(Outbound.from_dict(letter["body"]), metadata={})
    assert kept == blocked, "it can be sent again from the letter"
    failed = {"id": blocked.id, "conversation": blocked.conversation, "delivery": "failed"}
    assert failed in [r["body"] for r in rows]
    assert "message.failed" in [r["body"].get("type") for r in rows]  # type: ignore[attr-defined]


async def test_what_fails_too_often_becomes_a_dead_letter(redis: redis.asyncio.Redis) -> None:
    def script(outbound: Outbound, tries: int) -> None:
        raise ConnectionResetError("the vendor hangs up")

    vendor = Vendor(script)
    await _post(redis, builders.outbound("never"))
    async with sending(redis, vendor):
        rows = await _drained(redis)
    assert len(vendor.tries) == MAX_TRIES
    (letter,) = [r["body"] for r in rows if r["kind"] == "dead"]
    assert letter["error"] == "ConnectionResetError"  # type: ignore[index]


async def test_tries_of_a_dead_sender_count(redis: redis.asyncio.Redis) -> None:
    vendor = Vendor(lambda *_: (_ for _ in ()).throw(DeliveryFailed("vendor-error")))
    message = builders.outbound("never")
    await _post(redis, message)
    shard = redis_keys.shard_of(message.conversation, SHARDS)
    ((row, _),) = await redis.xrange(redis_keys.outbox(shard))
    await redis.hset(redis_keys.attempts(shard), row, str(MAX_TRIES - 2))
    async with sending(redis, vendor):
        await _drained(redis)
    assert len(vendor.tries) == 2


async def test_a_channel_that_is_off_is_a_dead_letter_not_silence(
    redis: redis.asyncio.Redis,
) -> None:
    await _post(redis, builders.outbound("hello", channel="telegram"))
    async with sending(redis, Vendor()):
        rows = await _drained(redis)
    assert [r["body"]["error"] for r in rows if r["kind"] == "dead"] == ["channel-off"]  # type: ignore[index]


async def test_a_store_that_is_away_is_not_a_failed_try(
    redis: redis.asyncio.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    def script(outbound: Outbound, tries: int) -> None:
        if tries <= 2:
            raise StoreUnavailable("redis", "away")

    monkeypatch.setattr(outbox_module, "STORE_PAUSE_S", 0.0)
    vendor = Vendor(script)
    await _post(redis, builders.outbound("hello"))
    async with sending(redis, vendor):
        rows = await _drained(redis)
    assert len(vendor.tries) == 3
    assert not [r for r in rows if r["kind"] == "dead"]


async def test_a_sender_that_lost_its_lease_takes_nothing_off(redis: redis.asyncio.Redis) -> None:
    """The successor sends it then; a stale sender must not swallow it."""
    message = builders.outbound("hello")
    shard = redis_keys.shard_of(message.conversation, SHARDS)
    sent = asyncio.Event()

    class Slow(Vendor):
        async def send(self, outbound: Outbound) -> str:
            await redis.set(redis_keys.lease(shard, "sender"), "heir|99")
            sent.set()
            return await super().send(outbound)

    await _post(redis, message)
    async with sending(redis, Slow()), asyncio.timeout(60):
        await sent.wait()
    assert await redis.xlen(redis_keys.outbox(shard)) == 1


async def test_a_store_that_fails_after_the_send_does_not_send_again(
    redis: redis.asyncio.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_module, "STORE_PAUSE_S", 0.0)
    finish, calls = Sender._finish, []

    async def flaky(self: Sender, *args: object) -> None:
        calls.append(args)
        if len(calls) < 3:
            raise StoreUnavailable("redis", "just now")
        await finish(self, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(Sender, "_finish", flaky)
    vendor = Vendor()
    await _post(redis, builders.outbound("once"))
    async with sending(redis, vendor):
        await _drained(redis)
    assert vendor.tries == ["once"]
    assert len(calls) == 3


async def test_a_stop_hears_what_the_vendor_answers_and_notes_it(
    redis: redis.asyncio.Redis,
) -> None:
    called, answered = asyncio.Event(), asyncio.Event()

    class Slow(Vendor):
        async def send(self, outbound: Outbound) -> str:
            called.set()
            await answered.wait()
            return await super().send(outbound)

    vendor = Slow()
    await _post(redis, builders.outbound("hello"))
    async with sending(redis, vendor):
        await called.wait()
        asyncio.get_running_loop().call_later(0.05, answered.set)
    assert [message.text for message in vendor.sent] == ["hello"]
    assert [row["kind"] for row in await _drained(redis)] == ["delivery", "event"]
