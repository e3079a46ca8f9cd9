"""Earlier episodes of a customer, on all channels: when, about what, how they ended."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from bot.desk.people.scope import EVERYTHING, Scope
from bot.stores.tables import conversations, events

MOST = 8
_ENDS = ("conversation.resolved", "episode.closed")


@dataclass(frozen=True)
class Episode:
    """Part of a conversation from a first message to an end."""

    id: str
    conversation: str
    channel: str
    started_at: float
    topic: str
    """As the agent who resolved it said; "" when it ended in another way."""
    outcome: str
    """Of the agent, or of the end by itself; "" while it is open."""


def earlier(
    connection: Connection,
    conversation_ids: Collection[str],
    current: str,
    seen: Scope = EVERYTHING,
) -> list[Episode]:
    """The latest episodes of these conversations, newest first, without the current one.

    One whose beginning is in another team's stint is left out, and an end that is keeps its topic.
    """
    e, c = events.c, conversations.c
    reads = seen.reads(e.conversation, e.occurred_at, e.episode_id)
    begun = connection.execute(
        sa.select(e.episode_id, e.conversation, e.occurred_at, c.channel)
        .join(conversations, c.id == e.conversation)
        .where(
            e.conversation.in_(list(conversation_ids)),
            e.type == "episode.started",
            e.episode_id != current,
            reads,
        )
        .order_by(e.occurred_at.desc())
        .limit(MOST)
    ).all()
    ended = connection.execute(
        sa.select(e.episode_id, e.data)
        .where(
            e.conversation.in_(sorted({row.conversation for row in begun})),
            e.type.in_(_ENDS),
            e.episode_id.in_([row.episode_id for row in begun]),
            reads,
        )
        .order_by(e.occurred_at)
    ).all()
    # One that was reopened has several ends: the last counts.
    ends = {row.episode_id: row.data or {} for row in ended}
    return [
        Episode(
            row.episode_id,
            row.conversation,
            row.channel,
            row.occurred_at,
            str(ends.get(row.episode_id, {}).get("topic", "")),
            str(ends.get(row.episode_id, {}).get("outcome", "")),
        )
        for row in begun
    ]
