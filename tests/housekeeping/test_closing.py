"""What time does: idle conversations close, abandoned waits end, absent agents are noticed."""

from __future__ import annotations

import json
import time
from datetime import UTC, date, datetime

import builders
import pytest
import redis.asyncio
import sqlalchemy as sa

from bot.content.texts import SystemTexts
from bot.conversation import store
from bot.conversation.states import State
from bot.conversation.store import Conversation
from bot.events import Event
from bot.housekeeping.closing import ConversationCloser
from bot.routing import presence, teams
from bot.routing.hours import Hours, parse_spans
from bot.routing.model import EVERYONE, Team
from bot.settings import Settings
from bot.stores import redis_keys
from bot.stores.database import Database
from bot.stores.event_log import write_events
from bot.stores.tables import conversations, events


@pytest.fixture
def closer(
    settings: Settings, database: Database, redis: redis.asyncio.Redis
) -> ConversationCloser:
    return ConversationCloser(settings, database, redis)


def _now(database: Database, conversation: Conversation) -> Conversation:
    found = database.call(lambda c: store.get(c, conversation.id))
    assert found is not None
    return found


def _active(database: Database, conversation: Conversation, at: float) -> None:
    database.call(
        lambda c: c.execute(
            sa.update(conversations)
            .where(conversations.c.id == conversation.id)
            .values(last_message_at=at)
        )
    )


def _event_data(database: Database, kind: str) -> list[dict[str, object]]:
    query = sa.select(events.c.data).where(events.c.type == kind)
    return list(database.call(lambda c: c.execute(query).scalars().all()))


async def _sent(client: redis.asyncio.Redis, conversation: Conversation) -> list[dict[str, object]]:
    shard = redis_keys.shard_of(conversation.id, 8)
    return [json.loads(f["body"]) for _, f in await client.xrange(redis_keys.outbox(shard))]


@pytest.mark.parametrize(
    ("told", "outcome"),
    [
        ([], "unknown"),
        ([("answer.rated", {"helped": True})], "bot-resolved"),
        ([("answer.rated", {"helped": False})], "abandoned"),
        ([("clarification.asked", {})], "abandoned"),
        ([("turn.failed", {})], "abandoned"),
        ([("clarification.asked", {}), ("answer.rated", {"helped": True})], "bot-resolved"),
        ([("answer.rated", {"helped": True}), ("clarification.asked", {})], "abandoned"),
    ],
)
async def test_an_idle_conversation_closes_with_its_outcome(
    closer: ConversationCloser,
    database: Database,
    settings: Settings,
    told: list[tuple[str, dict[str, object]]],
    outcome: str,
) -> None:
    seen = builders.opened(database)
    rows = [
        Event(id=f"e{n}", type=kind, episode_id=seen.episode_id, data=data, occurred_at=float(n))
        for n, (kind, data) in enumerate(told)
    ]
    database.call(lambda c: write_events(c, rows))
    edge = seen.last_message_at + settings.episode_idle_s
    assert await closer.step(edge) == 0
    assert await closer.step(edge + 1) == 1
    closed = _now(database, seen)
    assert (closed.state, closed.episode_id) == (State.CLOSED, seen.episode_id)
    assert _event_data(database, "episode.closed") == [{"outcome": outcome}]
    assert await closer.step(edge + 2) == 0


async def test_another_episodes_rating_does_not_count(
    closer: ConversationCloser, database: Database, settings: Settings
) -> None:
    seen = builders.opened(database)
    rated = Event(id="e", type="answer.rated", episode_id="earlier", data={"helped": True})
    database.call(lambda c: write_events(c, [rated]))
    await closer.step(seen.last_message_at + settings.episode_idle_s + 1)
    assert _event_data(database, "episode.closed") == [{"outcome": "unknown"}]


async def test_an_abandoned_wait_closes_and_the_customer_is_told_in_their_language(
    closer: ConversationCloser, database: Database, settings: Settings, redis: redis.asyncio.Redis
) -> None:
    waiting = builders.brought_to(database, State.WAITING, language="hi")
    edge = waiting.last_message_at + settings.queue_abandon_s
    assert await closer.step(edge) == 0
    assert await closer.step(edge + 1) == 1
    assert _now(database, waiting).state == State.CLOSED
    assert _event_data(database, "episode.closed") == [{"outcome": "abandoned"}]
    (notice,) = await _sent(redis, waiting)
    assert notice["text"] == SystemTexts.load().render("utter_abandoned", "hi")
    assert (notice["author"], notice["language"]) == ("automatic", "hi")


