"""What the page of agents shows, read from SQL."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy.engine import Connection

from bot.desk.people import users
from bot.desk.people.users import User
from bot.routing import presence, roster, teams
from bot.routing.model import Presence
from bot.routing.teams import Profile


@dataclass(frozen=True)
class AgentLine:
    """One agent, as routing sees them."""

    user: User
    profile: Profile
    load: int
    """Conversations they have."""
    teams: tuple[str, ...]
    """Names, in alphabetical order."""
    presence: Presence


def agents(
    connection: Connection, idle: Mapping[str, float], away_after_s: float
) -> list[AgentLine]:
    """Everybody who can work, by login.

    Args:
        idle: Agents with an open desk and their idle seconds (`bot.routing.presence.idle_times`).
    """
    people = [user for user in users.list_users(connection) if not user.disabled]
    ids = [user.id for user in people]
    profiles = teams.profiles(connection, ids)
    names = {team.id: team.name for team in teams.list_teams(connection)}
    memberships = teams.members(connection)
    loads = roster.loads_of(connection, ids)
    return [
        AgentLine(
            user=user,
            profile=profiles[user.id],
            load=loads.get(user.id, 0),
            teams=tuple(sorted(names[t] for t in memberships.get(user.id, ()) if t in names)),
            presence=presence.effective(
                profiles[user.id].presence, idle.get(user.id), away_after_s
            ),
        )
        for user in people
    ]
