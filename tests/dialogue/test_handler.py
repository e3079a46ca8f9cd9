"""A message's way through the engine: answered, asked back, handed off; not lost, not silent."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import builders
import pytest
import sqlalchemy as sa
from talk import Talk

from bot.conversation import store
from bot.conversation.states import State
from bot.dialogue import handler as handler_module
from bot.dialogue.store import WINDOW
from bot.errors import LeaseLost, StoreUnavailable
from bot.handoff.service import Agent, HandoffService
from bot.stores import redis_keys
from bot.stores.redis_client import connect
from bot.stores.tables import dead_letters, messages
from bot.streams.messages import Outbound
from bot.streams.ticket import Ticket

pytestmark = pytest.mark.model
ASHA = Agent("asha", "Asha")


def _utters(replies: list[Outbound]) -> list[str]:
    return [reply.utter for reply in replies]


# — answering —


async def test_the_first_answer_of_an_episode_is_introduced_the_next_is_not(talk: Talk) -> None:
    intro, answer = await talk.say("where is my order")
    assert intro.text == talk.texts.render("utter_bot_intro", "en", business="Mela")
    assert (answer.text, answer.entry, answer.content_version) == (
        "It is on its way.",
        "order-status",
        7,
    )
    titles = [q.title for q in answer.quick_replies]
    assert titles == ["Refund time", "Talk to a person", "Yes, that helped", "No, it didn't"]
    (second,) = await talk.say("when is my refund")
    assert second.text == "Five days."
    assert len(await talk.recorded("answer.sent")) == 2


async def test_the_answer_is_in_the_customers_language(talk: Talk) -> None:
    _, answer = await talk.say("मेरा ऑर्डर अभी तक क्यों नहीं आया है?")
    assert (answer.text, answer.language) == ("रास्ते में है।", "hi")
    assert answer.quick_replies[0].title == "रिफ़ंड कब"
    assert (await talk.state()).language == "hi"
    (again,) = await talk.say("ok")
    assert again.language == "hi", "a short word does not flip the language"


async def test_opening_the_chat_is_greeted_and_leaves_no_message(talk: Talk) -> None:
    replies = await talk.say(kind="start")
    assert _utters(replies) == ["utter_bot_intro", "utter_greet"]
    await talk.recorded()
    rows = talk.database.call(lambda c: c.execute(sa.select(messages.c.author)).scalars().all())
    assert set(rows) == {"bot"}


@pytest.mark.parametrize(
    "text",
    [
        "/restart",
        "/back",
        "/session_start",
        '/faq{"a":1}',
        "/greet",
        "/order-status",
        "/undo",
        "EXTERNAL: x",
        "/handoff",
    ],
)
async def test_what_rasa_would_interpret_is_plain_text(talk: Talk, text: str) -> None:
    await talk.say("where is my order")
    (reply,) = await talk.say(text)
    assert reply.utter == "utter_clarify"
    kinds = {event["event"] for event in (await talk.tracker())["events"]}
    assert kinds <= {"action", "user", "user_featurization", "bot", "session_started"}
    assert (await talk.state()).state == State.BOT
    await talk.recorded()
    kept = talk.database.call(
        lambda c: (
            c.execute(sa.select(messages.c.text).where(messages.c.author == "customer"))
            .scalars()
            .all()
        )
    )
    assert text in kept


async def test_a_long_conversation_costs_what_a_short_one_does(talk: Talk) -> None:
    for _ in range(25):
        await talk.say("where is my order")
        await talk.say("when is my refund")
    tracker = await talk.tracker()
    assert len(tracker["events"]) <= max(WINDOW, 20)
    assert tracker["slots"]["language"] == "en"
    assert len(tracker["context"]["shown"]) <= 24


async def test_starting_over_forgets_what_was_said(talk: Talk) -> None:
    await talk.say("where is my order")
    (reply,) = await talk.say("start over")
    assert reply.utter == "utter_restart"
    tracker = await talk.tracker()
    assert tracker.get("events", []) == []
    assert tracker["context"]["shown"] == []
    assert _utters(await talk.say("hello")) == ["utter_greet"], (
        "and introduces itself no second time"
    )


# — asking back and handing off —


async def test_a_close_call_is_asked_back_with_the_candidates(talk: Talk) -> None:
    _, reply = await talk.say("order or refund")
    assert reply.utter == "utter_clarify"
    assert [q.title for q in reply.quick_replies] == [
        "Order status",
        "Refund time",
        "Talk to a person",
    ]
    (answer,) = await talk.tap(reply.quick_replies[1])
    assert answer.text == "Five days."
    (asked,) = await talk.recorded("clarification.asked")
    assert asked["data"] == {"cause": "narrow-margin"}


async def test_the_second_failure_in_a_row_hands_off(talk: Talk) -> None:
    await talk.say("what is the meaning of life")
    (reply,) = await talk.say("and of death")
    assert reply.utter == "utter_handoff_nobody"
    state = await talk.state()
    assert (state.state, state.cause) == (State.WAITING, "repeated-fallback")
    assert state.cause_detail is not None
    assert state.cause_detail["failures"] == 1
    assert state.cause_detail["thresholds"]["failures"] == 2


async def test_an_answer_in_between_starts_the_count_again(talk: Talk) -> None:
    for text in ("gibberish", "where is my order", "more gibberish"):
        await talk.say(text)
    assert (await talk.state()).state == State.BOT


@pytest.mark.parametrize(
    ("text", "cause", "priority"),
    [
        ("talk to a person", "asked", 0),
        ("person", "asked", 0),
        ("this is a disgrace", "negative-sentiment", 1),
        ("my card is lost", "policy", 2),
    ],
)
async def test_a_handoff_has_its_cause_priority_and_numbers(
    talk: Talk, text: str, cause: str, priority: int
) -> None:
    replies = await talk.say(text)
    assert replies[-1].utter.startswith("utter_handoff")
    assert [q.action for q in replies[-1].quick_replies] == ["leave", "cancel"]
    state = await talk.state()
    assert (state.state, state.cause, state.priority) == (State.WAITING, cause, priority)
    (requested,) = await talk.recorded("handoff.requested")
    assert requested["data"]["cause"] == cause
    assert requested["data"]["thresholds"]["margin"] == talk.settings.thresholds.margin
    assert ("Block it at once." in [r.text for r in replies]) == (cause == "policy")


async def test_two_questions_are_both_answered_with_the_buttons_of_the_last(talk: Talk) -> None:
    _, first, second = await talk.say("where is my order? when is my refund?")
    assert [first.entry, second.entry] == ["order-status", "refund-time"]
    assert (first.quick_replies, bool(second.quick_replies)) == ((), True)


@pytest.mark.parametrize(
    "text", ["where is my order? my card is lost", "my card is lost. where is my order?"]
)
async def test_a_question_that_needs_a_person_gets_one_wherever_it_stands(
    talk: Talk, text: str
) -> None:
    replies = await talk.say(text)
    assert [r.entry for r in replies] == ["", "order-status", "lost-card", ""]
    assert replies[1].quick_replies == ()
    assert replies[-1].utter == "utter_handoff_nobody"
    state = await talk.state()
    assert (state.state, state.cause, state.priority) == (State.WAITING, "policy", 2)
    assert state.cause_detail is not None
    assert state.cause_detail["entry"] == "lost-card"
    (sent,) = await talk.recorded("answer.sent")
    assert sent["data"]["entry"] == "order-status"


async def test_a_second_question_whose_entry_has_gone_summons_nobody(talk: Talk) -> None:
    talk.without("lost-card")
    replies = await talk.say("where is my order? my card is lost")
    assert [r.entry for r in replies] == ["", "order-status"]
    assert (await talk.state()).state == State.BOT


async def test_waiting_customers_hear_at_most_one_notice_in_two_minutes(talk: Talk) -> None:
    await talk.say("talk to a person")
    assert await talk.say("hello?", after_s=10) == []
    assert await talk.say("still there?", after_s=109) == []
    (notice,) = await talk.say("anyone?", after_s=2)
    assert notice.utter == "utter_waiting_nobody"
    assert await talk.say("hm", after_s=100) == []
    assert len(await talk.recorded("message.received")) == 5, "but nothing they write is lost"


@pytest.mark.parametrize("way", ["typed", "tapped"])
async def test_cancel_gives_the_conversation_back_and_the_bot_says_what_it_is(
    talk: Talk, way: str
) -> None:
    *_, notice = await talk.say("talk to a person")
    replies = await (talk.say("cancel") if way == "typed" else talk.tap(notice.quick_replies[-1]))
    assert _utters(replies) == ["utter_bot_intro", "utter_cancelled"]
    state = await talk.state()
    assert (state.state, state.cause) == (State.BOT, None)
    assert len(await talk.recorded("handoff.cancelled")) == 1
    assert (await talk.say("where is my order"))[-1].text == "It is on its way."


# — quick replies —


@pytest.mark.parametrize(("action", "helped"), [("helped", True), ("not-helped", False)])
async def test_did_that_help_is_recorded_for_the_answer_it_was_asked_about(
    talk: Talk, action: str, helped: bool
) -> None:
    _, answer = await talk.say("where is my order")
    button = next(q for q in answer.quick_replies if q.action == action)
    (reply,) = await talk.tap(button)
    assert reply.utter == ("utter_helped" if helped else "utter_not_helped")
    (rated,) = await talk.recorded("answer.rated")
    assert rated["data"] == {"entry": "order-status", "version": 7, "helped": helped}
    (tapped,) = await talk.recorded("quick-reply.tapped")
    assert (tapped["data"]["action"], tapped["data"]["typed"]) == (action, False)


@pytest.mark.parametrize(("text", "helped"), [("yes", True), ("no", False)])
async def test_yes_and_no_rate_while_the_question_is_open(
    talk: Talk, text: str, helped: bool
) -> None:
    await talk.say("where is my order")
    await talk.say(text)
    await talk.say(text)
    (rated,) = await talk.recorded("answer.rated")
    assert rated["data"]["helped"] is helped


async def test_a_title_typed_is_a_tap(talk: Talk) -> None:
    await talk.say("where is my order")
    (answer,) = await talk.say("refund time?")
    assert answer.text == "Five days."
    (tapped,) = await talk.recorded("quick-reply.tapped")
    assert (tapped["data"]["entry"], tapped["data"]["typed"]) == ("refund-time", True)


async def test_an_old_button_is_found_in_the_messages(talk: Talk) -> None:
    _, answer = await talk.say("where is my order")
    for _ in range(13):
        await talk.say("when is my refund")
    await talk.recorded()
    assert answer.quick_replies[0].id not in str((await talk.tracker())["context"])
    (reply,) = await talk.tap(answer.quick_replies[0])
    assert reply.text == "Five days."


@pytest.mark.parametrize("whose", ["forged", "another customer's"])
async def test_a_button_that_is_not_theirs_is_asked_back_and_gives_nothing_away(
    talk: Talk, whose: str
) -> None:
    _, answer = await talk.say("where is my order", user="bob")
    await talk.recorded()
    button = answer.quick_replies[0].id if whose != "forged" else "f" * 16
    _, reply = await talk.tap(button)
    assert reply.utter == "utter_clarify"
    assert reply.entry == ""
    (refused,) = await talk.recorded("message.refused")
    assert refused["data"] == {"reason": "unknown-quick-reply"}


async def test_a_button_of_an_entry_that_has_gone_is_asked_back(talk: Talk) -> None:
    _, answer = await talk.say("where is my order")
    talk.without("refund-time")
    (reply,) = await talk.tap(answer.quick_replies[0])
    assert reply.utter == "utter_clarify"


# — languages asked for by name —


async def test_a_language_asked_for_is_spoken_from_then_on(talk: Talk) -> None:
    _, changed = await talk.say("please speak Hindi")
    assert (changed.utter, changed.language) == ("utter_language_changed", "hi")
    (answer,) = await talk.say("where is my order")
    assert answer.text == "रास्ते में है।"


@pytest.mark.parametrize("text", ["change language", "another language please"])
async def test_who_names_no_language_is_asked_which(talk: Talk, text: str) -> None:
    *_, asked = await talk.say(text)
    assert asked.utter == "utter_which_language"
    assert "{" not in asked.text
    assert asked.language == "en"
    hindi = next(reply for reply in asked.quick_replies if reply.action == "language:hi")
    assert "language:en" not in [reply.action for reply in asked.quick_replies]
    (changed,) = await talk.tap(hindi)
    assert (changed.utter, changed.language) == ("utter_language_changed", "hi")


async def test_a_language_we_cannot_answer_in_is_told(talk: Talk) -> None:
    _, reply = await talk.say("please speak Japanese")
    assert (reply.utter, reply.language) == ("utter_language_unsupported", "en")


async def test_a_refused_language_is_told_in_the_one_spoken_and_leaves_it(talk: Talk) -> None:
    await talk.say("मेरा ऑर्डर अभी तक क्यों नहीं आया है")
    (refused,) = await talk.say("क्या आप फ्रेंच बोलते हैं")
    assert (refused.utter, refused.language) == ("utter_language_unsupported", "hi")
    (answer,) = await talk.say("मेरा ऑर्डर अभी तक क्यों नहीं आया है")
    assert (answer.text, answer.language) == ("रास्ते में है।", "hi")


@pytest.mark.parametrize(
    "text",
    [
        "i want to talk to someone in Hindi",
        "mujhe hindi me agent se baat karni hai",
        "talk to a person in Hindi",
    ],
)
async def test_who_asks_for_a_person_in_a_language_gets_both(talk: Talk, text: str) -> None:
    replies = await talk.say(text)
    assert (replies[-1].utter, replies[-1].language) == ("utter_handoff_nobody", "hi")
    state = await talk.state()
    assert (state.state, state.cause, state.language) == (State.WAITING, "asked", "hi")


async def test_a_person_is_one_tap_away_from_a_change_of_language(talk: Talk) -> None:
    _, changed = await talk.say("does anyone speak Hindi?")
    assert changed.utter == "utter_language_changed"
    assert [q.action for q in changed.quick_replies] == ["person"]


# — when things break —


async def test_an_engine_that_raises_is_an_apology_and_a_handoff_not_silence(
    talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def raises(*_: Any) -> None:
        raise RuntimeError("Rasa is unwell")

    monkeypatch.setattr(talk.engine, "handle_message", raises)
    replies = await talk.say("where is my order")
    assert _utters(replies) == ["utter_bot_intro", "utter_apology", "utter_handoff_nobody"]
    state = await talk.state()
    assert (state.state, state.cause, state.priority) == (State.WAITING, "bot-failure", 1)


async def test_an_engine_that_says_nothing_is_an_apology(
    talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def silent(*_: Any) -> None:
        return None

    monkeypatch.setattr(talk.engine, "handle_message", silent)
    assert "utter_apology" in _utters(await talk.say("where is my order"))


async def test_an_answer_that_cannot_be_made_is_an_apology(
    talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def raises(*_: Any) -> None:
        raise KeyError("no such text")

    monkeypatch.setattr("bot.content.models.Entry.answer", raises)
    assert "utter_apology" in _utters(await talk.say("where is my order"))
    assert (await talk.state()).cause == "bot-failure"


async def test_an_understanding_that_raises_is_an_apology(talk: Talk) -> None:
    talk.understander.broken = True
    assert "utter_apology" in _utters(await talk.say("where is my order"))
    reasons = [event["data"]["reason"] for event in await talk.recorded("turn.failed")]
    assert sorted(reasons) == ["no-output", "understanding"]


async def test_a_message_that_keeps_failing_becomes_a_dead_letter_with_an_apology(
    talk: Talk,
) -> None:
    message = talk.message("where is my order")
    ticket = await talk.arrive(message)
    attempts = redis_keys.attempts(ticket.shard)
    await talk.redis.hset(attempts, ticket.row, str(talk.settings.attempts))
    await talk.handler.handle(message, ticket)
    assert "utter_apology" in _utters(await talk.replies(message))
    await talk.recorded()
    letter = talk.database.call(lambda c: c.execute(sa.select(dead_letters)).one())
    assert (letter.id, letter.direction, letter.error) == (message.id, "in", "failed 3 times")
    assert letter.body == message.to_dict()
    assert await talk.redis.xlen(redis_keys.inbox(ticket.shard)) == 0


async def test_a_dead_redis_raises_instead_of_answering(talk: Talk) -> None:
    away = connect(replace(talk.settings, redis_url="unix:///nonexistent/valkey.sock"))
    with pytest.raises(StoreUnavailable):
        await talk.handler_on(away).handle(talk.message("hello"), Ticket(0, "1-1", "e|1"))
    await away.aclose()


async def test_a_database_that_is_away_leaves_the_message_where_it_is(
    talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await talk.say("hello")
    message = talk.message("talk to a person")
    ticket = await talk.arrive(message)

    async def away(*_: Any) -> None:
        raise StoreUnavailable("database", "locked")

    with monkeypatch.context() as patch:
        patch.setattr(talk.database, "run", away)
        with pytest.raises(StoreUnavailable):
            await talk.handler.handle(message, ticket)
    assert await talk.redis.xlen(redis_keys.inbox(ticket.shard)) == 1
    assert await talk.replies(message) == []
    await talk.handler.handle(message, ticket)
    assert (await talk.state()).cause == "asked"


# — repeats and changes of owner —


async def test_a_message_handled_twice_is_answered_once(talk: Talk) -> None:
    message = talk.message("where is my order")
    ticket = await talk.arrive(message)
    await talk.handler.handle(message, ticket)
    await talk.handler.handle(message, ticket)
    assert len(await talk.replies(message)) == 2
    assert len(await talk.recorded("answer.sent")) == 1


async def test_a_turn_whose_commit_was_not_heard_of_changes_nothing_again(talk: Talk) -> None:
    """Once more would be the second failure in a row, and a handoff in SQL alone."""
    message = talk.message("what is the meaning of life")
    ticket = await talk.arrive(message)
    await talk.handler.handle(message, ticket)
    before, said = await talk.state(), await talk.replies(message)
    assert (before.state, len(said) > 0) == (State.BOT, True)
    await talk.handler.handle(message, ticket)
    assert await talk.state() == before
    assert await talk.replies(message) == said


@pytest.mark.parametrize("text", ["talk to a person", "cancel"])
async def test_a_turn_that_died_between_sql_and_commit_ends_as_if_it_had_not(
    talk: Talk, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await talk.say("hello")
    if text == "cancel":
        await talk.say("talk to a person")
    before = await talk.state()
    message = talk.message(text)
    ticket = await talk.arrive(message)

    async def dies(*_: Any) -> bool:
        raise RuntimeError("SIGKILL")

    with monkeypatch.context() as patch:
        patch.setattr(handler_module, "commit", dies)
        with pytest.raises(RuntimeError):
            await talk.handler.handle(message, ticket)
    assert (await talk.state()).version == before.version + 1, "SQL has it already"
    async with asyncio.timeout(60):
        await talk.handler.handle(message, ticket)
    after = await talk.state()
    assert after.version == before.version + 1
    kind, utter, state = {
        "talk to a person": ("handoff.requested", "utter_handoff_nobody", State.WAITING),
        "cancel": ("handoff.cancelled", "utter_cancelled", State.BOT),
    }[text]
    assert after.state == state
    assert (await talk.replies(message))[-1].utter == utter
    assert len(await talk.recorded(kind)) == 1


async def test_a_lease_lost_in_the_turn_sends_nothing(talk: Talk) -> None:
    message = talk.message("where is my order")
    ticket = await talk.arrive(message)
    await talk.redis.set(redis_keys.lease(ticket.shard, "engine"), "engine-1|2")
    with pytest.raises(LeaseLost):
        await talk.handler.handle(message, ticket)
    assert await talk.replies(message) == []


@pytest.mark.parametrize("text", ["where is my order", "person"])
async def test_an_agent_who_claims_while_the_bot_thinks_silences_it(talk: Talk, text: str) -> None:
    """The bot never talks over a human, whether it was about to answer or to hand off."""
    await talk.say("hello")
    service = HandoffService(talk.settings, talk.database, talk.redis)
    name = builders.inbound().conversation
    loop = asyncio.get_running_loop()
    claimed: list[Any] = []

    def claim() -> None:
        talk.understander.meanwhile = None
        made = asyncio.run_coroutine_threadsafe(service.claim(name, ASHA, key="k" * 16), loop)
        claimed.append(made.result(10))

    talk.understander.meanwhile = claim
    async with asyncio.timeout(60):
        assert await talk.say(text) == []
    state = await talk.state()
    assert (state.state, state.owner) == (State.ASSIGNED, "asha")
    assert claimed


async def test_an_agents_conversation_is_read_but_not_answered(talk: Talk) -> None:
    await talk.say("hello")
    service = HandoffService(talk.settings, talk.database, talk.redis)
    name = builders.inbound().conversation
    await service.claim(name, ASHA, key="k" * 16)
    message = talk.message("where is my order", awaited=True)
    ticket = await talk.arrive(message)
    await talk.handler.handle(message, ticket)
    assert await talk.replies(message) == []
    waiting = await talk.redis.xrange(redis_keys.replies(ticket.shard))
    told = [json.loads(fields["body"]) for _, fields in waiting][-1]
    assert told == {"in_reply_to": message.id, "conversation": name}, "who waits is told: nothing"
    await talk.recorded()
    row = talk.database.call(
        lambda c: c.execute(sa.select(messages).where(messages.c.id == message.id)).one()
    )
    assert (row.text, row.reading["intent"]) == ("where is my order", "faq/order-status")
    await service.give_back(name, ASHA, key="l" * 16)
    replies = await talk.say("where is my order")
    assert _utters(replies)[0] == "utter_bot_intro", "back from a human, it says again what it is"
    assert replies[-1].text == "It is on its way."


async def test_a_message_beyond_the_allowance_is_kept_for_people_and_not_answered(
    talk: Talk,
) -> None:
    await talk.say("hello")
    message = talk.message("talk to a person", excess=True)
    await talk.handler.handle(message, await talk.arrive(message))
    assert await talk.replies(message) == []
    assert (await talk.state()).state == State.BOT
    row = talk.database.call(
        lambda c: c.execute(sa.select(messages).where(messages.c.id == message.id)).one()
    )
    assert (row.text, row.reading) == ("talk to a person", None)
    assert (await talk.say("where is my order"))[-1].text == "It is on its way."


async def test_a_message_wakes_a_snoozed_conversation(talk: Talk) -> None:
    snoozed = builders.brought_to(talk.database, State.SNOOZED, owner="asha")
    assert await talk.say("hello again") == []
    state = await talk.state()
    assert (state.state, state.owner, state.version) == (
        State.ASSIGNED,
        "asha",
        snoozed.version + 1,
    )


@pytest.mark.parametrize("ended", [State.RESOLVED, State.CLOSED])
async def test_after_the_end_a_new_episode_begins_with_an_introduction(
    talk: Talk, ended: State
) -> None:
    before = builders.brought_to(talk.database, ended)
    replies = await talk.say("where is my order")
    assert _utters(replies)[0] == "utter_bot_intro"
    state = await talk.state()
    assert (state.state, state.owner) == (State.BOT, None)
    assert state.episode_id != before.episode_id


async def test_the_copy_in_redis_may_be_lost_at_any_time(talk: Talk) -> None:
    await talk.say("मेरा ऑर्डर अभी तक क्यों नहीं आया है?")
    await talk.say("person")
    await talk.recorded()
    await talk.redis.flushdb()
    await talk.prepare()
    assert await talk.say("hello", after_s=10) == [], "still waiting, and told a moment ago"
    state = talk.database.call(lambda c: store.get(c, builders.inbound().conversation))
    assert state is not None
    assert (state.state, state.language) == (State.WAITING, "hi")
