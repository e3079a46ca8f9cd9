"""Teams and agents in SQL; everyone's team exists, stored or not."""

from __future__ import annotations

import secrets
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from bot.conversation import stints
from bot.conversation.states import ENDED
from bot.errors import BadRequest
from bot.routing import hours
from bot.routing.model import DEFAULT_TEAM, EVERYONE, LEVELS, Presence, Team
from bot.routing.tables import agents, team_members, teams
from bot.stores.database import insert_ignore
from bot.stores.tables import conversations, users

DEFAULT_CAPACITY = 5
MOST_CAPACITY = 100
DEFAULT_LEVEL = 3
"""Level of the languages a user got when they were added."""
LONGEST_OVERFLOW_S = 7 * 86400


@dataclass(frozen=True)
class Profile:
    """Routing settings of an agent."""

    user_id: str
    levels: Mapping[str, int]
    """Language → level; empty for any."""
    capacity: int = DEFAULT_CAPACITY
    presence: Presence = Presence.ONLINE
    """The presence they chose; docs/routing.md#presence explains its effect."""
    routed_at: float = 0.0


def list_teams(connection: Connection) -> list[Team]:
    """List all teams, everyone's first, then by name."""
    rows = connection.execute(sa.select(teams).order_by(teams.c.name)).mappings()
    stored = [_team(row) for row in rows]
    everyones_team = next((team for team in stored if team.id == EVERYONE), DEFAULT_TEAM)
    return [everyones_team, *(team for team in stored if team.id != EVERYONE)]


def get_team(connection: Connection, team_id: str) -> Team:
    """Read a team.

    Raises:
        BadRequest: There is no team with this id (status 404).
    """
    row = connection.execute(sa.select(teams).where(teams.c.id == team_id)).mappings().first()
    if row is not None:
        return _team(row)
    if team_id == EVERYONE:
        return DEFAULT_TEAM
    raise BadRequest("unknown-team", "There is no such team.", status=404)


def find_team(connection: Connection, team_id: str | None) -> Team:
    """Read a conversation's team; a removed one, or none, becomes everyone's."""
    try:
        return get_team(connection, team_id or EVERYONE)
    except BadRequest:
        return get_team(connection, EVERYONE)


def save_team(connection: Connection, team: Team) -> Team:
    """Store a team; one without an id is new.

    Raises:
        BadRequest: The name is empty or taken, a number is out of range, or it overflows into
            itself or a missing team.
    """
    name = " ".join(team.name.split())[:64]
    if not name:
        raise BadRequest("bad-name", "Give the team a name.")
    same_name = sa.select(teams.c.id).where(sa.func.lower(teams.c.name) == name.lower())
    team_ids = {other.id for other in list_teams(connection)}
    if connection.execute(same_name.where(teams.c.id != team.id)).first():
        raise BadRequest("name-taken", f"There is a team named {name} already.", status=409)
    if not 0 <= team.overflow_after_s <= LONGEST_OVERFLOW_S:
        raise BadRequest("bad-overflow", "Others take over after 0 to 10080 minutes.")
    if team.id in team.overflow_to or not team_ids.issuperset(team.overflow_to):
        raise BadRequest("bad-overflow", "Choose other teams that are there.")
    hours.zone_of(team.hours.zone)
    saved = replace(
        team, id=team.id or f"t{secrets.token_hex(6)}", name=name, everyone=team.id == EVERYONE
    )
    row = {
        "id": saved.id,
        "name": saved.name,
        "everyone": saved.everyone,
        "languages": sorted(saved.languages),
        "topics": sorted(saved.topics),
        "zone": saved.hours.zone,
        "hours": hours.to_json(saved.hours),
        "overflow_after_s": saved.overflow_after_s,
        "overflow_to": list(saved.overflow_to),
    }
    if not insert_ignore(connection, teams, [{**row, "created_at": time.time()}]):
        connection.execute(sa.update(teams).where(teams.c.id == saved.id).values(**row))
    return saved


def remove_team(connection: Connection, team_id: str) -> None:
    """Delete a team; its open conversations go to everyone's.

    What it has ended keeps its mark, and so do earlier stints: supervisors read them.

    Raises:
        BadRequest: It is everyone's team (status 409), or there is no such team.
    """
    if team_id == EVERYONE:
        raise BadRequest("needed-team", "The team of everyone stays.", status=409)
    get_team(connection, team_id)
    c = conversations.c
    going = sa.and_(c.team == team_id, c.state.not_in([state.value for state in ENDED]))
    stints.hand_on(connection, team_id, EVERYONE, going)
    connection.execute(
        sa.update(conversations).where(going).values(team=EVERYONE, version=c.version + 1)
    )
    connection.execute(sa.delete(team_members).where(team_members.c.team_id == team_id))
    connection.execute(sa.delete(teams).where(teams.c.id == team_id))
    for other in list_teams(connection):
        if team_id in other.overflow_to:
            remaining = tuple(id_ for id_ in other.overflow_to if id_ != team_id)
            save_team(connection, replace(other, overflow_to=remaining))


