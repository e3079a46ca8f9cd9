"""Rows of a list: everything a line about a conversation shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from bot.conversation.states import State
from bot.desk.people.scope import EVERYTHING, Scope
from bot.desk.tables import labels
from bot.desk.tables import reads as looked
from bot.routing import policies
from bot.routing.policies import StoredClock
from bot.routing.tables import teams
from bot.stores.tables import conversations, customers, messages, snoozes, users

SNIPPET_CHARS = 160


@dataclass(frozen=True)
class Row:
    """One conversation of a list."""

    id: str
    name: str
    """As the channel reported it; may be empty or hostile."""
    channel: str
    account: str
    language: str
    state: State
    owner: str | None
    owner_name: str
    cause: str | None
    cause_detail: Mapping[str, Any] | None
    sentiment: float | None
    priority: int
    waiting_since: float | None
    last_message_at: float
    last_customer_at: float
    """0 when the customer has not written."""
    snippet: str
    snippet_author: str
    snippet_language: str
    until: float | None
    """End of the snooze."""
    read_at: float
    """When this user last looked; 0 for never."""
    topic: str | None = None
    """File of the content the conversation is about, as far as the bot knows."""
    blocked: bool = False
    team: str | None = None
    team_name: str = ""
    """Empty for the team of everyone, too."""
    callback_at: float | None = None
    """Since when the customer does not wait in the chat, but for an answer later."""
    sla: StoredClock | None = None
    """The clock of a service level that is due first, of those that run."""
    labels: tuple[str, ...] = field(default=())

    @property
    def unread(self) -> bool:
        return self.last_customer_at > self.read_at


def rows_of(
    connection: Connection, ids: Sequence[str], user_id: str = "", seen: Scope = EVERYTHING
) -> list[Row]:
    """Read these conversations, in this order; unknown ids are left out.

    Args:
        seen: Whose eyes they are for: last words and labels are those they may read.
    """
    if not ids:
        return []
    c, m = conversations.c, messages.c
    reads = seen.reads(m.conversation, m.created_at, m.episode_id)
    latest = (
        sa.select(m.id)
        .where(m.conversation == c.id, m.author != "automatic", reads)
        .order_by(m.created_at.desc())
        .limit(1)
        .scalar_subquery()
    )
    customer_at = (
        sa.select(m.created_at)
        .where(m.conversation == c.id, m.author == "customer", reads)
        .order_by(m.created_at.desc())
        .limit(1)
        .scalar_subquery()
    )
    last = messages.alias("last")
    query = (
        sa.select(
            c.id,
            c.channel,
            c.account,
            c.language,
            c.state,
            c.owner,
            c.cause,
            c.cause_detail,
            c.sentiment,
            c.priority,
            c.waiting_since,
            c.last_message_at,
            c.topic,
            c.blocked,
            c.team,
            c.callback_at,
            sa.func.coalesce(teams.c.name, "").label("team_name"),
            sa.func.coalesce(customers.c.name, "").label("name"),
            sa.func.coalesce(users.c.name, "").label("owner_name"),
            sa.func.coalesce(customer_at, 0.0).label("last_customer_at"),
            sa.func.substr(last.c.text, 1, SNIPPET_CHARS).label("snippet"),
            last.c.author.label("snippet_author"),
            last.c.language.label("snippet_language"),
            last.c.created_at.label("snippet_at"),
            snoozes.c.until,
            sa.func.coalesce(looked.c.read_at, 0.0).label("read_at"),
        )
        .select_from(conversations)
        .outerjoin(customers, customers.c.id == c.customer_id)
        .outerjoin(users, users.c.id == c.owner)
        .outerjoin(teams, sa.and_(teams.c.id == c.team, sa.not_(teams.c.everyone)))
        .outerjoin(last, last.c.id == latest)
        .outerjoin(snoozes, sa.and_(snoozes.c.conversation == c.id, c.state == State.SNOOZED.value))
        .outerjoin(looked, sa.and_(looked.c.conversation == c.id, looked.c.user_id == user_id))
        .where(c.id.in_(list(ids)))
    )
    marks, clocks = _labels_of(connection, ids, seen), policies.badges(connection, ids)
    rows_by_id: dict[str, Row] = {}
    for row in connection.execute(query).mappings():
        values = dict(row)
        snippet_at = values.pop("snippet_at") or 0.0
        values.update(
            state=State(row["state"]),
            # The row is written with the turn, the message a moment later by the recorder.
            last_message_at=max(row["last_message_at"], snippet_at),
            snippet=row["snippet"] or "",
            snippet_author=row["snippet_author"] or "",
            snippet_language=row["snippet_language"] or "",
            labels=marks.get(row["id"], ()),
            sla=clocks.get(row["id"]),
        )
        rows_by_id[row["id"]] = Row(**values)
    return [rows_by_id[id_] for id_ in ids if id_ in rows_by_id]


def _labels_of(
    connection: Connection, ids: Sequence[str], seen: Scope
) -> dict[str, tuple[str, ...]]:
    """Map conversations to their labels, in alphabetical order."""
    marks: dict[str, tuple[str, ...]] = {}
    rows = connection.execute(
        sa.select(labels.c.conversation, labels.c.label)
        .where(labels.c.conversation.in_(list(ids)))
        .where(seen.reads(labels.c.conversation, labels.c.created_at))
        .order_by(labels.c.label)
    )
    for conversation, label in rows:
        marks[conversation] = (*marks.get(conversation, ()), label)
    return marks
