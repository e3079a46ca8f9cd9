"""Roster: agents with an open desk and their loads, teams, and the queue, for matching."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from bot.conversation.states import State
from bot.routing import teams
from bot.routing.model import EVERYONE, Presence, RoutingAgent, Team, Waiting
from bot.routing.presence import effective
from bot.routing.teams import Profile
from bot.stores.tables import conversations


@dataclass(frozen=True)
class Roster:
    """Input of matching at one moment."""

    queue: tuple[Waiting, ...]
    agents: tuple[RoutingAgent, ...]
    teams: Mapping[str, Team]


def load(connection: Connection, idle_times: Mapping[str, float], away_after_s: float) -> Roster:
    """Read teams, agents with an open desk, and the queue.

    Args:
        idle_times: Agents with an open desk and their idle seconds
            (`bot.routing.presence.idle_times`).
    """
    teams_by_id = {team.id: team for team in teams.list_teams(connection)}
    return Roster(queue(connection), agents(connection, idle_times, away_after_s), teams_by_id)


def agents(
    connection: Connection, idle_times: Mapping[str, float], away_after_s: float
) -> tuple[RoutingAgent, ...]:
    """Read the agents with an open desk, by id."""
    if not idle_times:
        return ()
    profiles = teams.profiles(connection, list(idle_times))
    memberships = teams.members(connection)
    loads = loads_of(connection, list(idle_times))
    result = []
    for user_id in sorted(idle_times):
        profile = profiles.get(user_id) or Profile(user_id, {})
        result.append(
            RoutingAgent(
                id=user_id,
                teams=memberships.get(user_id, frozenset()),
                languages=profile.levels,
                capacity=profile.capacity,
                load=loads.get(user_id, 0),
                presence=effective(profile.presence, idle_times[user_id], away_after_s),
                routed_at=profile.routed_at,
            )
        )
    return tuple(result)


def loads_of(connection: Connection, user_ids: Collection[str]) -> dict[str, int]:
    """Count the conversations each agent has now, without snoozed ones."""
    c = conversations.c
    rows = connection.execute(
        sa.select(c.owner, sa.func.count())
        .where(c.state == State.ASSIGNED.value, c.owner.in_(list(user_ids)))
        .group_by(c.owner)
    )
    return {owner: count for owner, count in rows if owner}


def queue(connection: Connection) -> tuple[Waiting, ...]:
    """Read all waiting conversations."""
    c = conversations.c
    rows = connection.execute(
        sa.select(
            c.id, c.team, c.language, c.priority, c.waiting_since, c.last_agent, c.version
        ).where(c.state == State.WAITING.value)
    )
    return tuple(
        Waiting(
            r.id,
            r.team or EVERYONE,
            r.language,
            r.priority,
            r.waiting_since or 0.0,
            r.last_agent or "",
            r.version,
        )
        for r in rows
    )


def serving(agents: Collection[RoutingAgent], team: Team) -> list[RoutingAgent]:
    """List the agents who serve a team: its members that are online or busy."""
    at_desk = (Presence.ONLINE, Presence.BUSY)
    return [s for s in agents if s.presence in at_desk and (team.everyone or team.id in s.teams)]


def people_for(
    connection: Connection,
    conversation_id: str,
    idle_times: Mapping[str, float],
    away_after_s: float,
) -> int:
    """Count the agents who serve the team a conversation waits for."""
    c = conversations.c
    team = connection.execute(sa.select(c.team).where(c.id == conversation_id)).scalar()
    return len(
        serving(agents(connection, idle_times, away_after_s), teams.find_team(connection, team))
    )
