"""The queue in SQL: waiting conversations, their places, and estimates of the wait."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from bot.conversation.states import State
from bot.conversation.store import Conversation
from bot.routing.estimate import wait_s
from bot.routing.match import PRIORITY_WORTH_S, turn_of
from bot.stores.tables import conversations, queue_times

ESTIMATE_SAMPLES = 20
"""Latest queue times the estimate uses."""


@dataclass(frozen=True)
class QueuePlace:
    """Place and expected wait of a waiting conversation."""

    place: int
    """1 is next."""
    estimate_s: float | None
    """Expected wait; None with too few samples or no agent online."""
    agents_online: int
    closed: bool = False
    """Whether the team is closed now."""


def list_waiting(connection: Connection, limit: int = 200) -> list[Conversation]:
    """List waiting conversations, next first."""
    rows = connection.execute(
        sa.select(conversations)
        .where(conversations.c.state == State.WAITING.value)
        .order_by(conversations.c.priority.desc(), conversations.c.waiting_since)
        .limit(limit)
    ).mappings()
    return [Conversation.from_row(row) for row in rows]


def place_of(connection: Connection, waiting: Conversation, agents_online: int) -> QueuePlace:
    """Return place and estimate: median of the last queue times × place ÷ agents online.

    The place is the one in the queue of its team, in the order of bot.routing.match.
    """
    c = conversations.c
    turn = turn_of(waiting.waiting_since or 0.0, waiting.priority)
    same_team = c.team == waiting.team if waiting.team else sa.true()
    ahead = connection.execute(
        sa.select(sa.func.count())
        .select_from(conversations)
        .where(
            c.state == State.WAITING.value,
            c.waiting_since - c.priority * PRIORITY_WORTH_S < turn,
            same_team,
        )
    ).scalar_one()
    samples = (
        connection.execute(
            sa.select(queue_times.c.wait_s)
            .order_by(queue_times.c.assigned_at.desc())
            .limit(ESTIMATE_SAMPLES)
        )
        .scalars()
        .all()
    )
    estimate = wait_s(samples, ahead + 1, agents_online)
    return QueuePlace(place=ahead + 1, estimate_s=estimate, agents_online=agents_online)
