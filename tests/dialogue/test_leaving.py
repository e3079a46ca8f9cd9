"""Nobody there, or a long wait: what customers hear, and leaving it as a message."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import builders
import pytest
import sqlalchemy as sa
from talk import Talk

from bot.conversation.states import State
from bot.dialogue import handler as handler_module
from bot.handoff.allowance import WINDOW_S
from bot.handoff.service import Agent, HandoffService
from bot.housekeeping.closing import ConversationCloser
from bot.routing import presence, teams
from bot.routing.hours import Hours, Span, parse_spans
from bot.routing.model import EVERYONE, Team
from bot.stores import redis_keys
from bot.stores.tables import conversations, messages

CLOCK = builders.NOW + 10_000
"""When the sweeper looks: 01:00 UTC on the day after `builders.NOW`."""
TODAY = datetime.fromtimestamp(CLOCK, UTC).date()
DAY = timedelta(days=1)
OPENS = (datetime.fromtimestamp(builders.NOW, UTC) + timedelta(days=1)).date()


def _closed_today(talk: Talk, zone: str = "UTC") -> None:
    """The calendar's next opening is tomorrow at nine."""
    hours = Hours(zone, ((),) * 7, {OPENS: parse_spans("09:00-17:00")})
    everyone = Team(EVERYONE, "Everyone", everyone=True, hours=hours)
    talk.database.call(lambda c: teams.save_team(c, everyone))


def _calendar(talk: Talk, days: dict[date, tuple[Span, ...]]) -> None:
    hours = Hours("UTC", ((),) * 7, days)
    talk.database.call(lambda c: teams.save_team(c, Team(EVERYONE, "E", hours=hours)))


async def _waits_since(talk: Talk, seconds: float) -> None:
    state = await talk.state()
    talk.database.call(
        lambda c: c.execute(
            sa.update(conversations)
            .where(conversations.c.id == state.id)
            .values(waiting_since=CLOCK - seconds, last_message_at=CLOCK)
        )
    )


async def test_a_closed_team_says_when_it_is_back_and_offers_to_leave_a_message(talk: Talk) -> None:
    _closed_today(talk)
    *_, told = await talk.say("talk to a person")
    assert told.utter == "utter_handoff_closed"
    assert "tomorrow at 09:00 (UTC)" in told.text
    assert [q.action for q in told.quick_replies] == ["leave", "cancel"]
    (again,) = await talk.say("hello?", after_s=130)
    assert again.utter == "utter_waiting_closed"
    assert "tomorrow at 09:00" in again.text


async def test_the_time_is_the_customers_where_their_country_has_one(talk: Talk) -> None:
    _closed_today(talk)
    *_, told = await talk.say("talk to a person", locale="th-TH")
    assert "16:00 (Thailand Time)" in told.text


async def test_people_who_are_there_outweigh_the_calendar(talk: Talk) -> None:
    _closed_today(talk)
    await presence.mark_online(talk.redis, "asha")
    *_, told = await talk.say("talk to a person")
    assert told.utter == "utter_handoff"


async def test_only_people_of_the_team_count(talk: Talk) -> None:
    team = talk.database.call(
        lambda c: teams.save_team(c, Team("", "Orders", topics=frozenset({"orders"})))
    )
    await presence.mark_online(talk.redis, "asha")
    *_, told = await talk.say("my card is lost")
    assert (await talk.state()).team == team.id
    assert (await talk.state()).topic == "orders"
    assert told.utter == "utter_handoff_nobody"


async def test_a_message_that_is_left_waits_without_notices_and_is_kept(talk: Talk) -> None:
    *_, told = await talk.say("talk to a person")
    (left,) = await talk.tap(told.quick_replies[0])
    assert left.utter == "utter_left"
    state = await talk.state()
    assert (state.state, bool(state.callback_at)) == (State.WAITING, True)
    assert len(await talk.recorded("handoff.left")) == 1
    assert await talk.say("my order number is 12", after_s=10) == []
    (again,) = await talk.say("and my name is Ann", after_s=130)
    assert again.utter == "utter_left", "never silence"


