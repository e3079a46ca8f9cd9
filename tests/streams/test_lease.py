"""Leases: one holder a shard, fair shares, quick succession, and fencing."""

from __future__ import annotations

import time

import builders
import pytest
import redis.asyncio

from bot.conversation import store
from bot.conversation.states import Cause
from bot.conversation.store import Conversation
from bot.dialogue.move import Handoff, Mover
from bot.dialogue.turn import commit
from bot.errors import LeaseLost, StoreUnavailable
from bot.settings import Settings
from bot.stores import redis_keys
from bot.stores.database import Database
from bot.streams.lease import GRANT, Grant, Leases, require_lease
from bot.streams.ticket import Ticket

SHARDS = 8


def _leases(client: redis.asyncio.Redis, holder: str, lease_s: float = 60.0) -> Leases:
    return Leases(client, "engine", holder, SHARDS, lease_s)


async def _expire(client: redis.asyncio.Redis, holder: str) -> None:
    """What time does when a holder stops renewing, without waiting for it."""
    await client.zadd(redis_keys.holders("engine"), {holder: 1.0})
    for shard in range(SHARDS):
        key = redis_keys.lease(shard, "engine")
        if str(await client.get(key)).startswith(f"{holder}|"):
            await client.pexpire(key, 1)
    while [
        key
        for key in (redis_keys.lease(shard, "engine") for shard in range(SHARDS))
        if str(await client.get(key)).startswith(f"{holder}|")
    ]:
        pass


async def test_one_process_alone_holds_every_shard(redis: redis.asyncio.Redis) -> None:
    alone = _leases(redis, "a")
    await alone.step()
    assert sorted(alone.held) == list(range(SHARDS))
    assert await redis.pttl(redis_keys.lease(0, "engine")) > 0, "a lease always runs out"


async def test_shards_are_shared_fairly_and_none_is_held_twice(redis: redis.asyncio.Redis) -> None:
    three = [_leases(redis, name) for name in "abc"]
    for _ in range(3):
        for leases in three:
            await leases.step()
    assert sorted(len(leases.held) for leases in three) == [2, 3, 3]
    assert sorted(shard for leases in three for shard in leases.held) == list(range(SHARDS))


async def test_roles_do_not_compete(redis: redis.asyncio.Redis) -> None:
    engine, sender = _leases(redis, "a"), Leases(redis, "sender", "a", SHARDS, 60.0)
    await engine.step()
    await sender.step()
    assert len(engine.held) == len(sender.held) == SHARDS


async def test_a_silent_holders_shards_move_with_a_higher_fence(redis: redis.asyncio.Redis) -> None:
    silent, heir = _leases(redis, "silent"), _leases(redis, "heir")
    await silent.step()
    before = {shard: int(text.split("|")[1]) for shard, text in silent.held.items()}
    await heir.step()
    assert not heir.held, "what is held is not taken"
    await _expire(redis, "silent")
    await heir.step()
    assert sorted(heir.held) == list(range(SHARDS))
    assert all(int(text.split("|")[1]) > before[shard] for shard, text in heir.held.items())
    await silent.step()
    assert len(silent.held) == 0, "waking up, it learns that nothing is its own any more"
    await heir.step()
    await silent.step()
    assert (len(heir.held), len(silent.held)) == (4, 4)


async def test_a_restarted_process_of_the_same_name_inherits_at_once(
    redis: redis.asyncio.Redis,
) -> None:
    before, after = _leases(redis, "engine-0@host"), _leases(redis, "engine-0@host")
    await before.step()
    await after.step()
    assert len(after.held) == SHARDS
    assert all(before.held[shard] != after.held[shard] for shard in range(SHARDS))
    await before.step()
    assert all(before.held[shard] != after.held[shard] for shard in before.held)


async def test_a_name_that_only_begins_alike_inherits_nothing(redis: redis.asyncio.Redis) -> None:
    ten, one = _leases(redis, "engine-10"), _leases(redis, "engine-1")
    await ten.step()
    await one.step()
    assert not one.held


