"""Facts that service-level clocks depend on, read from messages and events; docs/metrics.md."""

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
"""States in which an agent owes the customer a reply."""
CHUNK = 400


@dataclass(frozen=True)
class ConversationFacts:
    """A conversation with the facts of its clocks."""

    id: str
    episode_id: str
    owner: str
    channel: str
    language: str
    facts: Facts


def read_facts(connection: Connection, also: Iterable[str] = ()) -> list[ConversationFacts]:
    """Read the facts of all conversations that are owed a reply, and of those in `also`.

    Args:
        also: Ids of conversations with running clocks.
    """
    c = conversations.c
    columns = (c.id, c.episode_id, c.owner, c.team, c.channel, c.language, c.priority, c.state)
    owed = connection.execute(
        sa.select(*columns).where(c.state.in_([state.value for state in OWED]))
    ).all()
    owed_ids = {row.id for row in owed}
    rows = list(owed)
    for chunk in _chunks([id_ for id_ in also if id_ not in owed_ids]):
        rows += connection.execute(sa.select(*columns).where(c.id.in_(chunk))).all()
    result: list[ConversationFacts] = []
    for part in _chunks(rows):
        result += _read_chunk(connection, part)
    return result


def _read_chunk(connection: Connection, rows: Sequence[Any]) -> list[ConversationFacts]:
    ids = [row.id for row in rows]
    episodes = {row.id: row.episode_id for row in rows}
    e, m = events.c, messages.c
    first_requests: dict[str, float] = {}
    last_requests: dict[str, float] = {}
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
            first_requests[conversation], last_requests[conversation] = first, last
        else:
            resolved[conversation] = last
    agent_replies: dict[str, tuple[float, float | None]] = {}
    since = _moment(first_requests)
    for conversation, last, first in connection.execute(
        sa.select(
            m.conversation,
            sa.func.max(m.created_at),
            sa.func.min(sa.case((m.created_at >= since, m.created_at))),
        )
        .where(m.conversation.in_(ids), m.author == "agent")
        .group_by(m.conversation)
    ):
        agent_replies[conversation] = (last, first)
    last_reply_at = _moment({id_: last for id_, (last, _) in agent_replies.items()})
    unanswered = dict(
        connection.execute(
            sa.select(m.conversation, sa.func.min(m.created_at))
            .where(
                m.conversation.in_(ids),
                m.author == "customer",
                m.created_at > last_reply_at,
                # No agent owes a reply to what they wrote to the bot in between. The message that
                # causes a handoff has the same time.
                m.created_at >= _moment(last_requests),
            )
            .group_by(m.conversation)
        )
        .tuples()
        .all()
    )
    return [
        ConversationFacts(
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
                requested_at=first_requests.get(row.id),
                first_reply_at=agent_replies[row.id][1] if row.id in agent_replies else None,
                unanswered_since=unanswered.get(row.id),
                answered_at=agent_replies[row.id][0] if row.id in agent_replies else None,
                resolved_at=resolved.get(row.id),
            ),
        )
        for row in rows
    ]


def _moment(moments: Mapping[str, float]) -> sa.ColumnElement[float]:
    """Return the moment of a message's conversation as SQL; 0 where there is none."""
    if not moments:
        return sa.literal(0.0)
    conversation = messages.c.conversation
    return sa.case(
        *((conversation == id_, at) for id_, at in moments.items()), else_=sa.literal(0.0)
    )


def _chunks(items: Sequence[Any]) -> Iterable[list[Any]]:
    for start in range(0, len(items), CHUNK):
        yield list(items[start : start + CHUNK])