async def test_the_same_tap_twice_leaves_one_message(talk: Talk) -> None:
    *_, told = await talk.say("talk to a person")
    for _ in range(2):
        await talk.tap(told.quick_replies[0])
    assert (await talk.state()).callback_at
    assert (await talk.state()).state == State.WAITING


async def test_whoever_left_a_message_may_still_go_back_to_the_bot(talk: Talk) -> None:
    *_, told = await talk.say("talk to a person")
    (left,) = await talk.tap(told.quick_replies[0])
    await talk.tap(left.quick_replies[-1])
    state = await talk.state()
    assert (state.state, state.callback_at) == (State.BOT, None)


async def test_an_old_button_still_leaves_a_message(talk: Talk) -> None:
    *_, told = await talk.say("talk to a person")
    await talk.tap(told.quick_replies[-1])
    assert (await talk.state()).state == State.BOT
    replies = await talk.tap(told.quick_replies[0])
    assert [r.utter for r in replies] == ["utter_left"]
    assert [q.action for q in replies[-1].quick_replies] == ["cancel"]
    state = await talk.state()
    assert (state.state, state.cause, bool(state.callback_at)) == (State.WAITING, "asked", True)
    assert len(await talk.recorded("handoff.requested")) == 2
    assert len(await talk.recorded("handoff.left")) == 1
    await talk.tap(replies[-1].quick_replies[0])
    assert (await talk.state()).state == State.BOT