async def test_a_graceful_stop_gives_everything_back_at_once(redis: redis.asyncio.Redis) -> None:
    first, second = _leases(redis, "a"), _leases(redis, "b")
    await first.step()
    await first.release_all()
    assert not first.held
    await second.step()
    assert len(second.held) == SHARDS


async def test_giving_back_late_does_not_take_the_successors_lease(
    redis: redis.asyncio.Redis,
) -> None:
    slow, heir = _leases(redis, "slow"), _leases(redis, "heir")
    await slow.step()
    await _expire(redis, "slow")
    await heir.step()
    await slow.release_all()
    for shard in range(SHARDS):
        assert await redis.get(redis_keys.lease(shard, "engine")) == heir.held[shard]


async def test_a_stopped_holder_cannot_commit_after_its_shard_moved(
    redis: redis.asyncio.Redis, database: Database, settings: Settings
) -> None:
    message = builders.inbound()
    conversation: Conversation = builders.opened(database)
    shard = redis_keys.shard_of(message.conversation, SHARDS)
    row = await redis.xadd(redis_keys.inbox(shard), {"body": "{}"})
    stopped, heir = _leases(redis, "stopped"), _leases(redis, "heir")
    await stopped.step()
    ticket = Ticket(shard, row, stopped.held[shard])
    await _expire(redis, "stopped")
    await heir.step()
    turn = builders.turn_of(message, conversation, builders.outbound())
    with pytest.raises(LeaseLost):
        await commit(redis, turn, ticket)
    assert await redis.xlen(redis_keys.outbox(shard)) == 0
    assert await commit(redis, turn, Ticket(shard, row, heir.held[shard]))
    assert await redis.xlen(redis_keys.outbox(shard)) == 1


async def test_while_redis_is_away_nothing_is_ours(
    redis: redis.asyncio.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    leases = _leases(redis, "a", lease_s=0.003)
    leases.held = {0: "a|1"}
    looked: list[int] = []

    async def gone() -> None:
        looked.append(len(leases.held))
        if len(looked) == 2:
            raise KeyboardInterrupt
        raise StoreUnavailable("redis", "away")

    monkeypatch.setattr(leases, "step", gone)
    with pytest.raises(KeyboardInterrupt):
        await leases.keep()
    assert looked == [1, 0]


async def test_who_slept_past_its_lease_knows_it_before_anybody_says_so(
    redis: redis.asyncio.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    leases = _leases(redis, "a", lease_s=60.0)
    await leases.step()
    text = leases.held[3]
    assert leases.surely_holds(3, text)
    assert not leases.surely_holds(3, "a|0"), "an earlier grant"
    awake = time.monotonic() + 61
    monkeypatch.setattr(time, "monotonic", lambda: awake)
    assert leases.held[3] == text
    assert not leases.surely_holds(3, text)
    GRANT.set(Grant(leases, 3, text))
    with pytest.raises(LeaseLost):
        require_lease()
    await leases.step()
    assert leases.surely_holds(3, leases.held[3]), "renewed, since nobody else had taken it"
    require_lease()


async def test_a_turn_whose_shard_has_passed_on_hands_nothing_off(
    redis: redis.asyncio.Redis, database: Database, settings: Settings
) -> None:
    """SQL takes no fencing number: the engine asks its clock before the transaction ends."""
    message = builders.inbound("hello")
    before = builders.opened(database)
    handoff = Handoff(Cause.ASKED, {}, "en", 0.0)
    leases = _leases(redis, "a")
    await leases.step()
    leases._until[0] = time.monotonic() - 1
    GRANT.set(Grant(leases, 0, leases.held[0]))
    mover = Mover(database, redis, 60.0)
    with pytest.raises(LeaseLost):
        await mover.hand_off(before, message, handoff, 7)
    now = database.call(lambda c: store.get(c, before.id))
    assert now is not None
    assert (now.state, now.version) == (before.state, before.version)
    await leases.step()
    await mover.hand_off(before, message, handoff, 7)
