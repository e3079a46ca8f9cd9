"""Scope of a user: which conversations they may see; docs/routing.md#who-sees-what.

Agents see the conversations of their teams, those that belong to no team (the bot has them), and
their own. Of these they read what was said and noted in stints that no team had or one of theirs
had (`bot.conversation.stints`). Supervisors and admins see everything. Lists and counts use
`condition`, everything about one conversation `sees`; the middleware asks for every address that
names one. Whatever reads items of a conversation uses `reads`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from bot.desk.people.users import SUPERVISING, Role, User
from bot.errors import BadRequest
from bot.routing import teams
from bot.routing.model import EVERYONE
from bot.routing.tables import team_members
from bot.stores.tables import conversations, team_stints, users

CHUNK = 500
_ANY = sa.true()


@dataclass(frozen=True)
class Scope:
    """Conversations one user may see."""

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

    def reads(
        self,
        conversation: sa.ColumnElement[str],
        at: sa.ColumnElement[float],
        episode: sa.ColumnElement[str] | None = None,
    ) -> sa.ColumnElement[bool]:
        """Which messages, notes and the like of conversations that are seen may be read.

        Args:
            conversation: Column with the conversation's id.
            at: Column with the item's time.
            episode: Column with its episode, where there is one: a clock that is a little off
                then takes no words of an episode into the next.
        """
        if self.teams is None:
            return sa.true()
        return _reads(conversation, at, episode, self._has)

    def veiled(self, conversation: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
        """Which conversations may have items that `reads` leaves out; a quick first look."""
        if self.teams is None:
            return sa.false()
        s = team_stints.alias()
        return _exists(s, s.c.conversation == conversation, sa.not_(self._has(s.c)))

    def _has(self, s: Any) -> sa.ColumnElement[bool]:
        """Which stints are of this user's teams, or of a conversation that is now their own."""
        theirs = _owned_now(conversations.alias(), s, self.user_id)
        return sa.or_(s.team.in_(sorted(self.teams or ())), theirs)

    def covers(self, connection: Connection, conversation_id: str) -> bool:
        """Tell whether a conversation may be seen; one that is not there may not."""
        c = conversations.c
        row = connection.execute(sa.select(c.team, c.owner).where(c.id == conversation_id)).first()
        return row is not None and self.sees(row.team, row.owner)

    def only(
        self,
        connection: Connection,
        conversation_ids: Sequence[str],
        also: sa.ColumnElement[bool] = _ANY,
    ) -> list[str]:
        """Those of these conversations that may be seen, in the same order.

        Args:
            also: What else they must be, over the table of conversations.
        """
        if self.teams is None:
            return list(conversation_ids)
        c, seen = conversations.c, set[str]()
        for start in range(0, len(conversation_ids), CHUNK):
            part = list(conversation_ids[start : start + CHUNK])
            query = sa.select(c.id).where(c.id.in_(part), self.condition(), also)
            seen.update(connection.execute(query).scalars())
        return [id_ for id_ in conversation_ids if id_ in seen]

    def sees_all(self, connection: Connection, conversation_ids: Collection[str]) -> bool:
        """Tell whether all of these conversations may be seen."""
        ids = list(dict.fromkeys(conversation_ids))
        return self.only(connection, ids) == ids


EVERYTHING = Scope("", None)


def _exists(table: sa.FromClause, *conditions: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    query = sa.select(sa.literal(1)).select_from(table).where(*conditions)
    return sa.exists(query.correlate_except(table))


def _owned_now(
    own: sa.FromClause, s: Any, user_id: str | sa.ColumnElement[str]
) -> sa.ColumnElement[bool]:
    """Which stints are the current one of a conversation that a user has."""
    c = own.c
    return _exists(own, c.id == s.conversation, c.stint == s.stint, c.owner == user_id)


def _reads(
    conversation: sa.ColumnElement[str],
    at: sa.ColumnElement[float],
    episode: sa.ColumnElement[str] | None,
    has: Callable[[Any], sa.ColumnElement[bool]],
) -> sa.ColumnElement[bool]:
    """No team had the stint an item was said in, or one of those that the reader belongs to."""

    def stint(*more: Callable[[Any], sa.ColumnElement[bool]]) -> sa.ColumnElement[bool]:
        s = team_stints.alias()
        within = [
            s.c.conversation == conversation,
            s.c.began_at <= at,
            sa.or_(s.c.ended_at.is_(None), at < s.c.ended_at),
        ]
        if episode is not None:
            within.append(sa.or_(s.c.episode_id == episode, episode == ""))
        return _exists(s, *within, *(which(s.c) for which in more))

    return sa.or_(sa.not_(stint()), stint(has))


def read_by(
    user_id: sa.ColumnElement[str],
    conversation: sa.ColumnElement[str],
    at: sa.ColumnElement[float],
) -> sa.ColumnElement[bool]:
    """`Scope.reads` where each row is looked at for a user of its own."""
    own, m, u = conversations.alias(), team_members.alias(), users.alias()

    def has(s: Any) -> sa.ColumnElement[bool]:
        return sa.or_(
            s.team == EVERYONE,
            _exists(m, m.c.team_id == s.team, m.c.user_id == user_id),
            _owned_now(own, s, user_id),
        )

    supervises = _exists(u, u.c.id == user_id, u.c.role.in_([role.value for role in SUPERVISING]))
    return sa.or_(supervises, _reads(conversation, at, None, has))


def of(connection: Connection, user: User) -> Scope:
    """Return a user's present scope."""
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
