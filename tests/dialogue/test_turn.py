"""The commit script: a turn is written whole, or not at all."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

import builders
import pytest
import redis.asyncio

from bot.conversation.states import State
from bot.conversation.store import Conversation
from bot.dialogue.rasa_call import calling_rasa, current
from bot.dialogue.turn import Turn, commit
from bot.errors import LeaseLost, StoreUnavailable, TurnInterrupted
from bot.events import MessageReceived, QuickReplyShown
from bot.settings import Settings
from bot.stores import redis_keys
from bot.stores.database import Database
from bot.stores.redis_client import connect
from bot.streams.delivery import rows_in
from bot.streams.messages import Inbound, Outbound
from bot.streams.ticket import Ticket

SHARDS = 8
LEASE = "engine-0|1"


@dataclass
class Scene:
    """A message in the inbox, the lease on its shard, and a turn that answers it twice."""

    redis: redis.asyncio.Redis
    message: Inbound
    conversation: Conversation
    shard: int
    row: str

    def turn(self, conversation: Conversation | None = None) -> Turn:
        replies = [builders.outbound("one", n=1), builders.outbound("two", n=2)]
        turn = builders.turn_of(self.message, conversation or self.conversation, *replies)
        turn.event(MessageReceived("text", 3, 0), actor="customer")
        turn.tracker = {"events": [{"event": "action", "name": "action_listen"}], "slots": {}}
        return turn

    @property
    def ticket(self) -> Ticket:
        return Ticket(self.shard, self.row, LEASE)

    async def contents(self) -> dict[str, object]:
        """Everything there is in Redis, by key."""
        found: dict[str, object] = {}
        for key in sorted(await self.redis.keys("*")):
            kind = await self.redis.type(key)
            if kind == "stream":
                found[key] = await self.redis.xrange(key)
            elif kind == "hash":
                found[key] = await self.redis.hgetall(key)
            else:
                found[key] = await self.redis.get(key)
        return found

    async def bodies(self, key: str) -> list[dict[str, object]]:
        return [
            row
            for _, fields in await self.redis.xrange(key)
            for row in (
                rows_in(fields["body"]) if key.endswith("record") else [json.loads(fields["body"])]
            )
        ]


@pytest.fixture
async def scene(redis: redis.asyncio.Redis, database: Database) -> Scene:
    message = builders.inbound("मेरा ऑर्डर कहाँ है")
    conversation = builders.opened(database)
    shard = redis_keys.shard_of(message.conversation, SHARDS)
    row = await redis.xadd(redis_keys.inbox(shard), {"body": json.dumps(message.to_dict())})
    await redis.set(redis_keys.lease(shard, "engine"), LEASE)
    await redis.hset(redis_keys.attempts(shard), row, "1")
    return Scene(redis, message, conversation, shard, row)


async def test_a_commit_writes_everything_and_takes_the_message_off(scene: Scene) -> None:
    turn = scene.turn()
    assert await commit(scene.redis, turn, scene.ticket) is True
    shard = scene.shard
    assert await scene.redis.xlen(redis_keys.inbox(shard)) == 0
    assert not await scene.redis.exists(redis_keys.attempts(shard))
    sent = [Outbound.from_dict(b) for b in await scene.bodies(redis_keys.outbox(shard))]
    assert [(m.text, m.metadata["of"]) for m in sent] == [("one", 2), ("two", 2)]
    rows = await scene.bodies(redis_keys.record(shard))
    kinds = [row["kind"] for row in rows]
    assert kinds == ["message", "message", "message", "event", "tracker"]
    assert rows[0]["body"]["text"] == scene.message.text  # type: ignore[index]
    tracker = json.loads(await scene.redis.get(redis_keys.tracker(shard, turn.conversation.id)))
    assert tracker["events"] == turn.tracker["events"]
    assert tracker["context"] == turn.context.to_dict() | {"shown": []}
    copy = await scene.redis.get(redis_keys.owner(shard, turn.conversation.id))
    assert Conversation.from_json(copy) == turn.conversation
    for key in (redis_keys.tracker, redis_keys.owner):
        assert 0 < await scene.redis.ttl(key(shard, turn.conversation.id)) <= 7 * 86400


async def test_opening_the_chat_leaves_no_message_of_the_customer(scene: Scene) -> None:
    turn = scene.turn()
    turn.inbound = replace(turn.inbound, kind="start", text="")
    await commit(scene.redis, turn, scene.ticket)
    rows = await scene.bodies(redis_keys.record(scene.shard))
    assert [r["body"]["author"] for r in rows if r["kind"] == "message"] == ["bot", "bot"]  # type: ignore[index]


async def test_a_dead_letter_goes_with_its_turn(scene: Scene) -> None:
    turn = scene.turn()
    turn.dead = {"id": turn.inbound.id}
    await commit(scene.redis, turn, scene.ticket)
    rows = await scene.bodies(redis_keys.record(scene.shard))
    assert rows[-1] == {"kind": "dead", "body": {"id": turn.inbound.id}}


async def test_a_lost_lease_writes_nothing(scene: Scene) -> None:
    await scene.redis.set(redis_keys.lease(scene.shard, "engine"), "engine-1|2")
    before = await scene.contents()
    with pytest.raises(LeaseLost) as lost:
        await commit(scene.redis, scene.turn(), scene.ticket)
    assert lost.value.shard == scene.shard
    assert await scene.contents() == before


async def test_an_expired_lease_nobody_took_writes_nothing(scene: Scene) -> None:
    await scene.redis.delete(redis_keys.lease(scene.shard, "engine"))
    before = await scene.contents()
    with pytest.raises(LeaseLost):
        await commit(scene.redis, scene.turn(), scene.ticket)
    assert await scene.contents() == before


async def test_a_change_of_owner_under_way_writes_nothing(scene: Scene) -> None:
    await scene.redis.set(redis_keys.transition(scene.shard, scene.conversation.id), "1")
    before = await scene.contents()
    with pytest.raises(TurnInterrupted):
        await commit(scene.redis, scene.turn(), scene.ticket)
    assert await scene.contents() == before


async def test_a_newer_owner_writes_nothing(scene: Scene) -> None:
    taken = replace(scene.conversation, state=State.ASSIGNED, version=2, owner="asha")
    await scene.redis.set(redis_keys.owner(scene.shard, taken.id), taken.to_json())
    before = await scene.contents()
    with pytest.raises(TurnInterrupted):
        await commit(scene.redis, scene.turn(), scene.ticket)
    assert await scene.contents() == before


@pytest.mark.parametrize("version", [0, 1])
async def test_an_older_copy_of_the_owner_does_not_hold_the_turn_up(
    scene: Scene, version: int
) -> None:
    older = replace(scene.conversation, version=version)
    await scene.redis.set(redis_keys.owner(scene.shard, older.id), older.to_json())
    assert await commit(scene.redis, scene.turn(), scene.ticket) is True
    copy = await scene.redis.get(redis_keys.owner(scene.shard, older.id))
    assert Conversation.from_json(copy) == scene.conversation


async def test_a_row_committed_before_is_told_and_writes_nothing(scene: Scene) -> None:
    await commit(scene.redis, scene.turn(), scene.ticket)
    before = await scene.contents()
    assert await commit(scene.redis, scene.turn(), scene.ticket) is False
    assert await scene.contents() == before


async def test_with_redis_away_the_consumer_is_told(scene: Scene, settings: Settings) -> None:
    away = connect(replace(settings, redis_url="unix:///nonexistent/valkey.sock"))
    with pytest.raises(StoreUnavailable):
        await commit(away, scene.turn(), scene.ticket)
    await away.aclose()


def test_events_of_a_replayed_turn_have_the_same_ids() -> None:
    ids = []
    message = builders.inbound()
    for _ in range(2):
        turn = builders.turn_of(message, builders.conversation(message))
        turn.event(QuickReplyShown((), 7), ordinal=":0")
        turn.event(QuickReplyShown((), 7), ordinal=":1")
        ids.append([event.id for event in turn.events])
    assert ids[0] == ids[1]
    assert len(set(ids[0])) == 2


def test_the_question_under_way_is_the_tasks_own() -> None:
    rasa_call = builders.rasa_call()
    assert current() is None
    with calling_rasa(rasa_call):
        assert current() is rasa_call
    assert current() is None
    with pytest.raises(RuntimeError), calling_rasa(rasa_call):
        raise RuntimeError("Rasa is unwell")
    assert current() is None
