"""Conversations in SQL: compare-and-set, episodes, the queue and its estimate."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import builders
import pytest
import sqlalchemy as sa
from builders import NOW

from bot.conversation import store
from bot.conversation.states import State
from bot.conversation.store import Conversation
from bot.errors import StaleConversation
from bot.events import Event
from bot.routing.queue import list_waiting, place_of
from bot.stores.database import Database
from bot.stores.event_log import write_events
from bot.stores.tables import customers, events, queue_times


def _events(database: Database, kind: str) -> list[str]:
    return list(
        database.call(
            lambda c: c.execute(sa.select(events.c.id).where(events.c.type == kind)).scalars().all()
        )
    )


def test_of_two_threads_with_the_same_row_exactly_one_wins(database: Database) -> None:
    seen = builders.opened(database)
    gate = threading.Barrier(2)

    def claim(agent: str) -> str:
        gate.wait()
        try:
            database.call(
                lambda c: store.change(c, seen, State.ASSIGNED, key=f"by-{agent}", owner=agent)
            )
        except StaleConversation:
            return "lost"
        return agent

    with ThreadPoolExecutor(2) as pool:
        results = sorted(pool.map(claim, ("asha", "ravi")))
    winner = next(r for r in results if r != "lost")
    assert results.count("lost") == 1
    now = database.call(lambda c: store.get(c, seen.id))
    assert now is not None
    assert (now.owner, now.version) == (winner, seen.version + 1)


def test_a_refused_change_writes_no_event(database: Database) -> None:
    seen = builders.opened(database)
    database.call(lambda c: store.change(c, seen, State.WAITING, key="first"))
    told = Event(id="late", type="handoff.requested", conversation=seen.id)
    with pytest.raises(StaleConversation):
        database.call(lambda c: store.change(c, seen, State.ASSIGNED, key="second", events=(told,)))
    assert _events(database, "handoff.requested") == []


def test_a_change_and_its_event_are_one_transaction(database: Database) -> None:
    seen = builders.opened(database)
    told = Event(id="told", type="handoff.requested", conversation=seen.id)

    def work(connection: sa.engine.Connection) -> None:
        store.change(connection, seen, State.WAITING, key="k", events=(told,))
        raise RuntimeError("the process dies before the commit")

    with pytest.raises(RuntimeError):
        database.call(work)
    assert database.call(lambda c: store.get(c, seen.id)) == seen
    assert _events(database, "handoff.requested") == []


def test_the_first_message_opens_a_bot_conversation_with_customer_and_episode(
    database: Database,
) -> None:
    message = builders.inbound(name="Ann", locale="hi-IN", zone="Asia/Calcutta")
    made = database.call(lambda c: store.open_for(c, message, "hi"))
    assert (made.state, made.version, made.stint, made.language) == (State.BOT, 1, 1, "hi")
    assert (made.episode_id, made.episode_started_at) == (message.id, message.received_at)
    row = database.call(
        lambda c: c.execute(sa.select(customers).where(customers.c.id == made.customer_id)).one()
    )
    assert (row.name, row.locale, row.zone) == ("Ann", "hi-IN", "Asia/Calcutta")
    assert _events(database, "episode.started") == [f"{message.id}:episode.started"]


def test_opening_again_while_it_runs_changes_nothing(database: Database) -> None:
    made = builders.opened(database)
    assert builders.opened(database, n=2) == made
    assert len(_events(database, "episode.started")) == 1


@pytest.mark.parametrize("ended", [State.RESOLVED, State.CLOSED])
def test_a_message_after_the_end_starts_an_episode(database: Database, ended: State) -> None:
    before = builders.brought_to(database, ended)
    message = builders.inbound(n=9)
    after = database.call(lambda c: store.open_for(c, message, "en"))
    assert (after.state, after.episode_id) == (State.BOT, message.id)
    assert after.episode_started_at == after.last_message_at == message.received_at
    assert (after.stint, after.owner, after.cause) == (before.stint + 1, None, None)
    assert f"{message.id}:episode.started" in _events(database, "episode.started")
    assert database.call(lambda c: store.open_for(c, message, "en")) == after


@pytest.mark.parametrize(("told", "kept"), [("Asia/Dubai", "Asia/Dubai"), ("", "Asia/Calcutta")])
def test_who_comes_back_may_have_travelled(database: Database, told: str, kept: str) -> None:
    before = builders.brought_to(database, State.CLOSED)
    for n, zone in enumerate(("Asia/Calcutta", told), start=8):
        message = builders.inbound(n=n, zone=zone)
        database.call(lambda c, m=message: store.open_for(c, m, "en"))
        seen = database.call(lambda c: store.get(c, before.id))
        assert seen is not None
        database.call(lambda c, s=seen, n=n: store.change(c, s, State.CLOSED, key=f"end-{n}"))
    assert database.call(lambda c: c.execute(sa.select(customers.c.zone)).scalar()) == kept


def test_waiting_keeps_cause_and_numbers_until_the_bot_is_back(database: Database) -> None:
    numbers = {"confidence": 0.1, "thresholds": {"margin": 0.08}}
    waiting = builders.brought_to(
        database, State.WAITING, cause="low-confidence", cause_detail=numbers, priority=1
    )
    assert (waiting.cause, waiting.cause_detail, waiting.priority) == ("low-confidence", numbers, 1)
    back = database.call(lambda c: store.change(c, waiting, State.BOT, key="back"))
    assert (back.cause, back.cause_detail, back.waiting_since) == (None, None, None)


def test_the_queue_goes_by_priority_then_by_waiting_time(database: Database) -> None:
    for user, since, priority in (("late", 30, 0), ("early", 10, 0), ("urgent", 50, 2)):
        builders.brought_to(
            database, State.WAITING, user=user, waiting_since=NOW + since, priority=priority
        )
    queued = database.call(list_waiting)
    assert [row.vendor_user for row in queued] == ["urgent", "early", "late"]
    places = [database.call(lambda c, r=row: place_of(c, r, 0)).place for row in queued]
    assert places == [1, 2, 3]


def _waited(database: Database, *waits: float) -> None:
    rows = [{"assigned_at": NOW + n, "wait_s": wait} for n, wait in enumerate(waits)]
    database.call(lambda c: c.execute(sa.insert(queue_times), rows))


def test_fewer_than_five_samples_give_a_place_only(database: Database) -> None:
    waiting = builders.brought_to(database, State.WAITING)
    _waited(database, 60, 60, 60, 60)
    found = database.call(lambda c: place_of(c, waiting, 1))
    assert (found.place, found.estimate_s, found.agents_online) == (1, None, 1)


def test_nobody_online_gives_no_estimate(database: Database) -> None:
    waiting = builders.brought_to(database, State.WAITING)
    _waited(database, *[60.0] * 8)
    assert database.call(lambda c: place_of(c, waiting, 0)).estimate_s is None


def test_the_estimate_is_median_times_place_over_agents(database: Database) -> None:
    builders.brought_to(database, State.WAITING, user="first", waiting_since=NOW)
    second = builders.brought_to(database, State.WAITING, user="second", waiting_since=NOW + 1)
    _waited(database, 10, 1000, 30, 20, 100)
    found = database.call(lambda c: place_of(c, second, 2))
    assert (found.place, found.estimate_s) == (2, 30 * 2 / 2)


def test_the_estimate_looks_at_the_last_twenty_waits_only(database: Database) -> None:
    waiting = builders.brought_to(database, State.WAITING)
    _waited(database, *[9999.0] * 30, *[60.0] * 20)
    assert database.call(lambda c: place_of(c, waiting, 1)).estimate_s == 60


def test_a_claim_from_the_queue_is_a_sample_and_a_takeover_is_none(database: Database) -> None:
    waiting = builders.brought_to(database, State.WAITING, user="queued", waiting_since=NOW)
    bot = builders.opened(database, user="taken")
    for row in (waiting, bot):
        database.call(
            lambda c, r=row: store.change(
                c, r, State.ASSIGNED, key=f"claim-{r.id}", now=NOW + 42, owner="asha"
            )
        )
    waits = database.call(lambda c: c.execute(sa.select(queue_times.c.wait_s)).scalars().all())
    assert list(waits) == [42.0]


def test_a_conversation_survives_its_json(database: Database) -> None:
    row = builders.brought_to(database, State.WAITING, cause_detail={"margin": 0.1})
    assert Conversation.from_json(row.to_json()) == row
    assert Conversation.from_json(replace(row, language="മലയാളം").to_json().encode()).language


def test_events_are_stored_once_by_id(database: Database) -> None:
    told = Event(id="once", type="message.received", data={"n": 1})
    changed = replace(told, data={"n": 2})
    database.call(lambda c: write_events(c, [told]))
    database.call(lambda c: write_events(c, [changed]))
    rows = database.call(lambda c: c.execute(sa.select(events.c.data)).scalars().all())
    assert list(rows) == [{"n": 1}]


def test_an_unknown_event_type_is_refused_when_it_is_made() -> None:
    with pytest.raises(ValueError, match=r"bot\.events\.TYPES"):
        Event(id="x", type="something.else")