def set_members(connection: Connection, team_id: str, user_ids: Collection[str]) -> None:
    """Set the members of a team; everyone's has no list.

    Raises:
        BadRequest: A user or the team does not exist.
    """
    if get_team(connection, team_id).everyone:
        return
    existing = set(
        connection.execute(sa.select(users.c.id).where(users.c.id.in_(list(user_ids)))).scalars()
    )
    if existing != set(user_ids):
        raise BadRequest("unknown-user", "One of these users is not there.", status=404)
    connection.execute(sa.delete(team_members).where(team_members.c.team_id == team_id))
    rows = [{"team_id": team_id, "user_id": user_id} for user_id in sorted(existing)]
    insert_ignore(connection, team_members, rows)


def members(connection: Connection) -> dict[str, frozenset[str]]:
    """Return each user's teams, without everyone's."""
    teams_by_user: dict[str, set[str]] = {}
    for team_id, user_id in connection.execute(
        sa.select(team_members.c.team_id, team_members.c.user_id)
    ):
        teams_by_user.setdefault(user_id, set()).add(team_id)
    return {user: frozenset(ids) for user, ids in teams_by_user.items()}


def teams_of(connection: Connection, user_id: str) -> frozenset[str]:
    """Return the teams of a user, with everyone's."""
    rows = connection.execute(
        sa.select(team_members.c.team_id).where(team_members.c.user_id == user_id)
    ).scalars()
    return frozenset({EVERYONE, *rows})


def profiles(connection: Connection, user_ids: Collection[str] | None = None) -> dict[str, Profile]:
    """Return profiles by user id; users who never changed anything have the defaults."""
    query = sa.select(users.c.id, users.c.languages, agents).outerjoin(
        agents, agents.c.user_id == users.c.id
    )
    if user_ids is not None:
        query = query.where(users.c.id.in_(list(user_ids)))
    return {row["id"]: _profile(row) for row in connection.execute(query).mappings()}


def save_profile(
    connection: Connection, user_id: str, *, levels: Mapping[str, int], capacity: int
) -> None:
    """Store an agent's language levels and capacity.

    Raises:
        BadRequest: A level or the capacity is out of range, or there is no such user.
    """
    if any(level not in LEVELS for level in levels.values()):
        raise BadRequest("bad-level", "A level is 1, 2 or 3.")
    if not 0 <= capacity <= MOST_CAPACITY:
        raise BadRequest("bad-capacity", f"A capacity is 0 to {MOST_CAPACITY} conversations.")
    _update_profile(connection, user_id, levels=dict(levels), capacity=capacity)


def save_presence(connection: Connection, user_id: str, presence: Presence) -> None:
    """Store the presence an agent chose."""
    _update_profile(connection, user_id, presence=presence.value)


def note_routed(connection: Connection, user_id: str, now: float) -> None:
    """Store when an agent was last given a conversation."""
    _update_profile(connection, user_id, routed_at=now)


def _update_profile(connection: Connection, user_id: str, **values: Any) -> None:
    profile = profiles(connection, [user_id]).get(user_id)
    if profile is None:
        raise BadRequest("unknown-user", "there is no such user", status=404)
    row = {
        "user_id": user_id,
        "levels": dict(profile.levels),
        "capacity": profile.capacity,
        "presence": profile.presence.value,
        "routed_at": profile.routed_at,
    }
    insert_ignore(connection, agents, [row])
    connection.execute(sa.update(agents).where(agents.c.user_id == user_id).values(**values))


def _profile(row: sa.RowMapping) -> Profile:
    if row["user_id"] is None:
        return Profile(row["id"], dict.fromkeys(row["languages"] or (), DEFAULT_LEVEL))
    return Profile(
        row["id"], row["levels"], row["capacity"], Presence(row["presence"]), row["routed_at"]
    )


def _team(row: sa.RowMapping) -> Team:
    return Team(
        id=row["id"],
        name=row["name"],
        everyone=row["everyone"],
        languages=frozenset(row["languages"]),
        topics=frozenset(row["topics"]),
        hours=hours.from_json(row["zone"], row["hours"]),
        overflow_after_s=row["overflow_after_s"],
        overflow_to=tuple(row["overflow_to"]),
    )
