"""What the overview counts, on every database we support."""

from __future__ import annotations

import time
from dataclasses import replace

import builders
import sqlalchemy as sa

from bot.conversation.states import State
from bot.desk.pages.overview import queries as supervisor
from bot.routing import policies, teams
from bot.routing.hours import Hours, parse_day, parse_spans
from bot.routing.model import EVERYONE, Presence, Team
from bot.routing.policies import StoredClock
from bot.routing.sla import Clock, ClockState
from bot.stores.database import Database
from bot.stores.tables import conversations, users

NOW = time.time()


def _user(database: Database, name: str) -> None:
    row = {
        "id": name,
        "login": name,
        "name": name.title(),
        "role": "agent",
        "created_at": 0.0,
        "password_hash": "x",
        "failed_logins": 0,
        "locked_until": 0.0,
    }
    database.call(lambda c: c.execute(sa.insert(users).values(**row)))


def test_an_empty_desk_has_an_overview(database: Database) -> None:
    seen = database.call(lambda c: supervisor.overview(c, {}, 900, NOW))
    assert (seen.waiting, seen.longest_since, seen.online, seen.breaches) == (0, None, 0, ())
    assert [line.team.id for line in seen.teams] == [EVERYONE]


def test_queue_people_and_breaches_are_counted_by_team(database: Database) -> None:
    closed = Hours("UTC", ((),) * 7, {parse_day("2020-01-01"): parse_spans("09:00-10:00")})
    team = database.call(lambda c: teams.save_team(c, Team("", "Refunds", hours=closed)))
    for name in ("asha", "ravi", "idle"):
        _user(database, name)
    database.call(lambda c: teams.set_members(c, team.id, ["asha"]))
    database.call(lambda c: teams.save_profile(c, "asha", levels={"hi": 3}, capacity=2))
    database.call(lambda c: teams.save_presence(c, "ravi", Presence.BUSY))
    for number, language in enumerate(("hi", "hi", "th")):
        waiting = builders.brought_to(
            database,
            State.WAITING,
            user=f"u{number}",
            language=language,
            team=team.id,
            waiting_since=NOW - 100 * (number + 1),
        )
    builders.brought_to(database, State.WAITING, user="gone", team="removed")
    mine = builders.brought_to(database, State.ASSIGNED, user="mine", owner="asha")
    database.call(
        lambda c: c.execute(
            sa.update(conversations).where(conversations.c.id == waiting.id).values(callback_at=NOW)
        )
    )
    kept = StoredClock(
        waiting.id,
        Clock.FIRST,
        NOW - 900,
        "e",
        "p",
        team.id,
        "asha",
        NOW - 400,
        NOW - 300,
        ClockState.BREACHED,
    )
    ended = StoredClock(
        mine.id,
        Clock.NEXT,
        NOW - 900,
        "e",
        "p",
        team.id,
        "asha",
        NOW - 400,
        NOW - 300,
        ClockState.LATE,
        NOW - 200,
    )
    database.call(lambda c: policies.write_clocks(c, [kept, ended]))
    here = {"asha": 0.0, "ravi": 0.0, "idle": 5000.0}
    seen = database.call(lambda c: supervisor.overview(c, here, 900, NOW))
    assert (seen.waiting, seen.left, seen.assigned, seen.online, seen.overdue) == (4, 1, 1, 1, 1)
    assert seen.longest_since == NOW - 300
    lines = {line.team.name: line for line in seen.teams}
    refunds, everyone = lines["Refunds"], lines["Everyone"]
    assert (refunds.waiting, refunds.left, refunds.people, refunds.free) == (3, 1, 1, 1)
    assert refunds.languages == (("hi", 2), ("th", 1))
    assert (refunds.open, refunds.opens_at) == (False, None)
    assert (everyone.waiting, everyone.people, everyone.free) == (1, 2, 1), "removed teams', too"
    assert [(a.name, a.seat.presence.value) for a in seen.agents] == [
        ("Asha", "online"),
        ("Ravi", "busy"),
        ("Idle", "away"),
    ]
    assert seen.longest[0].id == waiting.id
    assert {(b.agent, round(b.late_s)) for b in seen.breaches} == {("Asha", 300), ("Asha", 100)}


def test_all_that_is_overdue_is_counted_however_much_and_old(database: Database) -> None:
    late = StoredClock(
        "old",
        Clock.FIRST,
        NOW - 300000,
        "e",
        "p",
        EVERYONE,
        "",
        NOW - 250000,
        NOW - 200000,
        ClockState.BREACHED,
    )
    many = [
        replace(late, conversation=f"c{number}", due_at=NOW - 100 - number)
        for number in range(supervisor.MOST_BREACHES + 10)
    ]
    others = [
        replace(late, clock=Clock.RESOLUTION),
        replace(late, conversation="answered", due_at=NOW - 1, state=ClockState.LATE, ended_at=NOW),
        replace(late, conversation="warned", due_at=NOW + 1, state=ClockState.WARNED),
    ]
    database.call(lambda c: policies.write_clocks(c, [late, *many, *others]))
    seen = database.call(lambda c: supervisor.overview(c, {}, 900, NOW))
    assert seen.overdue == len(many) + 1
    assert len(seen.breaches) == supervisor.MOST_BREACHES
