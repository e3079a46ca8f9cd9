"""What clocks follow from, read from messages and events; docs/metrics.md has the definitions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from bot.conversation.states import State
from bot.routing.model import EVERYONE
from bot.routing.sla import Facts
from bot.stores.tables import conversations, events, messages

OWED = (State.WAITING, State.ASSIGNED, State.SNOOZED)
"""A person has it, or it waits for one."""
CHUNK = 400


@dataclass(frozen=True)
class Watched:
    """A conversation and what its clocks follow from."""

    id: str
    episode_id: str
    owner: str
    channel: str
    language: str
    facts: Facts


def read(connection: Connection, also: Iterable[str] = ()) -> list[Watched]:
    """Facts of all conversations that people have or owe, and of those named.

    Args:
        also: Ids of conversations whose clocks ran until now.
    """
    c = conversations.c
    columns = (c.id, c.episode_id, c.owner, c.team, c.channel, c.language, c.priority, c.state)
    owed = connection.execute(
        sa.select(*columns).where(c.state.in_([state.value for state in OWED]))
    ).all()
    known = {row.id for row in owed}
    rows = list(owed)
    for chunk in _chunks([one for one in also if one not in known]):
        rows += connection.execute(sa.select(*columns).where(c.id.in_(chunk))).all()
    made: list[Watched] = []
    for part in _chunks(rows):
        made += _watched(connection, part)
    return made


def _watched(connection: Connection, rows: Sequence[Any]) -> list[Watched]:
    ids = [row.id for row in rows]
    episodes = {row.id: row.episode_id for row in rows}
    e, m = events.c, messages.c
    asked: dict[str, float] = {}
    asked_last: dict[str, float] = {}
    resolved: dict[str, float] = {}
    for conversation, episode, kind, first, last in connection.execute(
        sa.select(
            e.conversation,
            e.episode_id,
            e.type,
            sa.func.min(e.occurred_at),
            sa.func.max(e.occurred_at),
        )
        .where(e.conversation.in_(ids), e.type.in_(("handoff.requested", "conversation.resolved")))
        .group_by(e.conversation, e.episode_id, e.type)
    ):
        if episodes[conversation] != episode:
            continue
        if kind == "handoff.requested":
            asked[conversation], asked_last[conversation] = first, last
        else:
            resolved[conversation] = last
    said: dict[str, tuple[float, float | None]] = {}
    since = _moment(asked)
    for conversation, last, first in connection.execute(
        sa.select(
            m.conversation,
            sa.func.max(m.created_at),
            sa.func.min(sa.case((m.created_at >= since, m.created_at))),
        )
        .where(m.conversation.in_(ids), m.author == "agent")
        .group_by(m.conversation)
    ):
        said[conversation] = (last, first)
    answered = _moment({one: last for one, (last, _) in said.items()})
    wrote = dict(
        connection.execute(
            sa.select(m.conversation, sa.func.min(m.created_at))
            .where(
                m.conversation.in_(ids),
                m.author == "customer",
                m.created_at > answered,
                # What they said to the bot in between nobody owed an answer. The message that
                # causes a handoff bears its moment.
                m.created_at >= _moment(asked_last),
            )
            .group_by(m.conversation)
        )
        .tuples()
        .all()
    )
    return [
        Watched(
            row.id,
            row.episode_id,
            row.owner or "",
            row.channel,
            row.language,
            Facts(
                team=row.team or EVERYONE,
                channel=row.channel,
                priority=row.priority,
                owed=row.state in OWED,
                requested_at=asked.get(row.id),
                first_reply_at=said[row.id][1] if row.id in said else None,
                unanswered_since=wrote.get(row.id),
                answered_at=said[row.id][0] if row.id in said else None,
                resolved_at=resolved.get(row.id),
            ),
        )
        for row in rows
    ]


def _moment(moments: Mapping[str, float]) -> sa.ColumnElement[float]:
    """The moment of a message's conversation; 0 where there is none."""
    if not moments:
        return sa.literal(0.0)
    conversation = messages.c.conversation
    return sa.case(
        *((conversation == one, at) for one, at in moments.items()), else_=sa.literal(0.0)
    )


def _chunks(items: Sequence[Any]) -> Iterable[list[Any]]:
    for start in range(0, len(items), CHUNK):
        yield list(items[start : start + CHUNK])
