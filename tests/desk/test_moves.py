"""Reopening, priority, snoozing until a reply, blocking, merging; and taking each back."""

import json
import time
from collections.abc import Mapping
from typing import Any

import desk_seed as seed
import pytest
import sqlalchemy as sa
from desk_world import Desk

from bot.conversation import store
from bot.conversation.states import State
from bot.conversation.store import Conversation
from bot.desk import app_keys, tables
from bot.housekeeping.erasure import find_customer
from bot.routing.queue import list_waiting
from bot.stores import redis_keys
from bot.stores.tables import conversations, customers, events
from bot.streams import addresses
from bot.streams.messages import Inbound

ONE = "/conversations/webchat-1"


def add(desk: Desk, ident: str = "webchat-1", **values: Any) -> None:
    desk.database.call(lambda c: seed.conversation(c, ident, **values))


def read(desk: Desk, ident: str = "webchat-1") -> Conversation:
    found = desk.database.call(lambda c: store.get(c, ident))
    assert found is not None
    return found


def told(desk: Desk, kind: str) -> list[Mapping[str, Any]]:
    rows = desk.database.call(
        lambda c: c.execute(sa.select(events.c.data).where(events.c.type == kind)).scalars().all()
    )
    return list(rows)


async def outbox(desk: Desk, ident: str = "webchat-1") -> int:
    shard = redis_keys.shard_of(ident, desk.settings.shards)
    return int(await desk.redis.xlen(redis_keys.outbox(shard)))


@pytest.mark.parametrize("ended", ["resolved", "closed"])
async def test_an_ended_episode_goes_on_with_whoever_reopens_it(desk: Desk, ended: str) -> None:
    add(desk, state=ended)
    asha = await desk.browser()
    for _ in range(2):
        assert (await asha.act(f"{ONE}/reopen", key="same-key-1"))[0] == 200
    found = read(desk)
    assert (found.state, found.owner, found.episode_id) == (State.ASSIGNED, "u-asha", "e-webchat-1")
    assert told(desk, "conversation.reopened") == [{"from": ended}]
    assert await outbox(desk) == 1, "the customer is told, once"


@pytest.mark.parametrize("state", ["bot", "waiting", "assigned", "snoozed"])
async def test_what_has_not_ended_is_not_reopened(desk: Desk, state: str) -> None:
    add(desk, state=state, owner="u-ravi" if state in {"assigned", "snoozed"} else None)
    asha = await desk.browser()
    assert (await asha.act(f"{ONE}/reopen"))[0] == 409
    assert read(desk).state.value == state


async def test_resolving_can_be_taken_back_as_the_answer_says(desk: Desk) -> None:
    add(desk, state="assigned", owner="u-asha")
    asha = await desk.browser()
    _, answer = await asha.act(f"{ONE}/resolve", topic="refunds", outcome="solved")
    undo = answer["undo"]
    assert isinstance(undo, dict)
    assert (await asha.act(f"{ONE}/{undo['action']}", key="undo-key-1", **undo["fields"]))[0] == 200
    assert read(desk).state == State.ASSIGNED


async def test_priority_moves_a_conversation_forward_and_back(desk: Desk) -> None:
    now = time.time()
    add(desk, "webchat-0", state="waiting", waiting_since=now - 500)
    add(desk, state="waiting", waiting_since=now - 5)
    asha = await desk.browser()
    _, answer = await asha.act(f"{ONE}/priority", priority="3")
    first = desk.database.call(lambda c: list_waiting(c)[0])
    assert first.id == "webchat-1"
    assert told(desk, "conversation.prioritised") == [{"priority": 3, "before": 0}]
    undo = answer["undo"]
    assert isinstance(undo, dict)
    await asha.act(f"{ONE}/{undo['action']}", key="undo-key-1", **undo["fields"])
    assert read(desk).priority == 0
    _, again = await asha.act(f"{ONE}/priority", key="same-key-2", priority="0")
    assert again["undo"] is None


