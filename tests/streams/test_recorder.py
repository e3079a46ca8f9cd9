"""The recorder: everything once, the newest tracker wins, nothing leaves Redis unstored."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from typing import Any

import builders
import pytest
import redis.asyncio
import sqlalchemy as sa
from builders import NOW
from redis.exceptions import RedisClusterException

from bot.conversation import store
from bot.errors import StoreUnavailable
from bot.events import Event
from bot.processes.every import paced
from bot.stores import redis_keys
from bot.stores.database import Database
from bot.stores.set_aside import FIRST_PAUSE_S, SetAside
from bot.stores.tables import dead_letters, events, messages, trackers
from bot.streams import delivery
from bot.streams import recorder as recorder_module
from bot.streams.delivery import message_row, record_row
from bot.streams.lease import Leases
from bot.streams.recorder import Recorder, store_rows

SHARDS = 4


@pytest.fixture
async def recorder(redis: redis.asyncio.Redis, database: Database) -> Recorder:
    leases = Leases(redis, "recorder", "recorder", SHARDS, 60.0)
    await leases.step()
    return Recorder(redis, leases, database)


def _message(
    n: int = 1, *, user: str = "ann", author: str = "customer", **more: Any
) -> dict[str, Any]:
    row = message_row(builders.outbound(f"text {n}", user=user, n=n, author=author), "ep")
    return {"kind": "message", "body": {**row, **more}}


def _event(n: int = 1) -> dict[str, Any]:
    body = Event(id=f"e{n}", type="message.received", conversation="c", data={"n": n}).to_dict()
    return {"kind": "event", "body": body}


def _tracker(body: str, *, user: str = "ann", language: str = "en") -> dict[str, Any]:
    conversation = builders.inbound(user=user).conversation
    return {
        "kind": "tracker",
        "body": {"conversation": conversation, "body": body, "language": language},
    }


async def _add(client: redis.asyncio.Redis, shard: int, *rows: dict[str, Any]) -> None:
    for row in rows:
        await client.xadd(redis_keys.record(shard), {"body": record_row(row["kind"], row["body"])})


def _all(database: Database, table: sa.Table) -> list[dict[str, Any]]:
    rows = database.call(lambda c: c.execute(sa.select(table)).mappings().all())
    return [dict(row) for row in rows]


async def test_rows_of_all_shards_arrive_in_sql_and_leave_redis(
    recorder: Recorder, redis: redis.asyncio.Redis, database: Database
) -> None:
    for shard in range(SHARDS):
        await _add(redis, shard, _message(shard), _event(shard))
    assert await recorder.step() == 2 * SHARDS
    assert len(_all(database, messages)) == len(_all(database, events)) == SHARDS
    assert [await redis.xlen(redis_keys.record(s)) for s in range(SHARDS)] == [0] * SHARDS
    assert await recorder.step() == 0


async def test_rows_stored_but_not_taken_off_are_stored_once(
    recorder: Recorder, redis: redis.asyncio.Redis, database: Database
) -> None:
    """The recorder died between the two; a successor sees the same rows again."""
    rows = [_message(1), _event(1), _tracker("{}")]
    rows.append({"kind": "dead", "body": _dead("m1")})
    database.call(lambda c: store_rows(c, json.loads(json.dumps(rows))))
    before = {t.name: _all(database, t) for t in (messages, events, dead_letters)}
    await _add(redis, 0, *rows, *rows)
    await recorder.step()
    assert {t.name: _all(database, t) for t in (messages, events, dead_letters)} == before
    assert len(_all(database, trackers)) == 1


def _dead(id_: str) -> dict[str, Any]:
    return {
        "id": id_,
        "direction": "in",
        "conversation": "c",
        "error": "failed 3 times",
        "body": {"text": "…"},
        "created_at": NOW,
        "replayed_at": None,
    }


async def test_nothing_leaves_redis_while_sql_refuses(
    recorder: Recorder,
    redis: redis.asyncio.Redis,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await _add(redis, 1, _message())

    async def away(*_: object) -> None:
        raise StoreUnavailable("database", "locked")

    with monkeypatch.context() as patch:
        patch.setattr(database, "run", away)
        with pytest.raises(StoreUnavailable):
            await recorder.step()
    assert await redis.xlen(redis_keys.record(1)) == 1
    assert await recorder.step() == 1


async def test_a_row_sql_refuses_stays_and_holds_up_no_other(
    recorder: Recorder, redis: redis.asyncio.Redis, database: Database
) -> None:
    await _add(redis, 0, _message(1))
    await _add(redis, 1, {"kind": "event", "body": {"id": "no type"}}, _message(2))
    assert await recorder.step() == 2
    assert len(_all(database, messages)) == 2
    assert [await redis.xlen(redis_keys.record(s)) for s in (0, 1)] == [0, 1]
    assert await recorder.step() == 0
    await _add(redis, 1, _message(3))
    assert await recorder.step() == 1
    assert await redis.xlen(redis_keys.record(1)) == 1, "until it can be stored"


async def test_what_sql_refused_is_taken_up_by_the_same_recorder_once_it_can_be(
    recorder: Recorder, redis: redis.asyncio.Redis, database: Database
) -> None:
    clock = [0.0]
    recorder.aside = SetAside("recorder", clock=lambda: clock[0])
    await _add(redis, 1, _message(1))

    def refused(*_: object) -> None:
        raise sa.exc.DataError("insert", {}, Exception("of a kind nobody foresaw"))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recorder_module, "store_rows", refused)
        assert await recorder.step() == 0
    assert len(recorder.aside) == 1
    assert await recorder.step() == 0, "not yet"
    clock[0] += FIRST_PAUSE_S + 1
    assert await recorder.step() == 1
    assert (len(recorder.aside), await redis.xlen(redis_keys.record(1))) == (0, 0)


async def test_nothing_is_set_aside_for_a_schema_that_is_another(
    recorder: Recorder, redis: redis.asyncio.Redis, database: Database
) -> None:
    await _add(redis, 0, _message(1))

    async def run(_: object) -> None:
        raise sa.exc.ProgrammingError("insert", {}, Exception("no such column"))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database, "run", run)
        with pytest.raises(sa.exc.ProgrammingError):
            await recorder.step()
    assert await recorder.step() == 1


async def test_a_long_name_of_an_agent_is_cut_not_refused(
    recorder: Recorder, redis: redis.asyncio.Redis, database: Database
) -> None:
    outbound = builders.outbound("hello", author="agent", agent="Ann " * 32)
    await _add(redis, 0, {"kind": "message", "body": message_row(outbound, "ep")})
    assert await recorder.step() == 1
    assert _all(database, messages)[0]["agent"] == ("Ann " * 32)[:64]


async def test_a_letter_that_fails_again_can_be_replayed_again(
    recorder: Recorder, redis: redis.asyncio.Redis, database: Database
) -> None:
    for error, at in (("token expired", NOW), ("still expired", NOW + 60)):
        letter = {"kind": "dead", "body": {**_dead("m1"), "error": error, "created_at": at}}
        await _add(redis, 0, letter)
        assert await recorder.step() == 1
        # The same note once more, as after a crash, opens nothing that was replayed.
        await _add(redis, 0, letter)
        mark = sa.update(dead_letters).values(replayed_at=at + 30)
        database.call(lambda c, mark=mark: c.execute(mark))
        assert await recorder.step() == 1
        (row,) = _all(database, dead_letters)
        assert (row["error"], row["replayed_at"]) == (error, at + 30)


async def test_the_newest_tracker_wins_within_a_batch_and_over_the_stored_one(
    recorder: Recorder, redis: redis.asyncio.Redis, database: Database
) -> None:
    await _add(redis, 0, _tracker("1"), _tracker("2"), _tracker("other", user="bob"))
    await recorder.step()
    await _add(redis, 0, _tracker("3"))
    await recorder.step()
    assert sorted(row["body"] for row in _all(database, trackers)) == ["3", "other"]


async def test_delivery_marks_the_message_it_names(
    recorder: Recorder, redis: redis.asyncio.Redis, database: Database
) -> None:
    first, second = _message(1), _message(2)
    named = {key: first["body"][key] for key in ("id", "conversation")}
    sent = {"kind": "delivery", "body": {**named, "delivery": "sent"}}
    await _add(redis, 0, first, second, sent)
    await recorder.step()
    marks = {row["id"]: row["delivery"] for row in _all(database, messages)}
    assert marks == {first["body"]["id"]: "sent", second["body"]["id"]: "queued"}


async def test_many_deliveries_in_one_round_each_keep_their_latest_state(
    recorder: Recorder, redis: redis.asyncio.Redis, database: Database
) -> None:
    written = [_message(n, author="bot") for n in range(4)]
    notes = [(n, state) for state in ("sent", "delivered") for n in range(3)]
    told = [
        {
            "kind": "delivery",
            "body": {
                "id": written[n]["body"]["id"],
                "delivery": state,
                "conversation": written[n]["body"]["conversation"],
            },
        }
        for n, state in [*notes, (0, "read"), (1, "sent")]
    ]
    await _add(redis, 0, *written, *told)
    await recorder.step()
    rows = {row["id"]: row["delivery"] for row in _all(database, messages)}
    states = [rows[row["body"]["id"]] for row in written]
    assert states == ["read", "delivered", "delivered", "queued"]


@pytest.mark.parametrize("author", ["customer", "bot", "agent"])
async def test_a_message_counts_as_activity_and_an_older_one_does_not_turn_it_back(
    recorder: Recorder, redis: redis.asyncio.Redis, database: Database, author: str
) -> None:
    seen = builders.opened(database)
    await _add(redis, 0, _message(50, author=author))
    await recorder.step()
    await _add(redis, 0, _message(20, author=author))
    await recorder.step()
    now = database.call(lambda c: store.get(c, seen.id))
    assert now is not None
    assert now.last_message_at == NOW + 50
    assert now.version == seen.version, "activity is no change of state"


async def test_the_conversations_language_is_the_turns_not_the_last_words(
    recorder: Recorder, redis: redis.asyncio.Redis, database: Database
) -> None:
    """An "ok" in a Hindi conversation must not make the next notice English."""
    seen = builders.opened(database, language="hi")
    for guess in ("en", "und", ""):
        await _add(redis, 0, _message(60, language=guess), _tracker("{}", language="hi"))
        await recorder.step()
        now = database.call(lambda c: store.get(c, seen.id))
        assert now is not None
        assert now.language == "hi"
    await _add(redis, 0, _tracker("{}", language="mr"))
    await recorder.step()
    now = database.call(lambda c: store.get(c, seen.id))
    assert now is not None
    assert now.language == "mr"


async def test_more_rows_than_a_batch_are_moved_in_order(
    recorder: Recorder,
    redis: redis.asyncio.Redis,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bot.streams.recorder.BATCH", 3)
    await _add(redis, 0, *(_tracker(str(n)) for n in range(8)))
    moved = [await recorder.step() for _ in range(4)]
    assert moved == [3, 3, 2, 0]
    assert [row["body"] for row in _all(database, trackers)] == ["7"]


async def test_shards_of_another_recorder_are_left_alone(
    redis: redis.asyncio.Redis, database: Database
) -> None:
    leases = Leases(redis, "recorder", "mine", SHARDS, 60.0)
    leases.held = {2: "mine|1"}
    await _add(redis, 1, _event(1))
    await _add(redis, 2, _event(2))
    assert await Recorder(redis, leases, database).step() == 1
    assert [row["id"] for row in _all(database, events)] == ["e2"]


async def test_a_recorder_that_slept_past_its_lease_stores_nothing(
    redis: redis.asyncio.Redis, database: Database
) -> None:
    leases = Leases(redis, "recorder", "slow", SHARDS, 60.0)
    await leases.step()
    await _add(redis, 0, _event(1), _tracker("old"))
    leases._until = dict.fromkeys(leases.held, time.monotonic() - 1)
    with pytest.raises(StoreUnavailable):
        await Recorder(redis, leases, database).step()
    assert _all(database, events) == _all(database, trackers) == []
    await leases.step()
    assert await Recorder(redis, leases, database).step() == 2


async def test_desks_are_woken_for_messages(recorder: Recorder, redis: redis.asyncio.Redis) -> None:
    async with redis.pubsub() as desk:
        await desk.subscribe(redis_keys.NEWS_CHANNEL)
        await desk.get_message(timeout=5)
        message = builders.outbound()
        await delivery.send(redis, SHARDS, message, episode_id="ep")
        await recorder.step()
        told = await desk.get_message(timeout=5)
    assert told is not None
    assert json.loads(told["data"]) == [message.conversation]


@pytest.mark.parametrize("cluster", [False, True])
async def test_it_wakes_up_for_a_row(
    recorder: Recorder,
    redis: redis.asyncio.Redis,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    cluster: bool,
) -> None:
    async def refuse(*_: object, **__: object) -> None:
        raise RedisClusterException("XREAD - all keys must map to the same key slot")

    if cluster:
        monkeypatch.setattr(recorder_module, "is_clustered", lambda _: True)
        monkeypatch.setattr(redis, "xread", refuse)
    running = asyncio.create_task(paced(recorder.turn, name="recorder"))
    for n in range(3):
        await _add(redis, n % SHARDS, _event(n))
        await builders.until(lambda n=n: len(_all(database, events)) == n + 1)
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
