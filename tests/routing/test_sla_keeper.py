"""Service levels on real stores: started, warned, breached, met; once each, late looks included."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import builders
import pytest
import redis.asyncio
import sqlalchemy as sa

from bot.conversation.states import State
from bot.conversation.store import Conversation
from bot.errors import BadRequest
from bot.events import Event
from bot.housekeeping.retention import Retention
from bot.routing import policies
from bot.routing.hours import Hours, parse_spans
from bot.routing.keeper import SlaKeeper
from bot.routing.model import EVERYONE, Team
from bot.routing.policies import StoredClock
from bot.routing.sla import Clock, ClockState, SlaPolicy
from bot.routing.tables import sla_clocks
from bot.routing.teams import save_team
from bot.settings import Settings
from bot.stores.database import Database
from bot.stores.redis_keys import LIVE_CHANNEL
from bot.stores.tables import events, messages

NOW = builders.NOW
USUAL = SlaPolicy(
    "", "Usual", first_reply_s=600, next_reply_s=300, resolution_s=7200, business_hours=False
)


@pytest.fixture
def keeper(settings: Settings, database: Database, redis: redis.asyncio.Redis) -> SlaKeeper:
    database.call(lambda c: policies.save_policy(c, USUAL))
    return SlaKeeper(settings, database, redis, "desk-1")


def _asked(database: Database, user: str = "ann", **more: Any) -> Conversation:
    """A conversation handed off at `NOW`."""
    opened = builders.opened(database, user=user)
    told = Event(
        f"{user}-asked", "handoff.requested", opened.id, opened.episode_id, occurred_at=NOW
    )
    return builders.changed(
        database, opened, State.WAITING, key=f"{user}-asked", events=(told,), now=NOW, **more
    )


def _said(database: Database, conversation: Conversation, author: str, at: float) -> None:
    row = {
        "id": f"{conversation.id[-8:]}-{author}-{at}",
        "conversation": conversation.id,
        "episode_id": conversation.episode_id,
        "author": author,
        "agent": "",
        "text": "x",
        "language": "en",
        "entry": "",
        "content_version": 0,
        "in_reply_to": "",
        "created_at": at,
        "delivery": "",
    }
    database.call(lambda c: c.execute(sa.insert(messages).values(**row)))


def _clocks(database: Database) -> dict[str, str]:
    rows = database.call(lambda c: c.execute(sa.select(sla_clocks)).mappings().all())
    return {row["clock"]: row["state"] for row in rows}


def _told(database: Database) -> list[tuple[str, str]]:
    query = sa.select(events.c.type, events.c.data).where(events.c.type.like("sla.%"))
    rows = database.call(lambda c: c.execute(query.order_by(events.c.occurred_at)).all())
    return [(row.type, row.data["clock"]) for row in rows]


async def test_without_a_policy_no_clock_runs(
    settings: Settings, database: Database, redis: redis.asyncio.Redis
) -> None:
    _asked(database)
    assert await SlaKeeper(settings, database, redis, "desk").step(NOW + 10**6) == 0


async def test_a_first_reply_is_warned_of_and_then_breached_once_each(
    keeper: SlaKeeper, database: Database
) -> None:
    _asked(database)
    await keeper.step(NOW + 1)
    assert _clocks(database) == {"first-reply": "running", "resolution": "running"}
    assert _told(database) == []
    for _ in range(2):
        await keeper.step(NOW + 451)
    assert _told(database) == [("sla.warned", "first-reply")]
    for _ in range(2):
        await keeper.step(NOW + 601)
    assert _clocks(database)["first-reply"] == "breached"
    assert _told(database)[1:] == [("sla.breached", "first-reply")]


async def test_an_answer_in_time_ends_the_clock(keeper: SlaKeeper, database: Database) -> None:
    asked = _asked(database)
    await keeper.step(NOW + 1)
    _said(database, asked, "automatic", NOW + 5)
    _said(database, asked, "bot", NOW + 6)
    await keeper.step(NOW + 10)
    assert _clocks(database)["first-reply"] == "running", "only a person's words count"
    _said(database, asked, "agent", NOW + 60)
    await keeper.step(NOW + 61)
    assert _clocks(database) == {"first-reply": "met", "resolution": "running"}
    _said(database, asked, "customer", NOW + 100)
    _said(database, asked, "customer", NOW + 200)
    await keeper.step(NOW + 201)
    (running,) = database.call(lambda c: policies.badges(c, [asked.id])).values()
    assert (running.clock, running.started_at, running.due_at) == (Clock.NEXT, NOW + 100, NOW + 400)
    assert _told(database) == []


async def test_a_breach_nobody_looked_at_in_time_is_found_later(
    keeper: SlaKeeper, database: Database
) -> None:
    asked = _asked(database)
    await keeper.step(NOW + 1)
    _said(database, asked, "agent", NOW + 700)
    await keeper.step(NOW + 5000)
    assert _clocks(database)["first-reply"] == "late"
    assert ("sla.breached", "first-reply") in _told(database)
    (late,) = [
        b for b in database.call(lambda c: policies.breaches(c, 0.0)) if b.clock == Clock.FIRST
    ]
    assert (late.due_at, late.ended_at) == (NOW + 600, NOW + 700)


async def test_with_the_bot_again_nothing_is_owed(keeper: SlaKeeper, database: Database) -> None:
    asked = _asked(database)
    await keeper.step(NOW + 1)
    builders.changed(database, asked, State.BOT, key="cancelled")
    await keeper.step(NOW + 5000)
    assert set(_clocks(database).values()) == {"void"}
    assert _told(database) == []


async def test_what_was_said_to_the_bot_after_a_return_starts_no_clock(
    keeper: SlaKeeper, database: Database
) -> None:
    asked = _asked(database)
    _said(database, asked, "agent", NOW + 120)
    returned = builders.changed(database, asked, State.BOT, key="returned", now=NOW + 240)
    for minute in range(5, 25):
        _said(database, asked, "customer", NOW + 60 * minute)
        _said(database, asked, "bot", NOW + 60 * minute + 1)
    again = Event("again", "handoff.requested", asked.id, asked.episode_id, occurred_at=NOW + 1500)
    builders.changed(
        database, returned, State.WAITING, key="again", events=(again,), now=NOW + 1500
    )
    await keeper.step(NOW + 1500)
    assert "next-reply" not in _clocks(database)
    _said(database, asked, "customer", NOW + 1500)
    await keeper.step(NOW + 1501)
    (badge,) = database.call(lambda c: policies.badges(c, [asked.id])).values()
    assert (badge.clock, badge.started_at) == (Clock.NEXT, NOW + 1500), "what caused the handoff"
    assert badge.state == ClockState.RUNNING
    assert _told(database) == []
    _said(database, asked, "agent", NOW + 1560)
    await keeper.step(NOW + 1561)
    assert _clocks(database)["next-reply"] == "met"


async def test_the_team_decides_the_policy_and_the_hours_that_count(
    keeper: SlaKeeper, database: Database
) -> None:
    """NOW is a Tuesday, 22:13 UTC."""
    day = Hours("UTC", (parse_spans("09:00-17:00"),) * 7)
    team = database.call(lambda c: save_team(c, Team("", "Day", hours=day)))
    strict = replace(USUAL, name="Day team", team=team.id, first_reply_s=3600, business_hours=True)
    database.call(lambda c: policies.save_policy(c, strict))
    asked = _asked(database, team=team.id)
    await keeper.step(NOW + 1)
    (badge,) = database.call(lambda c: policies.badges(c, [asked.id])).values()
    assert (badge.team, badge.due_at - NOW) == (team.id, 1_700_042_400 - NOW)


async def test_the_page_is_told(
    keeper: SlaKeeper, database: Database, redis: redis.asyncio.Redis
) -> None:
    asked = _asked(database)
    pubsub = redis.pubsub(ignore_subscribe_messages=True)
    await pubsub.subscribe(LIVE_CHANNEL)
    await pubsub.get_message(timeout=5)
    await keeper.step(NOW + 601)
    message = await pubsub.get_message(timeout=5)
    assert message is not None
    assert json.loads(message["data"]) == {"conversation": asked.id, "what": "sla"}
    await pubsub.aclose()


async def test_clocks_of_a_policy_taken_away_end_without_a_verdict(
    keeper: SlaKeeper, database: Database
) -> None:
    _asked(database)
    await keeper.step(NOW + 1)
    (policy,) = database.call(policies.list_policies)
    database.call(lambda c: policies.remove_policy(c, policy.id))
    await keeper.step(NOW + 601)
    assert set(_clocks(database).values()) == {"void"}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"name": " "}, "bad-name"),
        ({"name": "usual"}, "name-taken"),
        ({"first_reply_s": 1}, "bad-time-allowed"),
        ({"least_priority": 4}, "bad-priority"),
        ({"team": "t-none"}, "unknown-team"),
        ({"first_reply_s": None, "next_reply_s": None, "resolution_s": None}, "empty-policy"),
    ],
)
def test_what_cannot_be_promised_is_refused(
    keeper: SlaKeeper, database: Database, change: dict[str, Any], code: str
) -> None:
    with pytest.raises(BadRequest) as refused:
        database.call(
            lambda c: policies.save_policy(c, replace(USUAL, **{"name": "New", **change}))
        )
    assert refused.value.code == code


async def test_clocks_are_forgotten_with_the_events(settings: Settings, database: Database) -> None:
    old = StoredClock(
        "c", Clock.NEXT, NOW - 90000, "e", "p", EVERYONE, "", 1.0, 2.0, ClockState.MET, 3.0
    )
    young = replace(old, clock=Clock.FIRST, started_at=NOW - 80000)
    database.call(lambda c: policies.write_clocks(c, [old, young]))
    await Retention(replace(settings, keep_events_days=1), database).step(NOW)
    assert _clocks(database) == {"first-reply": "met"}


def test_clocks_are_read_as_they_were_written(database: Database) -> None:
    kept = StoredClock(
        "c", Clock.NEXT, 1.5, "e", "p", EVERYONE, "asha", 2.0, 3.0, ClockState.BREACHED
    )
    database.call(lambda c: policies.write_clocks(c, [kept]))
    ended = replace(kept, state=ClockState.LATE, ended_at=9.0)
    database.call(lambda c: policies.write_clocks(c, [ended]))
    assert database.call(lambda c: policies.breaches(c, 0.0)) == [ended]
    assert database.call(lambda c: policies.breaches(c, 0.0, scope=["other"])) == []