@pytest.mark.parametrize("raw", ["", "4", "-1", "1.0", "٣", "high"])
async def test_other_priorities_are_refused(desk: Desk, raw: str) -> None:
    add(desk)
    asha = await desk.browser()
    assert (await asha.act(f"{ONE}/priority", priority=raw))[0] == 400
    assert read(desk).priority == 0


async def test_snoozed_until_a_reply_no_time_wakes_it(desk: Desk) -> None:
    add(desk, state="assigned", owner="u-asha")
    asha = await desk.browser()
    assert (await asha.act(f"{ONE}/snooze", until="reply"))[0] == 200
    snoozer = desk.server.app[app_keys.SNOOZER]
    assert await snoozer.wake_due(time.time() + 4e8) == 0
    assert read(desk).state == State.SNOOZED
    desk.database.call(lambda c: seed.message(c, "webchat-1", "hi", created_at=time.time() + 1))
    assert await snoozer.wake_due(time.time()) == 1
    assert read(desk).state == State.ASSIGNED


async def test_blocking_ends_and_silences_and_can_be_taken_back(desk: Desk) -> None:
    add(desk, state="assigned", owner="u-asha")
    asha = await desk.browser()
    status, answer = await asha.act(f"{ONE}/block")
    assert status == 200
    assert read(desk).blocked
    assert read(desk).state == State.RESOLVED
    assert await outbox(desk) == 0, "no word to them"
    assert (await asha.act(f"{ONE}/reopen"))[1]["code"] == "customer-blocked"
    undo = answer["undo"]
    assert isinstance(undo, dict)
    assert (await asha.act(f"{ONE}/{undo['action']}", key="undo-key-1"))[0] == 200
    assert not read(desk).blocked


async def test_blocking_reaches_all_channels_of_a_customer(desk: Desk) -> None:
    add(desk, state="waiting")
    add(desk, "telegram-1", state="assigned", owner="u-ravi")
    asha, ravi = await desk.browser(), await desk.browser("ravi")
    assert (await asha.act(f"{ONE}/merge", other="telegram-1"))[0] == 200
    assert (await asha.act(f"{ONE}/block", key="block-key"))[0] == 200
    assert read(desk).state == State.CLOSED
    other = read(desk, "telegram-1")
    assert other.blocked
    assert other.state == State.ASSIGNED, "Ravi's stays his"
    status, answer = await ravi.act("/conversations/telegram-1/reply", text="hello")
    assert (status, answer["code"]) == (409, "customer-blocked")
    assert await outbox(desk, "telegram-1") == 0


async def test_nobody_blocks_another_agents_customer(desk: Desk) -> None:
    add(desk, state="assigned", owner="u-ravi")
    asha = await desk.browser()
    assert (await asha.act(f"{ONE}/block"))[0] == 409
    assert not read(desk).blocked


async def test_blocking_shuts_the_address_for_a_day_where_the_agent_says_so(desk: Desk) -> None:
    add(desk, state="assigned", owner="u-asha")
    assert await addresses.may_write(desk.redis, "webchat-1", "digest")
    asha = await desk.browser()
    assert json.loads(await asha.text(f"{ONE}/address.json")) == {"kept": True}
    assert (await asha.act(f"{ONE}/block"))[0] == 200
    assert not await addresses.is_blocked(desk.redis, "digest"), "not asked for"
    assert (await asha.act(f"{ONE}/unblock"))[0] == 200

    assert (await asha.act(f"{ONE}/block", key="with-address", address="1"))[0] == 200
    assert await addresses.is_blocked(desk.redis, "digest")
    assert (await asha.act(f"{ONE}/unblock", key="undo-key-2"))[0] == 200
    assert not await addresses.is_blocked(desk.redis, "digest")
    c = tables.audit.c
    query = sa.select(c.user_id, c.subject).where(c.action.like("address.%")).order_by(c.id)
    told = desk.database.call(lambda k: k.execute(query.add_columns(c.action)).all())
    assert [tuple(row) for row in told] == [
        ("u-asha", "webchat-1", "address.blocked"),
        ("u-asha", "webchat-1", "address.unblocked"),
    ]


