"""Order by the vendor's word among messages that wait together; the late are never dropped."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import replace

import builders
import pytest
import redis.asyncio

from bot.errors import StoreUnavailable
from bot.stores import redis_keys
from bot.streams import shards as shards_module
from bot.streams.inbox import Inbox, InboxReader
from bot.streams.lease import Leases
from bot.streams.messages import Inbound
from bot.streams.shards import ShardReader
from bot.streams.ticket import Ticket

SHARDS = 2


@pytest.fixture(autouse=True)
def short_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards_module, "BLOCK_MS", 20)


def said(text: str, position: int, received_at: float | None = None, user: str = "ann") -> Inbound:
    made = builders.inbound(text, user=user)
    at = time.time() if received_at is None else received_at
    return replace(made, id=f"m-{user}-{text}", position=position, received_at=at)


async def worked_off(
    client: redis.asyncio.Redis,
    *messages: Inbound,
    hold_s: float,
    late: tuple[Inbound, ...] = (),
    more: int = 0,
) -> list[Inbound]:
    """Let an engine read what is there; `late` comes in while the first is held back, and `more`
    come from somewhere else."""
    inbox, seen, done = Inbox(client, SHARDS), list[Inbound](), asyncio.Event()
    for message in messages:
        await inbox.accept(message)

    async def handle(message: Inbound, ticket: Ticket) -> None:
        seen.append(message)
        await client.xdel(redis_keys.inbox(ticket.shard), ticket.row)
        if len(seen) == len(messages) + len(late) + more:
            done.set()

    leases = Leases(client, "engine", "reader", SHARDS, 60.0)
    await leases.step()
    reader = InboxReader(client, leases, handle, hold_s=hold_s)
    task = asyncio.create_task(reader.run())
    try:
        if late:
            await builders.until(lambda: bool(reader._reader._backlogs))
        for message in late:
            await inbox.accept(message)
        async with asyncio.timeout(60):
            await done.wait()
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    return seen


async def test_an_overtaken_message_is_put_before_the_one_that_overtook_it(
    redis: redis.asyncio.Redis,
) -> None:
    later, earlier = said("second", 20), said("first", 10)
    seen = await worked_off(redis, later, hold_s=0.4, late=(earlier,))
    assert [message.text for message in seen] == ["first", "second"]


async def test_a_backlog_is_worked_off_by_the_vendors_order(redis: redis.asyncio.Redis) -> None:
    messages = [said(str(n), n, time.time() - 60) for n in (3, 1, 2, 5, 4)]
    seen = await worked_off(redis, *messages, hold_s=0.4)
    assert [message.text for message in seen] == ["1", "2", "3", "4", "5"]


async def test_order_holds_across_batches_and_while_redis_is_away(
    redis: redis.asyncio.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards_module, "BATCH", 2)
    look, failures = ShardReader._read_new, [2]

    async def flaky(self: ShardReader, shard: int, block_ms: int | None) -> None:
        if block_ms is None and failures[0]:
            failures[0] -= 1
            raise StoreUnavailable("redis", "away")
        await look(self, shard, block_ms)

    monkeypatch.setattr(ShardReader, "_read_new", flaky)
    messages = [said(str(n), n, time.time() - 60) for n in (3, 4, 1, 2)]
    seen = await worked_off(redis, *messages, hold_s=0.1)
    assert [message.text for message in seen] == ["1", "2", "3", "4"]
    assert failures == [0]


async def test_order_holds_where_an_answer_of_redis_lay_about(
    redis: redis.asyncio.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A busy process takes up late what Redis told it before the earlier message was there."""
    read, inbox, told = redis.xread, Inbox(redis, SHARDS), asyncio.Event()

    async def late(streams: dict[str, str], *args: object) -> object:
        answer = await read(streams, *args)  # type: ignore[arg-type]
        if answer and not told.is_set():
            told.set()
            await inbox.accept(said("first", 10))
            await asyncio.sleep(1.1)  # longer than the row is held back
        return answer

    monkeypatch.setattr(redis, "xread", late)
    seen = await worked_off(redis, said("second", 20), hold_s=1.0, more=1)
    assert [message.text for message in seen] == ["first", "second"]


async def test_who_comes_too_late_is_answered_all_the_same(redis: redis.asyncio.Redis) -> None:
    assert [m.text for m in await worked_off(redis, said("second", 20), hold_s=0.0)] == ["second"]
    assert [m.text for m in await worked_off(redis, said("first", 10), hold_s=0.0)] == ["first"]


async def test_without_a_number_messages_go_as_they_arrived_and_wait_for_nothing(
    redis: redis.asyncio.Redis,
) -> None:
    messages = [said(str(n), 0) for n in (3, 1, 2)]
    seen = await worked_off(redis, *messages, hold_s=3600.0)
    assert [message.text for message in seen] == ["3", "1", "2"]


async def test_a_clock_that_is_ahead_holds_nothing_up_for_long(redis: redis.asyncio.Redis) -> None:
    seen = await worked_off(redis, said("hello", 1, time.time() + 3600), hold_s=0.1)
    assert [message.text for message in seen] == ["hello"]
