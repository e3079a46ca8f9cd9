"""Claim, reply, return, resolve, transfer, snooze: from the page's requests to SQL and Redis."""

import asyncio
import time

import desk_seed as seed
import pytest
import sqlalchemy as sa
from desk_world import Desk

from bot.conversation import store
from bot.conversation.states import State
from bot.desk import app_keys, tables
from bot.errors import BadRequest, TransitionRefused
from bot.handoff import snooze
from bot.stores import redis_keys


def waiting(desk: Desk, **values: object) -> None:
    def rows(connection: sa.Connection) -> None:
        seed.conversation(connection, "webchat-1", state="waiting", **values)
        seed.message(connection, "webchat-1", "hello?")

    desk.database.call(rows)


def assigned(desk: Desk, login: str = "asha") -> None:
    waiting(desk)
    desk.database.call(
        lambda c: c.execute(
            sa.update(store.conversations).values(state="assigned", owner=f"u-{login}")
        )
    )


def state(desk: Desk) -> State:
    found = desk.database.call(lambda c: store.get(c, "webchat-1"))
    assert found is not None
    return found.state


async def outbox(desk: Desk) -> int:
    shard = redis_keys.shard_of("webchat-1", desk.settings.shards)
    return await desk.redis.xlen(redis_keys.outbox(shard))


async def test_of_two_claims_one_wins_and_the_other_is_told(desk: Desk) -> None:
    waiting(desk)
    asha, ravi = await desk.browser("asha"), await desk.browser("ravi")
    answers = await asyncio.gather(
        asha.act("/conversations/webchat-1/claim", key="a" * 16),
        ravi.act("/conversations/webchat-1/claim", key="r" * 16),
    )
    assert sorted(status for status, _ in answers) == [200, 409]
    refusal = next(answer for status, answer in answers if status == 409)
    assert refusal["code"] == "too-late"
    assert state(desk) == State.ASSIGNED


async def test_a_double_click_acts_once(desk: Desk) -> None:
    waiting(desk)
    asha = await desk.browser()
    for _ in range(2):
        status, _ = await asha.act("/conversations/webchat-1/claim", key="same-key-1")
        assert status == 200
    notices = await outbox(desk)
    for _ in range(2):
        status, _ = await asha.act("/conversations/webchat-1/reply", key="same-key-2", text="Hi")
        assert status == 200
    assert await outbox(desk) == notices + 1


async def test_only_the_owner_replies(desk: Desk) -> None:
    assigned(desk)
    ravi = await desk.browser("ravi")
    status, answer = await ravi.act("/conversations/webchat-1/reply", text="me too")
    assert (status, answer["code"]) == (409, "too-late")
    assert await outbox(desk) == 0


async def test_a_reply_is_held_back_when_the_customer_wrote_meanwhile(desk: Desk) -> None:
    assigned(desk)
    asha = await desk.browser()
    desk.database.call(lambda c: seed.message(c, "webchat-1", "wait, forget it"))
    path = "/conversations/webchat-1/reply"
    status, answer = await asha.act(path, text="Sure", last="m00000")
    assert (status, answer["code"]) == (409, "thread-changed")
    assert await outbox(desk) == 0
    assert (await asha.act(path, text="Sure", last="m00001"))[0] == 200
    assert (await asha.act(path, text="Sure", key="anyway-1"))[0] == 200
    assert await outbox(desk) == 2


@pytest.mark.parametrize("text", ["", "   ", "x" * 4001])
async def test_empty_and_endless_replies_are_refused(desk: Desk, text: str) -> None:
    assigned(desk)
    asha = await desk.browser()
    status, _ = await asha.act("/conversations/webchat-1/reply", text=text)
    assert status == 400
    assert await outbox(desk) == 0


async def test_return_gives_it_to_the_bot(desk: Desk) -> None:
    assigned(desk)
    asha = await desk.browser()
    assert (await asha.act("/conversations/webchat-1/return"))[0] == 200
    assert state(desk) == State.BOT
    assert await outbox(desk) == 1


async def test_resolve_needs_topic_and_outcome_we_know(desk: Desk) -> None:
    assigned(desk)
    asha = await desk.browser()
    path = "/conversations/webchat-1/resolve"
    assert (await asha.act(path, topic="weather", outcome="solved"))[0] == 400
    assert (await asha.act(path, topic="refunds", outcome="great"))[0] == 400
    assert state(desk) == State.ASSIGNED
    assert (await asha.act(path, topic="refunds", outcome="solved"))[0] == 200
    assert state(desk) == State.RESOLVED