async def test_unblocking_opens_the_address_from_any_of_their_conversations(desk: Desk) -> None:
    add(desk, state="assigned", owner="u-asha")
    add(desk, "telegram-1")
    await addresses.may_write(desk.redis, "webchat-1", "digest")
    asha = await desk.browser()
    assert (await asha.act(f"{ONE}/merge", other="telegram-1"))[0] == 200
    assert (await asha.act(f"{ONE}/block", address="1"))[0] == 200
    assert await addresses.is_blocked(desk.redis, "digest")
    assert (await asha.act("/conversations/telegram-1/unblock", key="unblock-key"))[0] == 200
    assert not read(desk).blocked
    assert not await addresses.is_blocked(desk.redis, "digest")


async def test_no_address_is_offered_where_none_is_kept(desk: Desk) -> None:
    add(desk, state="assigned", owner="u-asha")
    asha = await desk.browser()
    assert json.loads(await asha.text(f"{ONE}/address.json")) == {"kept": False}
    assert (await asha.act(f"{ONE}/block", address="1"))[0] == 200
    audit = desk.database.call(
        lambda k: k.execute(sa.select(tables.audit.c.action)).scalars().all()
    )
    assert "address.blocked" not in audit


async def test_nobody_shuts_the_address_of_another_agents_customer(desk: Desk) -> None:
    add(desk, state="assigned", owner="u-ravi")
    await addresses.may_write(desk.redis, "webchat-1", "digest")
    assert (await (await desk.browser()).act(f"{ONE}/block", address="1"))[0] == 409
    assert not await addresses.is_blocked(desk.redis, "digest")


async def test_a_blocked_customer_starts_no_episode(desk: Desk) -> None:
    add(desk, state="resolved", blocked=True)
    wrote = Inbound(
        id="m-1", conversation="webchat-1", channel="webchat", account="demo", vendor_user="v"
    )
    found = desk.database.call(lambda c: store.open_for(c, wrote, "en"))
    assert (found.state, found.version) == (State.RESOLVED, 1)
    assert told(desk, "episode.started") == []


async def test_merged_customers_are_one_and_can_be_parted(desk: Desk) -> None:
    add(desk, name="")
    add(desk, "telegram-1", name="Priya")
    add(desk, "facebook-1", name="Priya S")
    asha = await desk.browser()
    _, first = await asha.act(f"{ONE}/merge", other="telegram-1")
    assert read(desk).customer_id == read(desk, "telegram-1").customer_id == "c-telegram-1"
    assert (await asha.act(f"{ONE}/merge", other="telegram-1"))[1]["code"] == "same-customer"
    await asha.act("/conversations/facebook-1/merge", other="webchat-1")
    assert {read(desk, one).customer_id for one in ("webchat-1", "telegram-1", "facebook-1")} == {
        "c-facebook-1"
    }
    # What an older merge moved has moved on since: taking it back leaves that alone.
    undo = first["undo"]
    assert isinstance(undo, dict)
    path = f"{ONE}/{undo['action']}"
    assert (await asha.act(path, **undo["fields"]))[0] == 200
    assert read(desk).customer_id == "c-facebook-1"
    assert (await asha.act(path, **undo["fields"]))[0] == 404


