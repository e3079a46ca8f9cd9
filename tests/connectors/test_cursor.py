"""A made-up connector hears of recorded events: all of them, in order, whatever fails between."""

from __future__ import annotations

import asyncio
import itertools
import json
from typing import Any

import pytest
import redis.asyncio
import sqlalchemy as sa
from builders import until
from made_up_connector import Elsewhere

from bot.connectors.kit import cursor as cursors
from bot.connectors.kit import rows, running
from bot.connectors.kit.cursor import MOST_TRIES, Cursor
from bot.connectors.kit.rows import OVERLAP_S
from bot.errors import BadRequest, StaleCursor
from bot.events import AnswerSent, Event, EventData, HandoffReturned, Subject
from bot.housekeeping import erasure
from bot.settings import Settings
from bot.stores.database import Database
from bot.stores.event_log import write_events
from bot.stores.tables import connector_cursors, connector_seen, dead_letters, events
from bot.streams import dead_letters as letters
from bot.streams.recorder import store_rows

START = 1_800_000_000.0


class World:
    """A database with a clock that the test turns, and a connector that reads it."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.elsewhere = Elsewhere()
        self.now = START
        self.cursor = self.restarted()

    def restarted(self) -> Cursor:
        return Cursor(self.elsewhere.connector(), self.elsewhere.take, self.database)

    async def step(self, after_s: float = 1.0) -> int:
        self.now += after_s
        return await self.cursor.step(self.now)

    def record(self, *ids: str, at: float | None = None, what: EventData | None = None) -> None:
        """Write events as the recorder does, stamped with the clock of the test."""
        whose = Subject("rest-1", "e-1", "rest", "hi")
        bodies = [
            {**Event.of(whose, what or AnswerSent("order", 1), key="").to_dict(), "id": id_}
            for id_ in ids
        ]
        self.database.call(
            lambda c: store_rows(c, [{"kind": "event", "body": body} for body in bodies])
        )
        stamp = sa.update(events).where(events.c.id.in_(ids))
        self.database.call(
            lambda c: c.execute(stamp.values(stored_at=self.now if at is None else at))
        )

    def letters(self) -> list[dict[str, Any]]:
        return self.database.call(letters.read_letters)


@pytest.fixture
async def world(database: Database) -> World:
    made = World(database)
    made.record("long ago", at=START - 10)
    await made.step()
    assert made.elsewhere.heard == []  # a new connector gets nothing of the past
    made.now += 1000
    return made


async def test_it_hears_what_it_wants_once_and_in_order(world: World) -> None:
    world.record("b")
    world.record("not wanted", what=HandoffReturned())
    await world.step()
    world.record("a", "c")
    assert await world.step() == 2
    assert await world.step() == 0
    assert world.elsewhere.heard == ["b", "a", "c"]


async def test_an_event_arrives_with_its_data_and_its_conversation(database: Database) -> None:
    heard = []

    async def take(batch: Any, /) -> None:
        heard.extend(batch)

    world = World(database)
    world.cursor = Cursor(world.elsewhere.connector(), take, database)
    await world.step()
    world.record("a")
    await world.step()
    (event,) = heard
    assert (event.conversation, event.language, event.type) == ("rest-1", "hi", "answer.sent")
    assert event.facts == AnswerSent("order", 1)


async def test_a_transaction_that_commits_late_is_not_missed(world: World) -> None:
    world.record("quick")
    await world.step(OVERLAP_S / 2)
    world.record("slow", at=world.now - OVERLAP_S / 2 - 1)
    await world.step()
    assert world.elsewhere.heard == ["quick", "slow"]


async def test_a_machine_whose_clock_is_ahead_hides_nothing(world: World) -> None:
    world.record("from the future", at=world.now + 10_000)
    await world.step()
    world.record("from today")
    await world.step()
    assert world.elsewhere.heard == ["from the future", "from today"]
    await world.step(20_000)
    assert len(world.elsewhere.heard) == 2


async def test_while_the_system_is_away_it_is_asked_less_and_less_and_nothing_is_lost(
    world: World,
) -> None:
    world.elsewhere.away = True
    world.record("a", "b")
    asked = []
    for _ in range(120):
        before = world.elsewhere.calls
        await world.step()
        if world.elsewhere.calls > before:
            asked.append(world.now)
    pauses = [later - earlier for earlier, later in itertools.pairwise(asked)]
    assert pauses == sorted(pauses)
    assert pauses[-1] >= 32
    world.elsewhere.away = False
    await world.step(600)
    await world.step()
    assert world.elsewhere.heard == ["a", "b"]
    assert world.letters() == []


async def test_a_poisoned_event_becomes_a_dead_letter_and_the_others_go_on(world: World) -> None:
    world.elsewhere.poisoned = frozenset({"b"})
    world.record("a", "b", "c")
    for _ in range(MOST_TRIES):
        await world.step(cursors.LONGEST_PAUSE_S + 1)
    await world.step()
    assert world.elsewhere.heard[-1] == "c"
    assert set(world.elsewhere.heard) == {"a", "c"}
    (letter,) = world.letters()
    assert (letter["direction"], letter["conversation"]) == ("event", "rest-1")
    assert (letter["error"], letter["body"]["event"]["id"]) == ("KeyError", "b")
    world.record("d")
    await world.step()
    assert world.elsewhere.heard[-1] == "d"


async def test_what_is_refused_for_good_is_not_tried_again(world: World) -> None:
    world.elsewhere.refused = frozenset({"a"})
    world.record("a", "b")
    await world.step()
    assert world.elsewhere.heard == ["b"]
    assert [letter["error"] for letter in world.letters()] == ["unknown-field"]


async def test_a_dead_letter_is_sent_again_by_hand(
    world: World, redis: redis.asyncio.Redis
) -> None:
    world.elsewhere.refused = frozenset({"a"})
    world.record("a")
    await world.step()
    (letter,) = world.letters()
    await letters.replay(world.database, redis, 4, letter["id"])
    await world.step()  # refused once more: it waits for people again
    assert [item["replayed_at"] for item in world.letters()] == [None]
    world.elsewhere.refused = frozenset()
    await letters.replay(world.database, redis, 4, letter["id"])
    assert await redis.keys("*outbox*") == []
    with pytest.raises(BadRequest):
        await letters.replay(world.database, redis, 4, letter["id"])
    await world.step()
    assert world.elsewhere.heard == ["a"]
    assert world.letters() == []


async def test_a_restart_forgets_neither_place_nor_tries(world: World) -> None:
    world.elsewhere.poisoned = frozenset({"b"})
    world.record("a", "b", "c")
    for _ in range(MOST_TRIES):
        world.cursor = world.restarted()
        await world.step(cursors.LONGEST_PAUSE_S + 1)
    world.cursor = world.restarted()
    await world.step()
    assert [letter["body"]["event"]["id"] for letter in world.letters()] == ["b"]
    assert world.elsewhere.heard.count("c") == 1


async def test_what_a_crash_leaves_unnoted_comes_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object) -> None:
        raise RuntimeError("the process dies before the commit")

    world.record("a")
    monkeypatch.setattr(rows, "mark_delivered", crash)
    with pytest.raises(RuntimeError):
        await world.step()
    monkeypatch.undo()
    world.cursor = world.restarted()
    await world.step()
    assert world.elsewhere.heard == ["a", "a"]


async def test_of_two_processes_only_one_moves_the_cursor(world: World) -> None:
    world.record("a")
    place = world.database.call(lambda c: rows.position_of(c, "elsewhere"))
    batch = world.database.call(lambda c: rows.unread(c, place, ("answer.sent",), 10))  # type: ignore[arg-type]
    await world.step()
    with pytest.raises(StaleCursor):
        world.database.call(lambda c: rows.mark_delivered(c, place, batch, world.now))  # type: ignore[arg-type]


async def test_who_is_erased_is_not_told_of_again(world: World) -> None:
    world.record("rest-1:x:answer.sent")
    await world.step()
    world.database.call(lambda c: erasure._rename_events(c, "rest-1", "erased-7"))
    await world.step()
    assert world.elsewhere.heard == ["rest-1:x:answer.sent"]


async def test_only_the_last_minutes_are_remembered_one_by_one(world: World) -> None:
    for n in range(5):
        world.record(f"e{n}")
        await world.step(OVERLAP_S)
    kept = world.database.call(
        lambda c: c.execute(sa.select(connector_seen.c.event)).scalars().all()
    )
    assert "e0" not in kept
    assert "e4" in kept
    assert world.elsewhere.heard == [f"e{n}" for n in range(5)]


async def test_a_process_runs_those_that_are_set(
    database: Database,
    redis: redis.asyncio.Redis,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(running, "EVERY_S", 0.01)
    on, off = Elsewhere(), Elsewhere()
    connectors = (on.connector(),)
    quiet = asyncio.create_task(
        running.run((off.connector(),), {}, settings, database, redis, "quiet")
    )
    await quiet
    assert off.calls == 0
    environment = {"ELSEWHERE_KEY": "secret"}
    task = asyncio.create_task(
        running.run(connectors, environment, settings, database, redis, "one")
    )

    def begun() -> bool:
        rows_ = database.call(lambda c: c.execute(sa.select(connector_cursors)).all())
        return len(rows_) == 1

    await until(begun)
    whose = Subject("rest-1", "e-1", "rest", "hi")
    event = Event.of(whose, AnswerSent("order", 1), key="m1")
    database.call(lambda c: write_events(c, [event]))
    await until(lambda: on.heard == ["m1:answer.sent"])
    assert on.open
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert not on.open
    assert await redis.keys("*lease:connector-elsewhere") == []


def test_letters_of_long_ids_fit_their_column(database: Database) -> None:
    place = rows.Position("c" * 48, 0.0, "", 0, 0.0, 1)
    event = Event.of(Subject("x" * 64), AnswerSent("a", 1), key="k" * 110)
    database.call(lambda c: rows.begin(c, place.connector, 0.0))
    database.call(lambda c: write_events(c, [event]))
    (stored,) = database.call(lambda c: rows.unread(c, place, ("answer.sent",), 1))
    database.call(lambda c: rows.give_up(c, place, stored, "e", 5.0))
    kept = database.call(lambda c: c.execute(sa.select(dead_letters)).mappings().one())
    assert json.loads(json.dumps(kept["body"]))["event"]["id"] == event.id
