"""The inbox: once in, in order within a conversation, side by side across, again after failures."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import builders
import pytest
import redis.asyncio
from redis.exceptions import ResponseError

from bot.errors import LeaseLost, StoreUnavailable
from bot.settings import Settings
from bot.stores import redis_keys
from bot.stores.redis_client import connect
from bot.streams import attempts
from bot.streams import inbox as inbox_module
from bot.streams import shards as shards_module
from bot.streams.inbox import Inbox, InboxReader
from bot.streams.lease import Leases
from bot.streams.messages import Inbound
from bot.streams.ticket import Ticket

SHARDS = 4
LOST = 3
Handle = Callable[[Inbound, Ticket], Awaitable[None]]


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox_module, "RETRY_S", (0.0,))
    monkeypatch.setattr(shards_module, "BLOCK_MS", 20)


async def _take_off(client: redis.asyncio.Redis, ticket: Ticket) -> None:
    """What a commit does to the inbox."""
    await client.xdel(redis_keys.inbox(ticket.shard), ticket.row)
    await client.hdel(redis_keys.attempts(ticket.shard), ticket.row)


@asynccontextmanager
async def reading(client: redis.asyncio.Redis, handle: Handle) -> AsyncIterator[Leases]:
    leases = Leases(client, "engine", "reader", SHARDS, 60.0)
    await leases.step()
    task = asyncio.create_task(InboxReader(client, leases, handle).run())
    try:
        yield leases
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_a_repeated_delivery_is_taken_once(redis: redis.asyncio.Redis) -> None:
    message = builders.inbound("ما هذا؟")
    inbox = Inbox(redis, SHARDS)
    assert [await inbox.accept(message) for _ in range(3)] == [True, False, False]
    shard = redis_keys.shard_of(message.conversation, SHARDS)
    ((_, fields),) = await redis.xrange(redis_keys.inbox(shard))
    assert Inbound.from_dict(json.loads(fields["body"])) == message
    assert 47 * 3600 < await redis.ttl(redis_keys.seen(shard, message.id)) <= 48 * 3600


async def test_many_at_once_are_still_taken_once(redis: redis.asyncio.Redis) -> None:
    inbox, message = Inbox(redis, SHARDS), builders.inbound()
    taken = await asyncio.gather(*(inbox.accept(message) for _ in range(20)))
    assert taken.count(True) == 1


async def test_the_same_words_sent_twice_are_two_messages(redis: redis.asyncio.Redis) -> None:
    inbox = Inbox(redis, SHARDS)
    assert await inbox.accept(builders.inbound("hello", n=1))
    assert await inbox.accept(builders.inbound("hello", n=2))


async def test_with_redis_away_the_webhook_is_told(settings: Settings) -> None:
    client = connect(replace(settings, redis_url="unix:///nonexistent/valkey.sock"))
    with pytest.raises(StoreUnavailable):
        await Inbox(client, SHARDS).accept(builders.inbound())
    await client.aclose()


async def test_one_conversation_in_order_and_one_at_a_time_others_beside_it(
    redis: redis.asyncio.Redis,
) -> None:
    inbox = Inbox(redis, SHARDS)
    for n in range(6):
        for user in ("ann", "bob", "cid"):
            await inbox.accept(builders.inbound(f"{n}", user=user, n=n))
    seen: dict[str, list[str]] = {"ann": [], "bob": [], "cid": []}
    busy: dict[str, int] = dict.fromkeys(seen, 0)
    together, done = asyncio.Event(), asyncio.Event()

    async def handle(message: Inbound, ticket: Ticket) -> None:
        user = message.vendor_user
        busy[user] += 1
        assert busy[user] == 1, "two messages of one conversation at once"
        if sum(busy.values()) == 3:
            together.set()  # all three are under way side by side
        await together.wait()
        seen[user].append(message.text)
        await _take_off(redis, ticket)
        busy[user] -= 1
        if sum(map(len, seen.values())) == 18:
            done.set()

    async with reading(redis, handle), asyncio.timeout(60):
        await done.wait()
    assert all(texts == list("012345") for texts in seen.values())


async def test_rows_of_two_shards_may_have_the_same_id(redis: redis.asyncio.Redis) -> None:
    """Ids are milliseconds, and fencing numbers are counted by shard: both are often equal."""
    messages = [builders.inbound("hello", user=user) for user in ("ann", "bob", "cid")]
    shards = {redis_keys.shard_of(message.conversation, SHARDS) for message in messages}
    assert len(shards) == len(messages)
    seen: list[str] = []
    done = asyncio.Event()

    async def handle(message: Inbound, ticket: Ticket) -> None:
        await asyncio.sleep(0)
        seen.append(message.vendor_user)
        await _take_off(redis, ticket)
        if len(seen) == len(messages):
            done.set()

    for message in messages:
        key = redis_keys.inbox(redis_keys.shard_of(message.conversation, SHARDS))
        await redis.xadd(key, {"body": json.dumps(message.to_dict())}, id="1795311183495-0")
    async with reading(redis, handle), asyncio.timeout(60):
        await done.wait()


async def test_a_failing_message_is_tried_again_before_the_next_one(
    redis: redis.asyncio.Redis,
) -> None:
    inbox = Inbox(redis, SHARDS)
    for n in (1, 2):
        await inbox.accept(builders.inbound(f"{n}", n=n))
    calls: list[str] = []
    done = asyncio.Event()

    async def handle(message: Inbound, ticket: Ticket) -> None:
        calls.append(message.text)
        if calls.count("1") < 3:
            raise RuntimeError("broken once")
        await _take_off(redis, ticket)
        if message.text == "2":
            done.set()

    async with reading(redis, handle), asyncio.timeout(60):
        await done.wait()
    assert calls == ["1", "1", "1", "2"]


async def test_a_store_that_is_away_is_not_the_messages_fault(redis: redis.asyncio.Redis) -> None:
    await Inbox(redis, SHARDS).accept(builders.inbound())
    counted: list[int] = []
    done = asyncio.Event()

    async def handle(message: Inbound, ticket: Ticket) -> None:
        counts = redis_keys.attempts(ticket.shard)
        counted.append(await redis.hincrby(counts, ticket.row, 1))
        if len(counted) == 4:
            done.set()
            await _take_off(redis, ticket)
            return
        raise StoreUnavailable("database", "away") if len(counted) < 3 else RuntimeError("ours")

    async with reading(redis, handle), asyncio.timeout(60):
        await done.wait()
    assert counted == [1, 1, 1, 2]


async def test_a_new_grant_starts_with_what_was_left_unfinished(redis: redis.asyncio.Redis) -> None:
    inbox = Inbox(redis, SHARDS)
    await inbox.accept(builders.inbound("old"))
    tickets: list[Ticket] = []
    lost, done = asyncio.Event(), asyncio.Event()

    async def handle(message: Inbound, ticket: Ticket) -> None:
        tickets.append(ticket)
        if len(tickets) == 1:
            lost.set()
            raise LeaseLost(ticket.shard)
        await _take_off(redis, ticket)
        done.set()

    async with reading(redis, handle) as leases, asyncio.timeout(60):
        await lost.wait()
        await builders.until(lambda: tickets[0].shard not in leases.held)
        await leases.step()
        await done.wait()
    first, second = tickets
    assert first.row == second.row
    assert first.lease != second.lease


async def test_stopping_finishes_what_is_under_way(redis: redis.asyncio.Redis) -> None:
    await Inbox(redis, SHARDS).accept(builders.inbound())
    begun, finished = asyncio.Event(), asyncio.Event()
    may_end = asyncio.Event()

    async def handle(message: Inbound, ticket: Ticket) -> None:
        begun.set()
        await may_end.wait()
        await _take_off(redis, ticket)
        finished.set()

    async with reading(redis, handle), asyncio.timeout(60):
        await begun.wait()
        asyncio.get_running_loop().call_later(0.01, may_end.set)
    assert finished.is_set()


async def test_a_cancellation_lost_in_the_driver_does_not_hold_up_the_stop(
    redis: redis.asyncio.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards_module, "STOP_AGAIN_S", 0.01)
    waiting: list[int] = []
    lost: list[int] = []

    async def xread(*_: object) -> list[object]:
        waiting.append(1)
        try:
            await asyncio.sleep(5)
        except asyncio.CancelledError:
            if len(lost) >= LOST:
                raise
            lost.append(1)
        return []

    async def handle(message: Inbound, ticket: Ticket) -> None:
        raise AssertionError("nothing comes in")

    monkeypatch.setattr(redis, "xread", xread)
    async with asyncio.timeout(60) as limit, reading(redis, handle):
        await builders.until(lambda: bool(waiting))
    assert not limit.expired()
    assert len(lost) == LOST


async def test_on_a_cluster_each_shard_is_read_by_itself(
    redis: redis.asyncio.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    xread = redis.xread

    async def one_node_a_command(streams: dict[str, str], *rest: int) -> object:
        if len(streams) > 1:
            raise ResponseError("CROSSSLOT Keys in request don't hash to the same slot")
        return await xread(streams, *rest)

    monkeypatch.setattr(redis, "xread", one_node_a_command)
    monkeypatch.setattr(shards_module, "is_clustered", lambda _: True)
    handled: list[str] = []

    async def handle(message: Inbound, ticket: Ticket) -> None:
        handled.append(message.id)
        await _take_off(redis, ticket)

    wanted = [builders.inbound(user=f"user-{n}") for n in range(8)]
    async with reading(redis, handle):
        for message in wanted:
            await Inbox(redis, SHARDS).accept(message)
        await builders.until(lambda: len(handled) == len(wanted))
    assert sorted(handled) == sorted(message.id for message in wanted)


async def test_a_lost_lease_is_not_the_messages_fault(redis: redis.asyncio.Redis) -> None:
    message = builders.inbound("hello")
    await Inbox(redis, SHARDS).accept(message)
    lost = asyncio.Event()

    async def handle(message: Inbound, ticket: Ticket) -> None:
        await redis.hincrby(redis_keys.attempts(ticket.shard), ticket.row, 1)
        lost.set()
        raise LeaseLost(ticket.shard)

    shard = redis_keys.shard_of(message.conversation, SHARDS)
    async with reading(redis, handle), asyncio.timeout(60):
        await lost.wait()
        await builders.until(lambda: _numbers(redis, shard, (0, 1)))


async def test_a_lease_that_goes_with_redis_is_no_loss_at_all(redis: redis.asyncio.Redis) -> None:
    message = builders.inbound("hello")
    await Inbox(redis, SHARDS).accept(message)
    begun, is_back = asyncio.Event(), asyncio.Event()

    async def handle(message: Inbound, ticket: Ticket) -> None:
        await redis.hincrby(redis_keys.attempts(ticket.shard), ticket.row, 1)
        begun.set()
        await is_back.wait()
        raise LeaseLost(ticket.shard)

    shard = redis_keys.shard_of(message.conversation, SHARDS)
    async with reading(redis, handle) as leases, asyncio.timeout(60):
        await begun.wait()
        await redis.config_set("maxmemory", "1")
        keeping = asyncio.create_task(leases.keep())
        try:
            await builders.until(lambda: not leases.held)
        finally:
            await redis.config_set("maxmemory", "0")
            keeping.cancel()
        is_back.set()
        await builders.until(lambda: _numbers(redis, shard, (0, 0)))


async def _numbers(client: redis.asyncio.Redis, shard: int, wanted: tuple[int, int]) -> bool:
    (number,) = (await client.hgetall(redis_keys.attempts(shard))).values()
    return attempts.read(int(number)) == wanted


async def test_a_customer_who_writes_without_end_is_kept_but_not_read(
    redis: redis.asyncio.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox_module, "ALLOWED", 3)
    monkeypatch.setattr(inbox_module, "WINDOW_S", 3600)
    inbox = Inbox(redis, SHARDS)
    for n in range(5):
        assert await inbox.accept(builders.inbound(f"{n}", n=n))
    await inbox.accept(builders.inbound("other", user="bob"))
    bodies = [
        Inbound.from_dict(json.loads(fields["body"]))
        for shard in range(SHARDS)
        for _, fields in await redis.xrange(redis_keys.inbox(shard))
    ]
    excess = {body.text: body.excess for body in bodies}
    assert excess == {"0": False, "1": False, "2": False, "3": True, "4": True, "other": False}
    assert not await inbox.accept(builders.inbound("4", n=4)), "taken before"
