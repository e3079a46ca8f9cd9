"""The picture that matching looks at: who is there with how much to do, and who waits."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from bot.conversation.states import State
from bot.routing import teams
from bot.routing.model import EVERYONE, Presence, Seat, Team, Waiting
from bot.routing.presence import effective
from bot.routing.teams import Profile
from bot.stores.tables import conversations


@dataclass(frozen=True)
class Picture:
    """One moment."""

    queue: tuple[Waiting, ...]
    seats: tuple[Seat, ...]
    teams: Mapping[str, Team]


def load(connection: Connection, here: Mapping[str, float], away_after_s: float) -> Picture:
    """Read teams, agents with an open desk, and the queue.

    Args:
        here: Agents with an open desk and their idle seconds (`bot.routing.presence.here`).
    """
    known = {team.id: team for team in teams.list_teams(connection)}
    return Picture(queue(connection), seats(connection, here, away_after_s), known)


def seats(
    connection: Connection, here: Mapping[str, float], away_after_s: float
) -> tuple[Seat, ...]:
    """Agents with an open desk, by id."""
    if not here:
        return ()
    known = teams.profiles(connection, list(here))
    memberships = teams.members(connection)
    loads = loads_of(connection, list(here))
    made = []
    for user_id in sorted(here):
        profile = known.get(user_id) or Profile(user_id, {})
        made.append(
            Seat(
                id=user_id,
                teams=memberships.get(user_id, frozenset()),
                languages=profile.levels,
                capacity=profile.capacity,
                load=loads.get(user_id, 0),
                presence=effective(profile.presence, here[user_id], away_after_s),
                routed_at=profile.routed_at,
            )
        )
    return tuple(made)


def loads_of(connection: Connection, user_ids: Collection[str]) -> dict[str, int]:
    """Conversations each agent has now; snoozed ones do not count."""
    c = conversations.c
    rows = connection.execute(
        sa.select(c.owner, sa.func.count())
        .where(c.state == State.ASSIGNED.value, c.owner.in_(list(user_ids)))
        .group_by(c.owner)
    )
    return {owner: number for owner, number in rows if owner}


def queue(connection: Connection) -> tuple[Waiting, ...]:
    """Everything that waits."""
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


def serving(seats: Collection[Seat], team: Team) -> list[Seat]:
    """Who serves a team: its members that are online or busy."""
    there = (Presence.ONLINE, Presence.BUSY)
    return [s for s in seats if s.presence in there and (team.everyone or team.id in s.teams)]


def people_for(
    connection: Connection, conversation_id: str, here: Mapping[str, float], away_after_s: float
) -> int:
    """How many serve the team a conversation waits for."""
    c = conversations.c
    team = connection.execute(sa.select(c.team).where(c.id == conversation_id)).scalar()
    return len(serving(seats(connection, here, away_after_s), teams.find_team(connection, team)))
