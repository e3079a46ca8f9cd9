"""Routing on real stores: teams are kept, the queue goes to who is free, exactly once."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import replace
from datetime import date
from typing import Any

import builders
import pytest
import redis.asyncio
import sqlalchemy as sa

from bot.conversation import store
from bot.conversation.states import State
from bot.conversation.store import Conversation
from bot.errors import BadRequest, TransitionRefused
from bot.handoff.router import Router
from bot.handoff.service import Agent, HandoffService
from bot.processes.every import every
from bot.processes.housekeeper import everything
from bot.routing import presence, roster, teams
from bot.routing.hours import Hours, parse_spans
from bot.routing.model import EVERYONE, Match, Presence, Team
from bot.settings import Settings
from bot.stores.database import Database
from bot.stores.redis_keys import ACTIVITY
from bot.stores.tables import conversations, users


def add_users(database: Database, *names: str) -> None:
    rows = [
        {
            "id": one,
            "login": one,
            "name": one.title(),
            "role": "agent",
            "password_hash": "x",
            "failed_logins": 0,
            "locked_until": 0.0,
            "created_at": 0.0,
        }
        for one in names
    ]
    database.call(lambda c: c.execute(sa.insert(users), rows))


@pytest.fixture
def automatic(settings: Settings) -> Settings:
    return replace(settings, routing_mode="automatic")


def router_on(
    settings: Settings, database: Database, client: redis.asyncio.Redis, name: str = "desk-1"
) -> Router:
    return Router(settings, database, client, HandoffService(settings, database, client), name)


@pytest.fixture
def router(automatic: Settings, database: Database, redis: redis.asyncio.Redis) -> Router:
    add_users(database, "asha", "ravi", "som")
    return router_on(automatic, database, redis)


def _waiting(database: Database, user: str, **more: Any) -> Conversation:
    return builders.brought_to(database, State.WAITING, user=user, **more)


def _owner(database: Database, conversation: Conversation) -> str | None:
    found = database.call(lambda c: store.get(c, conversation.id))
    assert found is not None
    return found.owner


def _capacity(database: Database, user: str, capacity: int, **levels: int) -> None:
    database.call(lambda c: teams.save_profile(c, user, levels=levels, capacity=capacity))


async def test_who_is_free_gets_the_next(
    router: Router, database: Database, redis: redis.asyncio.Redis
) -> None:
    await presence.mark_online(redis, "asha")
    late, early = (
        _waiting(database, "b", waiting_since=20.0),
        _waiting(database, "a", waiting_since=10.0),
    )
    _capacity(database, "asha", 1)
    assert await router.step() == 1
    assert (_owner(database, early), _owner(database, late)) == ("asha", None)
    assert await router.step() == 0, "she has as many as she can"


async def test_nobody_gets_anything_without_an_open_desk_or_when_busy_away_or_idle(
    router: Router, database: Database, redis: redis.asyncio.Redis
) -> None:
    seen = _waiting(database, "a")
    assert await router.step() == 0
    await presence.mark_online(redis, "asha")
    for chosen in (Presence.BUSY, Presence.AWAY, Presence.OFFLINE):
        database.call(lambda c, p=chosen: teams.save_presence(c, "asha", p))
        assert await router.step() == 0
    database.call(lambda c: teams.save_presence(c, "asha", Presence.ONLINE))
    await redis.zadd(ACTIVITY, {"asha": time.time() - 5000})
    assert await router.step() == 0
    await presence.mark_active(redis, "asha")
    assert await router.step() == 1
    assert _owner(database, seen) == "asha"


async def test_two_routers_and_a_claim_at_once_assign_each_conversation_once(
    automatic: Settings, router: Router, database: Database, redis: redis.asyncio.Redis
) -> None:
    for name in ("asha", "ravi"):
        await presence.mark_online(redis, name)
        _capacity(database, name, 3)
    waiting = [_waiting(database, f"u{n}") for n in range(8)]
    other = router_on(automatic, database, redis, "desk-2")
    service = HandoffService(automatic, database, redis)
    results = await asyncio.gather(
        router.step(),
        other.step(),
        service.claim(waiting[0].id, Agent("som", "Som"), key="k" * 16),
        return_exceptions=True,
    )
    claimed = not isinstance(results[2], BaseException)
    owners = Counter(owner for one in waiting if (owner := _owner(database, one)))
    assert max(owners["asha"], owners["ravi"]) <= 3
    await router.step()  # what was lost to the claim, which the next notice would start
    owners = Counter(owner for one in waiting if (owner := _owner(database, one)))
    assert owners["asha"] == owners["ravi"] == 3
    assert owners["som"] == int(claimed)
    query = sa.text("SELECT count(*) FROM events WHERE type = 'handoff.assigned'")
    assert database.call(lambda c: c.execute(query).scalar()) == sum(owners.values())


async def test_a_decision_from_before_a_change_is_not_carried_out(
    router: Router, database: Database, redis: redis.asyncio.Redis, automatic: Settings
) -> None:
    service = HandoffService(automatic, database, redis)
    seen = _waiting(database, "a")
    with pytest.raises(TransitionRefused):
        await service.route(Match(seen.id, "asha", "team", seen.version - 1))
    _capacity(database, "asha", 0)
    with pytest.raises(TransitionRefused):
        await service.route(Match(seen.id, "asha", "team", seen.version))
    assert _owner(database, seen) is None
    _capacity(database, "asha", 1)
    match = Match(seen.id, "asha", "team", seen.version)
    assert await service.route(match)
    assert await service.route(match), "the same decision again does nothing"
    assert _owner(database, seen) == "asha"


async def test_an_account_that_was_closed_meanwhile_gets_nothing(
    router: Router, database: Database, redis: redis.asyncio.Redis
) -> None:
    seen = _waiting(database, "a")
    await presence.mark_online(redis, "asha")
    database.call(lambda c: c.execute(sa.update(users).values(password_hash="!x")))
    assert await router.step() == 0
    assert _owner(database, seen) is None


async def test_a_returning_customer_gets_the_agent_they_had(
    router: Router, database: Database, redis: redis.asyncio.Redis
) -> None:
    for name in ("asha", "ravi"):
        await presence.mark_online(redis, name)
    seen = builders.brought_to(database, State.ASSIGNED, owner="ravi")
    back = builders.changed(database, seen, State.BOT, key="returned")
    builders.changed(database, back, State.WAITING, key="again")
    await router.step()
    assert _owner(database, seen) == "ravi"


@pytest.mark.parametrize("mode", ["manual", "automatic"])
async def test_manual_routing_gives_nothing_away(
    settings: Settings, database: Database, redis: redis.asyncio.Redis, mode: str
) -> None:
    """Nothing of a housekeeper's work routes, unless the settings say so."""
    work = everything(replace(settings, routing_mode=mode), database, redis, "h")
    loops = {part.aside.loop for part in work}
    for part in work:
        for loop in part.loops:
            loop.close()
    assert ("routing" in loops) is (mode == "automatic")