async def test_only_working_time_makes_a_wait_abandoned(
    closer: ConversationCloser, database: Database, settings: Settings
) -> None:
    """Who came on Friday evening and heard "back on Monday" keeps the place they were promised."""
    friday = datetime(2026, 1, 2, 18, tzinfo=UTC).timestamp()
    week = (parse_spans("09:00-17:00"),) * 5 + ((), ())
    database.call(lambda c: teams.save_team(c, Team(EVERYONE, "E", hours=Hours("UTC", week))))
    waiting = builders.brought_to(database, State.WAITING, now=friday)
    _active(database, waiting, friday)
    # 24 working hours from Monday at nine on.
    edge = datetime(2026, 1, 7, 17, tzinfo=UTC).timestamp()
    assert settings.queue_abandon_s == 24 * 3600
    for moment in (friday + 86400 + 60, edge - 60):
        await closer.step(moment)
        assert _now(database, waiting).state == State.WAITING
    await closer.step(edge + 60)
    assert _now(database, waiting).state == State.CLOSED


async def test_a_team_that_never_works_loses_nobody(
    closer: ConversationCloser, database: Database, settings: Settings
) -> None:
    never = Hours("UTC", ((),) * 7, {date(2020, 1, 1): ()})
    database.call(lambda c: teams.save_team(c, Team(EVERYONE, "E", hours=never)))
    waiting = builders.brought_to(database, State.WAITING)
    await closer.step(waiting.last_message_at + 30 * settings.queue_abandon_s)
    assert _now(database, waiting).state == State.WAITING


@pytest.mark.parametrize("state", [State.SNOOZED, State.RESOLVED, State.CLOSED])
async def test_other_states_are_left_alone(
    closer: ConversationCloser, database: Database, state: State
) -> None:
    seen = builders.brought_to(database, state)
    assert await closer.step(time.time() + 10**7) == 0
    assert _now(database, seen) == seen


async def test_conversations_of_an_agent_gone_too_long_wait_again(
    closer: ConversationCloser, database: Database, settings: Settings, redis: redis.asyncio.Redis
) -> None:
    """Also while the customer goes on writing: they must not be left to an empty chair."""
    mine = builders.brought_to(database, State.ASSIGNED, owner="asha")
    other = builders.brought_to(database, State.ASSIGNED, user="bob", owner="ravi")
    await presence.mark_online(redis, "asha")
    await presence.mark_offline(redis, "asha")
    left = time.time()
    later = left + settings.agent_gone_s + 5
    await redis.zadd(redis_keys.PRESENCE, {"ravi": later + 30})
    _active(database, mine, later)
    assert await closer.step(left + settings.agent_gone_s - 5) == 0
    assert await closer.step(later) == 1
    requeued = _now(database, mine)
    assert (requeued.state, requeued.owner) == (State.WAITING, None)
    assert {"reason": "agent-gone"} in _event_data(database, "handoff.requeued")
    assert _now(database, other).state == State.ASSIGNED


async def test_a_page_inbox_that_fell_silent_leaves_without_a_word(
    closer: ConversationCloser, database: Database, settings: Settings, redis: redis.asyncio.Redis
) -> None:
    """Its people have no name of ours, and may not have left at all."""
    theirs = builders.brought_to(database, State.ASSIGNED, owner="page-inbox:1001")
    left = time.time()
    await closer.step(left)
    assert await closer.step(left + settings.agent_gone_s + 1) == 1
    assert _now(database, theirs).state == State.WAITING
    assert await _sent(redis, theirs) == []


async def test_a_reloaded_desk_page_loses_no_quiet_conversation(
    closer: ConversationCloser, database: Database, redis: redis.asyncio.Redis
) -> None:
    """Offline for a second, silent for an hour: only the first counts."""
    mine = builders.brought_to(database, State.ASSIGNED, owner="asha")
    _active(database, mine, time.time() - 3600)
    await presence.mark_online(redis, "asha")
    await presence.mark_offline(redis, "asha")
    assert await closer.step(time.time() + 1) == 0
    assert _now(database, mine).state == State.ASSIGNED


async def test_after_a_loss_of_redis_agents_have_their_time_to_come_back(
    closer: ConversationCloser, database: Database, settings: Settings
) -> None:
    mine = builders.brought_to(database, State.ASSIGNED, owner="asha")
    now = time.time()
    assert await closer.step(now) == 0
    assert await closer.step(now + settings.agent_gone_s) == 0
    assert await closer.step(now + settings.agent_gone_s + 1) == 1
    assert _now(database, mine).state == State.WAITING


async def test_two_sweepers_close_a_conversation_once(
    closer: ConversationCloser, database: Database, settings: Settings, redis: redis.asyncio.Redis
) -> None:
    waiting = builders.brought_to(database, State.WAITING)
    later = waiting.last_message_at + settings.queue_abandon_s + 1
    assert await closer.step(later) == 1
    assert await closer._close(waiting, later, "utter_abandoned") == 0
    assert len(await _sent(redis, waiting)) == 1
