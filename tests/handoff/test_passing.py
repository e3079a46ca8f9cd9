"""Passing on: to a named agent or a team, by the owner or a supervisor, and nobody else."""

from __future__ import annotations

import builders
import pytest
import redis.asyncio
import sqlalchemy as sa

from bot.conversation import store
from bot.conversation.states import State
from bot.conversation.store import Conversation
from bot.errors import BadRequest, TransitionRefused
from bot.handoff.service import Agent, HandoffService
from bot.routing import teams
from bot.routing.model import Team
from bot.settings import Settings
from bot.stores.database import Database
from bot.stores.tables import events, queue_times, users

ASHA, RAVI = Agent("asha", "Asha"), Agent("ravi", "Ravi")
BOSS = Agent("boss", "Boss", supervises=True)
KEY = "k" * 16


@pytest.fixture
def service(settings: Settings, database: Database, redis: redis.asyncio.Redis) -> HandoffService:
    rows = [
        {
            "id": one,
            "login": one,
            "name": one.title(),
            "role": "agent",
            "created_at": 0.0,
            "failed_logins": 0,
            "locked_until": 0.0,
            "password_hash": "!x" if one == "gone" else "x",
        }
        for one in ("asha", "ravi", "boss", "gone")
    ]
    database.call(lambda c: c.execute(sa.insert(users), rows))
    return HandoffService(settings, database, redis)


def _now(database: Database, conversation: Conversation) -> Conversation:
    found = database.call(lambda c: store.get(c, conversation.id))
    assert found is not None
    return found


def _kinds(database: Database) -> list[str]:
    query = sa.select(events.c.type).where(events.c.type.like("handoff.%"))
    return list(database.call(lambda c: c.execute(query.order_by(events.c.occurred_at)).scalars()))


@pytest.mark.parametrize("state", [State.BOT, State.WAITING, State.ASSIGNED, State.SNOOZED])
async def test_a_conversation_goes_to_the_named_agent_from_wherever_it_is(
    service: HandoffService, database: Database, state: State
) -> None:
    seen = builders.brought_to(database, state, owner="asha")
    given = await service.assign(seen.id, ASHA, "ravi", key=KEY)
    assert (given.state, given.owner) == (State.ASSIGNED, "ravi")
    assert _now(database, seen) == given
    assert _kinds(database)[-1] == "handoff.assigned"


async def test_a_second_click_assigns_nothing_new(
    service: HandoffService, database: Database
) -> None:
    seen = builders.brought_to(database, State.ASSIGNED, owner="asha")
    once = await service.assign(seen.id, ASHA, "ravi", key=KEY)
    assert await service.assign(seen.id, ASHA, "ravi", key=KEY) == once
    assert _kinds(database).count("handoff.assigned") == 1


async def test_passing_from_hand_to_hand_counts_as_no_wait(
    service: HandoffService, database: Database
) -> None:
    seen = builders.brought_to(database, State.ASSIGNED, owner="asha", waiting_since=1.0)
    before = database.call(lambda c: c.execute(sa.select(sa.func.count()).select_from(queue_times)))
    await service.assign(seen.id, ASHA, "ravi", key=KEY)
    after = database.call(lambda c: c.execute(sa.select(sa.func.count()).select_from(queue_times)))
    assert before.scalar_one() == after.scalar_one()


async def test_only_the_owner_and_supervisors_move_a_conversation(
    service: HandoffService, database: Database
) -> None:
    seen = builders.brought_to(database, State.ASSIGNED, owner="asha")
    with pytest.raises(TransitionRefused):
        await service.assign(seen.id, RAVI, "ravi", key=KEY)
    with pytest.raises(TransitionRefused):
        await service.transfer(seen.id, RAVI, key=KEY)
    assert _now(database, seen) == seen
    moved = await service.assign(seen.id, BOSS, "ravi", key=KEY)
    assert moved.owner == "ravi"


@pytest.mark.parametrize(("to", "code"), [("nobody", "unknown-agent"), ("gone", "agent-disabled")])
async def test_nobody_who_cannot_work_gets_a_conversation(
    service: HandoffService, database: Database, to: str, code: str
) -> None:
    seen = builders.brought_to(database, State.ASSIGNED, owner="asha")
    with pytest.raises(BadRequest) as refused:
        await service.transfer(seen.id, ASHA, key=KEY, to_agent=to)
    assert refused.value.code == code
    assert _now(database, seen) == seen


async def test_a_team_gets_the_conversation_into_its_queue(
    service: HandoffService, database: Database
) -> None:
    team = database.call(lambda c: teams.save_team(c, Team("", "Refunds")))
    seen = builders.brought_to(database, State.ASSIGNED, owner="asha")
    passed = await service.transfer(seen.id, ASHA, key=KEY, to_team=team.id, note="two words")
    assert (passed.state, passed.owner, passed.team) == (State.WAITING, None, team.id)
    assert await service.transfer(seen.id, ASHA, key=KEY, to_team=team.id) == passed
    told = database.call(
        lambda c: c.execute(sa.select(events.c.data).where(events.c.type == "handoff.transferred"))
    ).scalar_one()
    assert told == {"note_characters": 9, "team": team.id}


@pytest.mark.parametrize("how", ["transfer", "requeue"])
async def test_who_passes_a_conversation_on_is_not_the_one_it_comes_back_to(
    service: HandoffService, database: Database, how: str
) -> None:
    seen = builders.brought_to(database, State.ASSIGNED, owner="asha")
    assert seen.last_agent == "asha"
    if how == "transfer":
        passed = await service.transfer(seen.id, ASHA, key=KEY)
    else:
        passed = await service.requeue(seen.id, ASHA, note="", key=KEY)
    assert (passed.state, passed.last_agent) == (State.WAITING, None)


async def test_an_unknown_team_is_a_404_and_moves_nothing(
    service: HandoffService, database: Database
) -> None:
    seen = builders.brought_to(database, State.SNOOZED, owner="asha")
    with pytest.raises(BadRequest) as refused:
        await service.transfer(seen.id, ASHA, key=KEY, to_team="t-none")
    assert refused.value.status == 404
    assert _now(database, seen) == seen


@pytest.mark.parametrize("state", [State.RESOLVED, State.CLOSED])
async def test_what_has_ended_stays_ended(
    service: HandoffService, database: Database, state: State
) -> None:
    seen = builders.brought_to(database, state, owner="asha")
    with pytest.raises(TransitionRefused):
        await service.transfer(seen.id, BOSS, key=KEY)
    with pytest.raises(TransitionRefused):
        await service.assign(seen.id, BOSS, "ravi", key=KEY)
    with pytest.raises(TransitionRefused):
        await service.give_back(seen.id, ASHA, key=KEY)
    assert _now(database, seen) == seen


async def test_anyone_relieves_the_people_of_a_pages_inbox_but_not_a_colleague(
    service: HandoffService, database: Database
) -> None:
    """Nobody tells us when they are done, so the desk need not wait until they count as gone."""
    elsewhere = builders.brought_to(database, State.ASSIGNED, user="ann", owner="page-inbox:1001")
    taken = await service.claim(elsewhere.id, ASHA, key=KEY)
    assert (taken.state, taken.owner) == (State.ASSIGNED, "asha")
    assert await service.claim(elsewhere.id, ASHA, key=KEY) == taken, "the same click again"
    colleagues = builders.brought_to(database, State.ASSIGNED, user="bob", owner="ravi")
    with pytest.raises(TransitionRefused):
        await service.claim(colleagues.id, ASHA, key=KEY)
