"""Which teams had a conversation, and until when: their words stay theirs afterwards.

A stint begins when the bot takes a conversation over, and lasts until it does again. Each team that
has the conversation in a stint gets a row: it may read everything in the stint up to the moment the
conversation left it, also later, when the bot or another team has the conversation
(`bot.desk.people.scope`). A stint without rows is anybody's, and so is one that an agent of no team
had: its row names the team of everyone and says when it ended.
"""

from __future__ import annotations

import time
from typing import Protocol

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from bot.stores.database import insert_ignore
from bot.stores.tables import conversations, team_stints

EVERYONE = "everyone"
"""Id of the team that everybody is in (`bot.routing.model`, which lies above)."""


class HasTeam(Protocol):
    """What is noted of a conversation; its row has it."""

    @property
    def id(self) -> str: ...
    @property
    def stint(self) -> int: ...
    @property
    def team(self) -> str | None: ...
    @property
    def owner(self) -> str | None: ...
    @property
    def waiting_since(self) -> float | None: ...
    @property
    def episode_id(self) -> str: ...
    @property
    def episode_started_at(self) -> float: ...


def note(connection: Connection, current: HasTeam, team: str | None, moment: float) -> None:
    """Note that a conversation leaves the team it has for another, or for none (the bot's).

    Args:
        current: The row as it was; its stint is the one that is noted.
        moment: Unix seconds of the change; a customer's message changes things when it arrives,
            which is a little in the past.
    """
    if current.team is not None:
        # While machines are updated, an older process may have noted nothing.
        _enter(connection, current, current.team)
    elif team is None and _had_people(current) and not _is_noted(connection, current):
        _enter(connection, current, EVERYONE)
    _leave(connection, current.id, max(moment, time.time()))
    if team is not None:
        _enter(connection, current, team)


def hand_on(connection: Connection, team_id: str, heir: str, which: sa.ColumnElement[bool]) -> None:
    """Let another team read the current stints of a team that is taken away.

    Args:
        which: Over the table of conversations: those that go from the one to the other.
    """
    s, c = team_stints.c, conversations.c
    own = sa.and_(s.conversation == c.id, s.stint == c.stint, s.team == team_id)
    query = sa.select(
        c.id.label("conversation"),
        c.stint,
        sa.literal(heir).label("team"),
        c.episode_id,
        sa.func.coalesce(s.began_at, c.episode_started_at).label("began_at"),
    ).outerjoin(team_stints, own)
    rows = connection.execute(query.where(which)).mappings()
    insert_ignore(connection, team_stints, [dict(row) for row in rows])
    # Where the heir had it before, it has it again.
    now = sa.exists().where(c.id == s.conversation, c.stint == s.stint, which)
    connection.execute(sa.update(team_stints).where(s.team == heir, now).values(ended_at=None))


def _enter(connection: Connection, current: HasTeam, team: str) -> None:
    s = team_stints.c
    key = {"conversation": current.id, "stint": current.stint, "team": team}
    earlier = sa.select(sa.func.max(s.ended_at)).where(
        s.conversation == current.id,
        s.episode_id == current.episode_id,
        s.stint < current.stint,
    )
    ended = connection.execute(earlier).scalar() or 0.0
    row = {
        **key,
        "episode_id": current.episode_id,
        "began_at": max(current.episode_started_at, ended),
    }
    if not insert_ignore(connection, team_stints, [row]):
        again = (s.conversation == current.id, s.stint == current.stint, s.team == team)
        connection.execute(sa.update(team_stints).where(*again).values(ended_at=None))


def _had_people(current: HasTeam) -> bool:
    """Tell whether an agent has it, or it waits for one; what the bot alone had needs no row."""
    return bool(current.owner or current.waiting_since)


def _is_noted(connection: Connection, current: HasTeam) -> bool:
    """Tell whether a team had the stint, also if that is known from its events only."""
    s = team_stints.c
    query = sa.select(s.team).where(s.conversation == current.id, s.stint == current.stint)
    return connection.execute(query.limit(1)).first() is not None


def _leave(connection: Connection, conversation: str, moment: float) -> None:
    s = team_stints.c
    still = sa.and_(s.conversation == conversation, s.ended_at.is_(None))
    connection.execute(sa.update(team_stints).where(still).values(ended_at=moment))
