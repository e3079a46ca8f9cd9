"""Moves of a turn: why a conversation is handed off, and doing it once."""

from __future__ import annotations

import builders
import pytest
import redis.asyncio
from talk import CONTENT

from bot.conversation import store
from bot.conversation.escalation import Decision
from bot.conversation.states import Cause, State
from bot.dialogue import parsed
from bot.dialogue.decide import Choice
from bot.dialogue.move import PRIORITY, Handoff, Mover, cancel_key, is_freed_by, is_queued_by
from bot.stores.database import Database

MESSAGE = builders.inbound()
HANDOFF = Handoff(Cause.POLICY, {"confidence": 0.9}, "hi", 0.25, "orders")


@pytest.fixture
def mover(database: Database, redis: redis.asyncio.Redis) -> Mover:
    return Mover(database, redis, 60.0)


def test_a_handoff_has_cause_numbers_language_mood_and_topic() -> None:
    decision = Decision("handoff", Cause.POLICY, {"confidence": 0.9})
    choice = Choice(parsed.handoff(), "hi", decision, entry="lost-card", negative_mean=0.25)
    assert Handoff.of(choice, CONTENT) == HANDOFF


@pytest.mark.parametrize(
    ("numbers", "topic"),
    [({"entry": "refund-time"}, "orders"), ({"entry": "gone"}, ""), ({}, ""), (None, "")],
)
def test_the_topic_is_of_the_entry_that_was_likeliest(
    numbers: dict[str, str] | None, topic: str
) -> None:
    choice = Choice(parsed.handoff(), "en", Decision("handoff", Cause.ASKED, numbers))
    assert Handoff.of(choice, CONTENT).topic == topic


def test_a_handoff_that_an_action_alone_asks_for_was_asked_for() -> None:
    handoff = Handoff.of(Choice(parsed.intent("greet"), "en", Decision("answer")), CONTENT)
    assert (handoff.cause, handoff.numbers) == (Cause.ASKED, {})


async def test_a_handoff_is_done_once_and_told_in_sql(mover: Mover, database: Database) -> None:
    before = builders.opened(database)
    first = await mover.hand_off(before, MESSAGE, HANDOFF, 7)
    again = await mover.hand_off(first, MESSAGE, HANDOFF, 7)
    assert again == first
    assert (first.state, first.cause, first.language) == (State.WAITING, "policy", "hi")
    assert (first.priority, first.topic) == (PRIORITY[Cause.POLICY], "orders")
    assert first.cause_detail == {"confidence": 0.9, "message": MESSAGE.id}
    assert is_queued_by(first, MESSAGE.id)
    assert not is_queued_by(first, "another")
    assert not is_queued_by(before, MESSAGE.id)


async def test_back_to_the_bot_and_into_the_queue_again(mover: Mover, database: Database) -> None:
    queued = await mover.hand_off(builders.opened(database), MESSAGE, HANDOFF, 7)
    second = builders.inbound(n=2)
    freed = await mover.back_to_bot(queued, second, 7)
    assert (freed.state, freed.cause, freed.last_change) == (State.BOT, None, cancel_key(second.id))
    assert is_freed_by(freed, second.id)
    assert not is_freed_by(freed, MESSAGE.id)
    third = builders.inbound(n=3)
    left = await mover.leave_message(await mover.hand_off(freed, third, HANDOFF, 7), third, 7)
    assert left.callback_at == third.received_at


async def test_a_message_ends_a_snooze(mover: Mover, database: Database) -> None:
    snoozed = builders.brought_to(database, State.SNOOZED)
    woken = await mover.wake(snoozed, builders.inbound(n=2))
    assert (woken.state, woken.owner) == (State.ASSIGNED, "asha")
    assert database.call(lambda c: store.get(c, woken.id)) == woken


async def test_the_standing_is_the_place_among_those_who_wait(
    mover: Mover, database: Database
) -> None:
    for n, user in enumerate(("ann", "bob"), start=1):
        opened = builders.opened(database, user=user)
        await mover.hand_off(opened, builders.inbound(user=user, n=n), HANDOFF, 7)
    waiting = await mover.hand_off(
        builders.opened(database, user="cid"), builders.inbound(user="cid", n=9), HANDOFF, 7
    )
    queue_status = await mover.queue_status(waiting, builders.NOW)
    assert (queue_status.place.place, queue_status.place.agents_online) == (3, 0)
    assert not queue_status.attendance.closed
