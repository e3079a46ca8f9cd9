"""What a user may see: the one place that decides; docs/routing.md#who-sees-what.

Agents see the conversations of their teams, those that belong to no team (the bot has them), and
their own. Supervisors and admins see everything. Lists and counts use `condition`, everything
about one conversation `sees`; the middleware asks for every address that names one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from bot.desk.people.users import SUPERVISING, Role, User
from bot.errors import BadRequest
from bot.routing import teams
from bot.routing.model import EVERYONE
from bot.stores.tables import conversations, users

CHUNK = 500


@dataclass(frozen=True)
class Scope:
    """What one user sees."""

    user_id: str
    teams: frozenset[str] | None
    """Ids of their teams; None sees everything."""

    def sees(self, team: str | None, owner: str | None) -> bool:
        """Tell whether a conversation of this team and owner may be seen."""
        if self.teams is None or team is None or owner == self.user_id:
            return True
        return team in self.teams

    def condition(self) -> sa.ColumnElement[bool]:
        """`sees` over the table of conversations."""
        c = conversations.c
        if self.teams is None:
            return sa.true()
        return sa.or_(c.team.is_(None), c.team.in_(sorted(self.teams)), c.owner == self.user_id)

    def covers(self, connection: Connection, conversation_id: str) -> bool:
        """Tell whether a conversation may be seen; one that is not there may not."""
        c = conversations.c
        row = connection.execute(sa.select(c.team, c.owner).where(c.id == conversation_id)).first()
        return row is not None and self.sees(row.team, row.owner)

    def only(self, connection: Connection, conversation_ids: Sequence[str]) -> list[str]:
        """Those of these conversations that may be seen, in the same order."""
        if self.teams is None:
            return list(conversation_ids)
        c, seen = conversations.c, set[str]()
        for start in range(0, len(conversation_ids), CHUNK):
            part = list(conversation_ids[start : start + CHUNK])
            query = sa.select(c.id).where(c.id.in_(part), self.condition())
            seen.update(connection.execute(query).scalars())
        return [id_ for id_ in conversation_ids if id_ in seen]


EVERYTHING = Scope("", None)


def of(connection: Connection, user: User) -> Scope:
    """What a user sees now."""
    if user.supervises:
        return Scope(user.id, None)
    return Scope(user.id, teams.teams_of(connection, user.id))


def of_id(connection: Connection, user_id: str) -> Scope:
    """`of` by a user's id."""
    role = connection.execute(sa.select(users.c.role).where(users.c.id == user_id)).scalar()
    if role is not None and Role(role) in SUPERVISING:
        return Scope(user_id, None)
    return Scope(user_id, teams.teams_of(connection, user_id))


def among(user: User, memberships: Mapping[str, frozenset[str]]) -> Scope:
    """`of` for many users at once, from `bot.routing.teams.members`."""
    if user.supervises:
        return Scope(user.id, None)
    return Scope(user.id, memberships.get(user.id, frozenset()) | {EVERYONE})


def check(connection: Connection, user: User, conversation_id: str) -> None:
    """Let through who may see a conversation.

    Raises:
        BadRequest: They may not, or there is none; both look the same from outside (404).
    """
    if not of(connection, user).covers(connection, conversation_id):
        raise BadRequest("unknown-conversation", "There is no such conversation.", status=404)
