"""What a supervisor looks at: queue by team and language, agents, long waits, broken promises."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from bot.conversation.states import State
from bot.desk.lists import queries
from bot.desk.lists.filters import Filters, Sort, View
from bot.desk.lists.rows import Row
from bot.desk.people import users
from bot.routing import policies, roster, teams
from bot.routing.model import EVERYONE, Presence, RoutingAgent, Team
from bot.routing.policies import StoredClock
from bot.stores.tables import conversations, customers

LONGEST = 10
"""Waiting conversations listed by name."""
BREACHES_S = 86400.0
MOST_BREACHES = 50


@dataclass(frozen=True)
class TeamLine:
    """The queue of one team."""

    team: Team
    open: bool
    opens_at: float | None
    """Unix seconds; None while open, or when it never does."""
    waiting: int
    longest_since: float | None
    left: int
    """Of those waiting, left as messages."""
    languages: tuple[tuple[str, int], ...]
    """Waiting conversations by language, most first."""
    people: int
    """Who serves it now."""
    free: int
    """Conversations they could take."""


@dataclass(frozen=True)
class AgentLine:
    """One agent at their desk."""

    seat: RoutingAgent
    name: str
    teams: tuple[str, ...]
    """Names."""


@dataclass(frozen=True)
class Breach:
    """A promise that was not kept."""

    clock: StoredClock
    name: str
    """Of the customer."""
    team: str
    agent: str
    late_s: float
    """By how much, until now or until it ended."""


@dataclass(frozen=True)
class Overview:
    """One moment of the whole desk."""

    waiting: int
    left: int
    assigned: int
    longest_since: float | None
    online: int
    overdue: int
    """Conversations whose promise is broken and still open."""
    teams: tuple[TeamLine, ...]
    agents: tuple[AgentLine, ...]
    longest: tuple[Row, ...]
    breaches: tuple[Breach, ...]
    team_names: Mapping[str, str]


def overview(
    connection: Connection, idle: Mapping[str, float], away_after_s: float, now: float
) -> Overview:
    """Read everything the page shows.

    Args:
        idle: Agents with an open desk and their idle seconds (`bot.routing.presence.idle_times`).
    """
    all_teams = teams.list_teams(connection)
    names = {team.id: team.name for team in all_teams}
    people = users.names(connection)
    seats = roster.agents(connection, idle, away_after_s)
    lines = _team_lines(connection, all_teams, seats, now)
    c = conversations.c
    assigned = connection.execute(
        sa.select(sa.func.count()).where(c.state == State.ASSIGNED.value)
    ).scalar_one()
    shown = [s for s in seats if s.presence != Presence.OFFLINE]
    shown.sort(key=lambda s: (list(Presence).index(s.presence), people.get(s.id, s.id)))
    broken = policies.breaches(connection, now - BREACHES_S, limit=MOST_BREACHES)
    customer = _customer_names(connection, {clock.conversation for clock in broken})
    return Overview(
        waiting=sum(line.waiting for line in lines),
        left=sum(line.left for line in lines),
        assigned=int(assigned),
        longest_since=min((x.longest_since for x in lines if x.longest_since), default=None),
        online=sum(s.presence == Presence.ONLINE for s in seats),
        overdue=policies.overdue(connection),
        teams=tuple(lines),
        agents=tuple(
            AgentLine(s, people.get(s.id, s.id), tuple(sorted(names[t] for t in s.teams)))
            for s in shown
        ),
        longest=tuple(
            queries.list_rows(
                connection, View.WAITING, "", filters=Filters(sort=Sort.WAITING), limit=LONGEST
            )
        ),
        breaches=tuple(
            Breach(
                clock,
                customer.get(clock.conversation, ""),
                names.get(clock.team, clock.team),
                people.get(clock.agent, ""),
                (clock.ended_at or now) - clock.due_at,
            )
            for clock in broken
        ),
        team_names=names,
    )


def _team_lines(
    connection: Connection, all_teams: list[Team], seats: tuple[RoutingAgent, ...], now: float
) -> list[TeamLine]:
    c = conversations.c
    ids = {team.id for team in all_teams}
    waiting: dict[str, Counter[str]] = {}
    left: Counter[str] = Counter()
    since: dict[str, float] = {}
    for team, language, number, first, messages in connection.execute(
        sa.select(
            c.team,
            c.language,
            sa.func.count(),
            sa.func.min(c.waiting_since),
            sa.func.count(c.callback_at),
        )
        .where(c.state == State.WAITING.value)
        .group_by(c.team, c.language)
    ):
        key = team if team in ids else EVERYONE
        waiting.setdefault(key, Counter())[language] += number
        left[key] += messages
        if first is not None:
            since[key] = min(first, since.get(key, first))
    made = []
    for team in all_teams:
        serving = roster.serving(seats, team)
        opened = team.hours.is_open(now)
        made.append(
            TeamLine(
                team=team,
                open=opened,
                opens_at=None if opened else team.hours.next_opening(now),
                waiting=waiting.get(team.id, Counter()).total(),
                longest_since=since.get(team.id),
                left=left[team.id],
                languages=tuple(waiting.get(team.id, Counter()).most_common()),
                people=len(serving),
                free=sum(
                    max(0, s.capacity - s.load) for s in serving if s.presence == Presence.ONLINE
                ),
            )
        )
    return made


def _customer_names(connection: Connection, ids: set[str]) -> dict[str, str]:
    c = conversations.c
    rows = connection.execute(
        sa.select(c.id, customers.c.name)
        .join(customers, customers.c.id == c.customer_id)
        .where(c.id.in_(sorted(ids)))
    )
    return {row.id: row.name for row in rows}