async def test_an_old_button_whose_turn_died_leaves_one_message(
    talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    *_, told = await talk.say("talk to a person")
    await talk.tap(told.quick_replies[-1])
    before = await talk.state()
    message = talk.message(tap=told.quick_replies[0].id)
    ticket = await talk.arrive(message)

    async def dies(*_: Any) -> bool:
        raise RuntimeError("SIGKILL")

    with monkeypatch.context() as patch:
        patch.setattr(handler_module, "commit", dies)
        with pytest.raises(RuntimeError):
            await talk.handler.handle(message, ticket)
    await talk.redis.delete(redis_keys.owner(ticket.shard, message.conversation))
    await talk.handler.handle(message, ticket)
    assert [r.utter for r in await talk.replies(message)] == ["utter_left"]
    after = await talk.state()
    assert (after.state, bool(after.callback_at)) == (State.WAITING, True)
    assert after.version == before.version + 2
    assert len(await talk.recorded("handoff.left")) == 1


async def test_a_person_who_comes_answers_without_joining_a_chat(talk: Talk) -> None:
    *_, told = await talk.say("talk to a person")
    await talk.tap(told.quick_replies[0])
    service = HandoffService(talk.settings, talk.database, talk.redis)
    state = await talk.state()
    taken = await service.claim(state.id, Agent("asha", "Asha"), key="k" * 16)
    await service.reply(taken.id, Agent("asha", "Asha"), "Here is your answer.", key="r" * 16)
    while await talk.recorder.step():
        pass
    said = talk.database.call(
        lambda c: (
            c.execute(
                sa.select(messages.c.text).where(messages.c.author.in_(("agent", "automatic")))
            )
            .scalars()
            .all()
        )
    )
    assert said == ["Here is your answer."]


@pytest.mark.parametrize("how", ["transferred", "to a team", "agent gone"])
async def test_a_message_that_is_passed_on_stays_one_and_nobody_is_told(
    talk: Talk, how: str
) -> None:
    *_, told = await talk.say("talk to a person")
    await talk.tap(told.quick_replies[0])
    before = await talk.state()
    asha = Agent("asha", "Asha")
    service = HandoffService(talk.settings, talk.database, talk.redis)
    await service.claim(before.id, asha, key="k" * 16)
    if how == "transferred":
        await service.requeue(before.id, asha, note="", key="t" * 16)
    elif how == "to a team":
        await service.transfer(before.id, asha, to_team=EVERYONE, key="t" * 16)
    else:
        closer = ConversationCloser(talk.settings, talk.database, talk.redis)
        for at in (CLOCK, CLOCK + talk.settings.agent_gone_s + 1):
            await closer.step(at)
    while await talk.recorder.step():
        pass
    after = await talk.state()
    assert (after.state, after.callback_at) == (State.WAITING, before.callback_at)
    query = sa.select(messages.c.text).where(messages.c.author == "automatic")
    assert talk.database.call(lambda c: c.execute(query).scalars().all()) == []


async def _late(talk: Talk, **settings: Any) -> tuple[int, list[dict[str, Any]]]:
    """Sweep; return how many changed, and the automatic messages since."""
    closer = ConversationCloser(replace(talk.settings, **settings), talk.database, talk.redis)
    changed = await closer.step(CLOCK)
    while await talk.recorder.step():
        pass
    rows = talk.database.call(
        lambda c: (
            c.execute(sa.select(messages).where(messages.c.author == "automatic")).mappings().all()
        )
    )
    return changed, [dict(row) for row in rows]


async def test_a_long_wait_is_apologised_for_once_and_may_become_a_message(talk: Talk) -> None:
    await presence.mark_online(talk.redis, "asha")
    await talk.say("talk to a person")
    await _waits_since(talk, 700)
    changed, told = await _late(talk)
    assert changed == 1
    assert [row["text"] for row in told] == [talk.texts.render("utter_late", "en", place=1)]
    assert await _late(talk) == (0, told), "once"
    assert len(await talk.recorded("handoff.delayed")) == 1
    (left,) = await talk.tap(told[0]["quick_replies"][0]["id"])
    assert left.utter == "utter_left"


async def test_the_apology_says_when_people_are_back(talk: Talk) -> None:
    await talk.say("talk to a person")
    await _waits_since(talk, 700)
    _calendar(talk, {TODAY: parse_spans("00:00-00:59"), TODAY + DAY: parse_spans("09:00-17:00")})
    _, (told,) = await _late(talk)
    assert "back tomorrow at 09:00 (UTC)" in told["text"]


async def test_who_came_to_a_closed_team_is_not_told_twice(talk: Talk) -> None:
    _calendar(talk, {TODAY + DAY: parse_spans("09:00-17:00")})
    await talk.say("talk to a person")
    await _waits_since(talk, 7000)
    assert await _late(talk) == (0, [])
    _calendar(talk, {TODAY - DAY: parse_spans("09:00-24:00")})
    assert (await _late(talk))[0] == 1, "who waited when it closed is told"


@pytest.mark.parametrize(("waited_s", "limit_s"), [(500, 600), (5000, 0)])
async def test_a_short_wait_or_no_limit_needs_no_apology(
    talk: Talk, waited_s: float, limit_s: int
) -> None:
    await talk.say("talk to a person")
    await _waits_since(talk, waited_s)
    assert await _late(talk, wait_apology_s=limit_s) == (0, [])


async def test_a_message_is_kept_for_its_own_time(talk: Talk) -> None:
    *_, told = await talk.say("talk to a person")
    await talk.tap(told.quick_replies[0])
    state = await talk.state()
    for age, then in ((2 * 86400, State.WAITING), (8 * 86400, State.CLOSED)):
        talk.database.call(
            lambda c, a=age: c.execute(
                sa.update(conversations)
                .where(conversations.c.id == state.id)
                .values(last_message_at=CLOCK - a)
            )
        )
        await _late(talk)
        assert (await talk.state()).state == then


async def test_an_address_with_many_waiting_chats_leaves_messages(talk: Talk) -> None:
    key = redis_keys.limit("handoffs-address", "office", int(builders.NOW) // WINDOW_S)
    others = [f"chat-{number}" for number in range(talk.settings.handoffs_per_address)]
    await talk.redis.sadd(key, *others)
    *_, elsewhere = await talk.say("talk to a person", user="ben", origin="home")
    assert elsewhere.utter.startswith("utter_handoff")
    *_, told = await talk.say("my card is lost", origin="office")
    assert told.utter == "utter_left"
    counted = await talk.redis.smembers(key)
    assert len(counted) == len(others) + 1
    assert told.conversation not in counted, "an erased conversation is named nowhere"
    assert [q.action for q in told.quick_replies] == ["cancel"]
    state = await talk.state()
    assert (state.state, bool(state.callback_at), state.priority) == (State.WAITING, True, 0)
    assert len(await talk.recorded("handoff.left")) == 1
    assert len(await talk.recorded("handoff.requested")) >= 1