async def test_parting_gives_conversations_back(desk: Desk) -> None:
    add(desk, name="Asha")
    add(desk, "telegram-1", name="Priya")
    asha = await desk.browser()
    before = read(desk, "telegram-1").version
    _, answer = await asha.act(f"{ONE}/merge", other="telegram-1")
    assert read(desk, "telegram-1").version == before + 1
    shard = redis_keys.shard_of("telegram-1", desk.settings.shards)
    copy = await desk.redis.get(redis_keys.owner(shard, "telegram-1"))
    assert Conversation.from_json(copy).customer_id == "c-webchat-1"
    undo = answer["undo"]
    assert isinstance(undo, dict)
    elsewhere = "/conversations/nowhere/part"
    assert (await asha.act(elsewhere, **undo["fields"]))[0] == 404
    assert (await asha.act("/conversations/telegram-1/part", **undo["fields"]))[0] == 200
    assert read(desk, "telegram-1").customer_id == "c-telegram-1"
    names = desk.database.call(lambda c: c.execute(sa.select(customers.c.name)).scalars().all())
    assert sorted(names) == ["Asha", "Priya"]


async def test_customers_to_merge_with_are_found_by_name_and_by_words(desk: Desk) -> None:
    add(desk, name="Priya")
    add(desk, "telegram-1", name="Priya")
    add(desk, "telegram-2", name="Ravi")
    desk.database.call(lambda c: seed.message(c, "telegram-2", "my order is ORD-7781"))
    asha = await desk.browser()

    async def ids(query: str) -> list[str]:
        response = await asha.client.get(f"{ONE}/customers.json", params={"q": query})
        return [one["conversation"] for one in await response.json()]

    assert await ids("") == ["telegram-1"]
    assert await ids("ORD-7781") == ["telegram-2"]


async def test_erasing_finds_everybody_merged_into_one(desk: Desk) -> None:
    for ident in ("webchat-1", "telegram-1", "facebook-1", "rest-1"):
        add(desk, ident)
    asha = await desk.browser()
    await asha.act(f"{ONE}/merge", other="telegram-1")
    await asha.act("/conversations/facebook-1/merge", other="webchat-1")
    found = desk.database.call(lambda c: find_customer(c, "webchat:v-webchat-1"))
    assert found.customers == ("c-facebook-1", "c-telegram-1", "c-webchat-1")
    assert found.conversations == ("facebook-1", "telegram-1", "webchat-1")


async def test_a_merge_of_another_customer_is_none(desk: Desk) -> None:
    add(desk)
    assert (await (await desk.browser()).act(f"{ONE}/merge", other="gone"))[0] == 404
    stored = desk.database.call(lambda c: c.execute(sa.select(tables.merges)).all())
    assert stored == []
    assert desk.database.call(lambda c: c.execute(sa.select(conversations)).all())


async def test_the_side_tells_time_earlier_episodes_and_merges(desk: Desk) -> None:
    add(desk, name="Priya", locale="hi-IN")
    add(desk, "telegram-1", name="Priya", channel="telegram", locale="en-US")
    add(desk, "webchat-2", name="Joe", locale="en-US", zone="America/Denver")

    def rows(connection: sa.Connection) -> None:
        for number, outcome in enumerate(("solved", "not-solved")):
            episode = f"old-{number}"
            at = time.time() - 90000 + number
            seed.event(
                connection, "webchat-1", "episode.started", episode_id=episode, occurred_at=at
            )
            seed.event(
                connection,
                "webchat-1",
                "conversation.resolved",
                episode_id=episode,
                occurred_at=at + 0.5,
                data={"topic": "refunds", "outcome": outcome},
            )
        seed.event(connection, "telegram-1", "episode.started", episode_id="over-there")

    desk.database.call(rows)
    asha = await desk.browser()
    await asha.act(f"{ONE}/merge", other="telegram-1")
    html = await asha.text("/inbox/open/webchat-1")
    side = html.split('id="side"', 1)[1]
    assert 'data-zone="Asia/Calcutta"' in side
    assert "India Time" in side
    assert side.count("data-episode=") == 2
    assert side.index("Not solved") < side.index("· Solved"), "newest first"
    assert 'class="quiet" href="/inbox/open/telegram-1"' in side
    assert "Merged with 1 conversation" in side
    other = await asha.text("/inbox/open/telegram-1")
    assert "data-zone" in other, "one customer, one locale: that of the row that is kept"
    assert 'data-zone="America/Denver"' in await asha.text("/inbox/open/webchat-2")
