"""Changes of owner outside a turn: no turn commits in between, and the copy never goes back."""

from __future__ import annotations

import asyncio
import json
import threading
from dataclasses import replace

import builders
import pytest
import redis.asyncio
from sqlalchemy.engine import Connection

from bot.conversation import store
from bot.conversation.changes import Changes
from bot.conversation.states import State
from bot.conversation.store import Conversation
from bot.dialogue.turn import commit
from bot.errors import StaleConversation, TurnInterrupted
from bot.stores import redis_keys
from bot.stores.database import Database
from bot.streams.ticket import Ticket

SHARDS = 8


def _keys(conversation: str) -> tuple[str, str]:
    shard = redis_keys.shard_of(conversation, SHARDS)
    return redis_keys.transition(shard, conversation), redis_keys.owner(shard, conversation)


async def _turn_tries_to_commit(client: redis.asyncio.Redis, seen: Conversation) -> bool:
    message = builders.inbound()
    shard = redis_keys.shard_of(seen.id, SHARDS)
    row = await client.xadd(redis_keys.inbox(shard), {"body": "{}"})
    await client.set(redis_keys.lease(shard, "engine"), "e|1")
    turn = builders.turn_of(message, seen, builders.outbound())
    try:
        return await commit(client, turn, Ticket(shard, row, "e|1"))
    except TurnInterrupted:
        return False


async def test_the_copy_follows_and_desks_are_told(
    redis: redis.asyncio.Redis, database: Database
) -> None:
    seen = builders.opened(database)
    async with redis.pubsub() as desk:
        await desk.subscribe(redis_keys.LIVE_CHANNEL)
        await desk.get_message(timeout=5)
        changed = await Changes(SHARDS, database, redis).apply(
            seen.id, lambda c: store.change(c, seen, State.ASSIGNED, key="k", owner="asha")
        )
        told = await desk.get_message(timeout=5)
    mark, copy = _keys(seen.id)
    assert Conversation.from_json(await redis.get(copy)) == changed
    assert not await redis.exists(mark)
    assert told is not None
    assert json.loads(told["data"]) == {"conversation": seen.id, "what": "state"}


async def test_no_turn_commits_while_a_change_is_under_way_or_after_it(
    redis: redis.asyncio.Redis, database: Database
) -> None:
    seen = builders.opened(database)
    begun, may_end = threading.Event(), threading.Event()

    def work(connection: Connection) -> Conversation:
        begun.set()
        assert may_end.wait(10)
        return store.change(connection, seen, State.ASSIGNED, key="k", owner="asha")

    change = asyncio.create_task(Changes(SHARDS, database, redis).apply(seen.id, work))
    await asyncio.to_thread(begun.wait, 10)
    assert not await _turn_tries_to_commit(redis, seen)
    may_end.set()
    await change
    assert not await _turn_tries_to_commit(redis, seen), "the bot never talks over a human"


async def test_a_refused_change_leaves_no_mark_behind(
    redis: redis.asyncio.Redis, database: Database
) -> None:
    seen = builders.opened(database)
    builders.changed(database, seen, State.WAITING, key="first")
    with pytest.raises(StaleConversation):
        await Changes(SHARDS, database, redis).apply(
            seen.id, lambda c: store.change(c, seen, State.ASSIGNED, key="second")
        )
    mark, copy = _keys(seen.id)
    assert not await redis.exists(mark)
    assert not await redis.exists(copy), "the next turn reads SQL"


async def test_the_loser_of_two_clicks_does_not_lift_the_winners_mark(
    redis: redis.asyncio.Redis, database: Database
) -> None:
    seen = builders.opened(database)
    changes = Changes(SHARDS, database, redis)
    begun, may_end = threading.Event(), threading.Event()
    taken: list[Conversation] = []

    def slow(connection: Connection) -> Conversation:
        begun.set()
        assert may_end.wait(10)
        return taken[0]

    def stale(connection: Connection) -> Conversation:
        raise StaleConversation(seen.id, State.BOT, State.ASSIGNED)

    winner = asyncio.create_task(changes.apply(seen.id, slow))
    await asyncio.to_thread(begun.wait, 10)
    taken.append(replace(seen, state=State.ASSIGNED, version=2, owner="asha"))
    loser_database = Database("sqlite://", threads=1)
    with pytest.raises(StaleConversation):
        await Changes(SHARDS, loser_database, redis).apply(seen.id, stale)
    loser_database.close()
    assert not await _turn_tries_to_commit(redis, seen)
    may_end.set()
    await winner
    assert not await redis.exists(_keys(seen.id)[0])


async def test_a_slower_writer_does_not_put_an_older_copy_back(
    redis: redis.asyncio.Redis, database: Database
) -> None:
    seen = builders.opened(database)
    changes = Changes(SHARDS, database, redis)
    newer = replace(seen, version=5, state=State.ASSIGNED, owner="asha")
    older = replace(seen, version=4, state=State.WAITING)
    begun, may_end = threading.Event(), threading.Event()

    def slow(connection: Connection) -> Conversation:
        begun.set()
        assert may_end.wait(10)
        return older

    slower = asyncio.create_task(changes.apply(seen.id, slow))
    await asyncio.to_thread(begun.wait, 10)
    other = Database("sqlite://", threads=1)
    await Changes(SHARDS, other, redis).apply(seen.id, lambda _: newer)
    other.close()
    may_end.set()
    await slower
    assert Conversation.from_json(await redis.get(_keys(seen.id)[1])) == newer


async def test_a_mark_nobody_lifts_runs_out(redis: redis.asyncio.Redis, database: Database) -> None:
    """A process that dies in the middle must not silence the bot for ever."""
    seen = builders.opened(database)
    left: list[int] = []
    loop = asyncio.get_running_loop()

    def work(connection: Connection) -> Conversation:
        reading = asyncio.run_coroutine_threadsafe(redis.ttl(_keys(seen.id)[0]), loop)
        left.append(reading.result(10))
        return store.change(connection, seen, State.WAITING, key="k")

    await Changes(SHARDS, database, redis).apply(seen.id, work)
    assert 0 < left[0] <= redis_keys.TRANSITION_TTL_S
