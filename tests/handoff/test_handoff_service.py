"""What agents do: one winner, the owner's reply only, notices in the customer's language, once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import builders
import pytest
import redis.asyncio
import sqlalchemy as sa

from bot.content.texts import SystemTexts
from bot.conversation import store
from bot.conversation.states import State
from bot.conversation.store import Conversation
from bot.errors import BadRequest, TransitionRefused
from bot.handoff.service import MAX_REPLY_CHARS, Agent, HandoffService
from bot.settings import Settings
from bot.stores import redis_keys
from bot.stores.database import Database
from bot.stores.tables import events
from bot.streams.messages import Outbound

ASHA, RAVI = Agent("asha", "Asha"), Agent("ravi", "Ravi")
TEXTS = SystemTexts.load()


@pytest.fixture
def service(settings: Settings, database: Database, redis: redis.asyncio.Redis) -> HandoffService:
    return HandoffService(settings, database, redis)


async def _sent(client: redis.asyncio.Redis, user: str = "ann") -> list[Outbound]:
    shard = redis_keys.shard_of(builders.inbound(user=user).conversation, 8)
    rows = await client.xrange(redis_keys.outbox(shard))
    return [Outbound.from_dict(json.loads(fields["body"])) for _, fields in rows]


def _now(database: Database, conversation: Conversation) -> Conversation:
    found = database.call(lambda c: store.get(c, conversation.id))
    assert found is not None
    return found


def _events(database: Database, *kinds: str) -> list[tuple[str, Any]]:
    query = (
        sa.select(events.c.type, events.c.actor_id, events.c.data)
        .where(events.c.type.in_(kinds))
        .order_by(events.c.occurred_at)
    )
    return [(r.type, r.data) for r in database.call(lambda c: c.execute(query).all())]


async def test_of_two_agents_who_click_at_once_one_wins(
    service: HandoffService, database: Database, redis: redis.asyncio.Redis
) -> None:
    waiting = builders.brought_to(database, State.WAITING)
    results = await asyncio.gather(
        service.claim(waiting.id, ASHA, key="a" * 16),
        service.claim(waiting.id, RAVI, key="b" * 16),
        return_exceptions=True,
    )
    (winner,) = [r for r in results if isinstance(r, Conversation)]
    (loser,) = [r for r in results if not isinstance(r, Conversation)]
    assert isinstance(loser, TransitionRefused)
    assert _now(database, waiting) == winner
    name = {"asha": "Asha", "ravi": "Ravi"}[str(winner.owner)]
    assert [m.text for m in await _sent(redis)] == [
        TEXTS.render("utter_agent_joined", "en", agent=name)
    ]
    assert [kind for kind, _ in _events(database, "handoff.assigned")] == ["handoff.assigned"]


async def test_a_claim_tells_how_long_the_customer_waited(
    service: HandoffService, database: Database
) -> None:
    waiting = builders.brought_to(database, State.WAITING, waiting_since=1.0)
    await service.claim(waiting.id, ASHA, key="k" * 16)
    ((_, data),) = _events(database, "handoff.assigned")
    assert data["wait_s"] > 10**9


async def test_the_key_of_another_agent_claims_nothing(
    service: HandoffService, database: Database
) -> None:
    waiting = builders.brought_to(database, State.WAITING)
    await service.claim(waiting.id, ASHA, key="same-key-for-both")
    with pytest.raises(TransitionRefused):
        await service.claim(waiting.id, RAVI, key="same-key-for-both")
    assert _now(database, waiting).owner == "asha"


@pytest.mark.parametrize("state", [State.ASSIGNED, State.SNOOZED, State.RESOLVED, State.CLOSED])
async def test_what_is_not_waiting_or_the_bots_cannot_be_claimed(
    service: HandoffService, database: Database, redis: redis.asyncio.Redis, state: State
) -> None:
    seen = builders.brought_to(database, state, owner="asha")
    with pytest.raises(TransitionRefused):
        await service.claim(seen.id, RAVI, key="k" * 16)
    assert _now(database, seen) == seen
    assert await _sent(redis) == []


async def test_taking_over_from_the_bot_is_a_handoff_with_its_cause(
    service: HandoffService, database: Database
) -> None:
    seen = builders.opened(database)
    taken = await service.claim(seen.id, ASHA, key="k" * 16)
    assert (taken.state, taken.owner, taken.cause) == (State.ASSIGNED, "asha", "agent-takeover")
    told = dict(_events(database, "handoff.requested", "handoff.assigned"))
    assert told["handoff.requested"] == {"cause": "agent-takeover"}
    assert told["handoff.assigned"] == {"wait_s": 0.0}


async def test_an_unknown_conversation_is_a_404(
    service: HandoffService, database: Database
) -> None:
    with pytest.raises(BadRequest) as refused:
        await service.claim("webchat-nobody", ASHA, key="k" * 16)
    assert (refused.value.status, refused.value.code) == (404, "unknown-conversation")


async def test_the_owners_words_reach_the_customer_as_written(
    service: HandoffService, database: Database, redis: redis.asyncio.Redis
) -> None:
    mine = builders.brought_to(database, State.ASSIGNED, owner="asha", language="ml")
    name = await service.reply(mine.id, ASHA, "  cafe\u0301 തയ്യാറാണ്\n", key="k" * 16)
    (message,) = await _sent(redis)
    assert (message.id, message.text) == (name, "café തയ്യാറാണ്"), "composed, and no stray spaces"
    assert (message.author, message.agent, message.vendor_user) == ("agent", "Asha", "ann")
    await service.reply(mine.id, ASHA, "café", key="k" * 16)
    assert len(await _sent(redis)) == 1, "a double click sends once"


@pytest.mark.parametrize("text", ["", " \n ", "x" * (MAX_REPLY_CHARS + 1)])
async def test_a_reply_must_have_a_length(
    service: HandoffService, database: Database, text: str
) -> None:
    mine = builders.brought_to(database, State.ASSIGNED, owner="asha")
    with pytest.raises(BadRequest, match="1 to 4000"):
        await service.reply(mine.id, ASHA, text, key="k" * 16)


@pytest.mark.parametrize("state", list(State))
async def test_nobody_but_the_owner_can_reply(
    service: HandoffService, database: Database, redis: redis.asyncio.Redis, state: State
) -> None:
    seen = builders.brought_to(database, state, owner="asha")
    with pytest.raises(TransitionRefused):
        await service.reply(seen.id, RAVI, "hello", key="k" * 16)
    assert await _sent(redis) == []
    if state not in (State.ASSIGNED, State.SNOOZED):
        with pytest.raises(TransitionRefused):
            await service.reply(seen.id, ASHA, "hello", key="l" * 16)


Step = Callable[[HandoffService, str, Agent], Awaitable[Conversation]]
STEPS: dict[str, tuple[Step, State, str, str]] = {
    "give back": (
        lambda s, c, a: s.give_back(c, a, key="k" * 16),
        State.BOT,
        "utter_agent_returned",
        "handoff.returned",
    ),
    "resolve": (
        lambda s, c, a: s.resolve(c, a, topic="orders", outcome="solved", key="k" * 16),
        State.RESOLVED,
        "utter_resolved",
        "conversation.resolved",
    ),
    "requeue": (
        lambda s, c, a: s.requeue(c, a, note="needs billing", key="k" * 16),
        State.WAITING,
        "utter_agent_transferred",
        "handoff.transferred",
    ),
}


@pytest.mark.parametrize("language", ["en", "hi", "ar"])
@pytest.mark.parametrize("step", STEPS)
async def test_a_step_ends_the_agents_part_and_tells_the_customer_in_their_language(
    service: HandoffService,
    database: Database,
    redis: redis.asyncio.Redis,
    step: str,
    language: str,
) -> None:
    act, target, utter, event = STEPS[step]
    mine = builders.brought_to(database, State.ASSIGNED, owner="asha", language=language)
    first = await act(service, mine.id, ASHA)
    again = await act(service, mine.id, ASHA)
    assert first == again == _now(database, mine), "a double click acts once"
    assert (first.state, first.version) == (target, mine.version + 1)
    (notice,) = await _sent(redis)
    expected = TEXTS.render(utter, language, agent="Asha", place=1, business="Mela")
    assert (notice.text, notice.author, notice.utter) == (expected, "automatic", utter)
    assert notice.state == target
    assert [kind for kind, _ in _events(database, event)] == [event]
    shard = redis_keys.shard_of(mine.id, 8)
    copy = await redis.get(redis_keys.owner(shard, mine.id))
    assert Conversation.from_json(copy) == first


@pytest.mark.parametrize("step", STEPS)
async def test_another_agents_conversation_is_not_touched(
    service: HandoffService, database: Database, redis: redis.asyncio.Redis, step: str
) -> None:
    mine = builders.brought_to(database, State.ASSIGNED, owner="asha")
    with pytest.raises(TransitionRefused):
        await STEPS[step][0](service, mine.id, RAVI)
    assert _now(database, mine) == mine
    assert await _sent(redis) == []


async def test_after_the_return_the_bot_owns_it_in_a_new_stint(
    service: HandoffService, database: Database
) -> None:
    mine = builders.brought_to(database, State.ASSIGNED, owner="asha")
    back = await service.give_back(mine.id, ASHA, key="k" * 16)
    assert (back.owner, back.cause, back.stint) == (None, None, mine.stint + 1)
    assert back.episode_id == mine.episode_id, "a return is no new episode"


async def test_resolving_keeps_topic_and_outcome(
    service: HandoffService, database: Database
) -> None:
    mine = builders.brought_to(database, State.ASSIGNED, owner="asha")
    await service.resolve(mine.id, ASHA, topic="refunds", outcome="solved", key="k" * 16)
    ((_, data),) = _events(database, "conversation.resolved")
    assert data == {"topic": "refunds", "outcome": "solved"}


async def test_a_note_for_colleagues_is_not_in_the_log(
    service: HandoffService, database: Database
) -> None:
    mine = builders.brought_to(database, State.ASSIGNED, owner="asha")
    await service.requeue(mine.id, ASHA, note="customer is ill", key="k" * 16)
    ((_, data),) = _events(database, "handoff.transferred")
    assert data == {"note_characters": 15}


async def test_presence_is_counted_until_the_last_desk_closes(service: HandoffService) -> None:
    await service.seen("asha")
    await service.seen("asha")
    await service.seen("ravi")
    assert await service.online() == 2
    await service.gone("asha")
    assert await service.online() == 1