async def test_it_runs_by_itself_when_somebody_comes(
    automatic: Settings, router: Router, database: Database, redis: redis.asyncio.Redis
) -> None:
    seen = _waiting(database, "a")
    tasks = [
        asyncio.create_task(router.leases.keep()),
        asyncio.create_task(router.subscription.run()),
        asyncio.create_task(every(60.0, router.turn, name="routing", rest=router.rest)),
    ]
    try:
        await builders.until(lambda: bool(router.leases.held))
        await presence.mark_online(redis, "asha")

        async def told() -> bool:
            await presence.announce(redis, "presence")
            return _owner(database, seen) == "asha"

        await builders.until(told)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def test_everyone_is_a_team_from_the_start(database: Database) -> None:
    (only,) = database.call(teams.list_teams)
    assert (only.id, only.everyone, only.hours.always) == (EVERYONE, True, True)
    saved = database.call(lambda c: teams.save_team(c, replace(only, name="All of us")))
    assert [t.name for t in database.call(teams.list_teams)] == ["All of us"]
    assert saved.everyone
    with pytest.raises(BadRequest):
        database.call(lambda c: teams.remove_team(c, EVERYONE))


def test_a_team_is_read_as_it_was_stored(database: Database) -> None:
    team = Team(
        "",
        "  Refunds  (हिन्दी) ",
        languages=frozenset({"hi"}),
        topics=frozenset({"refunds"}),
        hours=Hours("Asia/Kolkata", (parse_spans("09:00-18:00"),) * 7, {date(2026, 12, 25): ()}),
        overflow_after_s=60,
        overflow_to=(EVERYONE,),
    )
    saved = database.call(lambda c: teams.save_team(c, team))
    assert saved.name == "Refunds (हिन्दी)"
    assert database.call(lambda c: teams.get_team(c, saved.id)) == saved
    changed = replace(saved, overflow_after_s=90)
    database.call(lambda c: teams.save_team(c, changed))
    assert database.call(lambda c: teams.get_team(c, saved.id)).overflow_after_s == 90


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"name": "  "}, "bad-name"),
        ({"name": "EVERYONE"}, "name-taken"),
        ({"overflow_after_s": -1}, "bad-overflow"),
        ({"overflow_to": ("nowhere",)}, "bad-overflow"),
        ({"hours": Hours("Mars/Olympus")}, "bad-zone"),
    ],
)
def test_what_cannot_be_a_team_is_refused(
    database: Database, change: dict[str, Any], code: str
) -> None:
    database.call(lambda c: teams.save_team(c, teams.get_team(c, EVERYONE)))
    with pytest.raises(BadRequest) as refused:
        database.call(lambda c: teams.save_team(c, replace(Team("", "New"), **change)))
    assert refused.value.code == code