async def test_transfer_leaves_a_note_for_the_next_agent(desk: Desk) -> None:
    assigned(desk)
    asha, ravi = await desk.browser(), await desk.browser("ravi")
    await asha.act("/conversations/webchat-1/transfer", note="needs a Thai speaker")
    assert state(desk) == State.WAITING
    assert "needs a Thai speaker" in await ravi.text("/inbox/waiting/webchat-1")


async def test_notes_never_leave_the_house(desk: Desk) -> None:
    assigned(desk)
    ravi = await desk.browser("ravi")
    for _ in range(2):
        assert (await ravi.act("/conversations/webchat-1/note", text="call back"))[0] == 200
    stored = desk.database.call(lambda c: c.execute(sa.select(tables.notes)).all())
    assert len(stored) == 1
    assert await outbox(desk) == 0


async def test_labels_are_spelled_one_way(desk: Desk) -> None:
    waiting(desk)
    asha = await desk.browser()
    path = "/conversations/webchat-1/labels"
    for spelling in ("Late Delivery", "late-delivery ", "#LATE_delivery"):
        assert (await asha.act(path, label=spelling))[0] == 200
    assert (await asha.act(path, label="\u202e"))[0] == 400
    assert (await asha.act(path, label="ส่งช้า"))[0] == 200
    html = await asha.text("/inbox/waiting")
    assert 'data-labels="late-delivery ส่งช้า"' in html
    assert (await asha.act(path, label="late-delivery", remove="1"))[0] == 200
    assert "late-delivery" not in await asha.text("/inbox/waiting")


async def test_snoozed_wakes_when_due_and_not_before(desk: Desk) -> None:
    assigned(desk)
    asha = await desk.browser()
    until = time.time() + 600
    status, _ = await asha.act("/conversations/webchat-1/snooze", until=str(until))
    assert status == 200
    assert state(desk) == State.SNOOZED
    snoozer = desk.server.app[app_keys.SNOOZER]
    assert await snoozer.wake_due(until - 1) == 0
    assert await snoozer.wake_due(until + 1) == 1
    assert state(desk) == State.ASSIGNED
    assert await snoozer.wake_due(until + 2) == 0


async def test_what_has_ended_is_not_woken(desk: Desk) -> None:
    assigned(desk)
    asha = await desk.browser()
    await asha.act("/conversations/webchat-1/resolve", topic="other", outcome="solved")
    assert state(desk) == State.RESOLVED
    with pytest.raises(TransitionRefused):
        await desk.server.app[app_keys.SNOOZER].wake("webchat-1", "u-asha", key="late-undo")
    assert state(desk) == State.RESOLVED


async def test_snoozed_wakes_when_the_customer_writes(desk: Desk) -> None:
    assigned(desk)
    asha = await desk.browser()
    await asha.act("/conversations/webchat-1/snooze", until=str(time.time() + 600))
    desk.database.call(
        lambda c: seed.message(c, "webchat-1", "any news?", created_at=time.time() + 1)
    )
    assert await desk.server.app[app_keys.SNOOZER].wake_due(time.time()) == 1
    assert state(desk) == State.ASSIGNED


@pytest.mark.parametrize("until", ["", "soon", "nan", "-1", "0", "1e99", "inf"])
def test_snooze_takes_only_a_time_within_a_year(until: str) -> None:
    with pytest.raises(BadRequest):
        snooze.parse_until(until, now=1000.0)


async def test_canned_replies_are_kept_by_admins(desk: Desk) -> None:
    agent, admin = await desk.browser(), await desk.browser("boss")
    assert (await agent.act("/canned", shortcut="hi", text="Hello"))[0] == 403
    assert (await admin.act("/canned", shortcut="/Hi", text="Hello {customer}"))[0] == 200
    assert (await admin.act("/canned", shortcut="hi", text="Hello, {customer}"))[0] == 200
    assert (await admin.act("/canned", shortcut="a b", text="x"))[0] == 400
    response = await agent.client.get("/canned.json")
    assert await response.json() == [{"shortcut": "hi", "text": "Hello, {customer}"}]


@pytest.mark.parametrize("action", ["claim", "reply", "return", "note", "transfer", "wake"])
async def test_an_unknown_conversation_is_a_clear_error(desk: Desk, action: str) -> None:
    asha = await desk.browser()
    status, answer = await asha.act(f"/conversations/nowhere/{action}", text="x", note="x")
    assert status == 404
    assert answer["code"] == "unknown-conversation"


async def test_actions_need_a_key_of_ours(desk: Desk) -> None:
    waiting(desk)
    asha = await desk.browser()
    for key in ("", "short", "x" * 49, "a b c d e f g h", "ключ-ключ-ключ"):
        status, answer = await asha.act("/conversations/webchat-1/claim", key=key)
        assert (status, answer["code"]) == (400, "bad-key")
    assert state(desk) == State.WAITING