def test_members_and_profiles_are_kept(database: Database) -> None:
    add_users(database, "asha", "ravi")
    team = database.call(lambda c: teams.save_team(c, Team("", "Refunds")))
    database.call(lambda c: teams.set_members(c, team.id, ["asha"]))
    assert database.call(teams.members) == {"asha": {team.id}}
    assert database.call(lambda c: teams.teams_of(c, "ravi")) == {EVERYONE}
    with pytest.raises(BadRequest):
        database.call(lambda c: teams.set_members(c, team.id, ["asha", "nobody"]))
    _capacity(database, "ravi", 2, th=3)
    seats = database.call(lambda c: roster.agents(c, {"asha": 0.0, "ravi": 0.0}, 900))
    assert [(s.id, s.capacity, dict(s.languages), s.teams) for s in seats] == [
        ("asha", teams.DEFAULT_CAPACITY, {}, {team.id}),
        ("ravi", 2, {"th": 3}, frozenset()),
    ]
    for bad in ({"levels": {"en": 4}, "capacity": 1}, {"levels": {}, "capacity": 101}):
        with pytest.raises(BadRequest):
            database.call(lambda c, b=bad: teams.save_profile(c, "asha", **b))


def test_conversations_of_a_team_that_goes_away_are_everyones(database: Database) -> None:
    team = database.call(lambda c: teams.save_team(c, Team("", "Refunds")))
    other = database.call(lambda c: teams.save_team(c, Team("", "B", overflow_to=(team.id,))))
    seen = _waiting(database, "a", team=team.id)
    database.call(lambda c: teams.remove_team(c, team.id))
    row = database.call(lambda c: c.execute(sa.select(conversations.c.team)).scalar_one())
    assert row == EVERYONE
    assert database.call(lambda c: store.get(c, seen.id)) != seen, "older readers must look again"
    assert database.call(lambda c: teams.get_team(c, other.id)).overflow_to == ()
    assert database.call(lambda c: teams.find_team(c, team.id)).id == EVERYONE
