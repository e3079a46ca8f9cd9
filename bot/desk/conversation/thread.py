"""Thread of a conversation: messages, private notes and events in order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from bot.conversation import store
from bot.conversation.store import Conversation
from bot.desk.conversation import episodes, mentions, merging
from bot.desk.lists.rows import Row, rows_of
from bot.desk.people import scope, users
from bot.desk.people.scope import EVERYTHING, Scope
from bot.desk.tables import notes
from bot.files.rows import of_messages
from bot.stores.tables import conversations, customers, events, messages, survey_answers
from bot.streams.attachments import Attachment, without_icons

WINDOW = 60
"""Items read at once; older ones come with "earlier"."""
SHOWN_EVENTS = (
    "episode.started",
    "episode.closed",
    "handoff.requested",
    "handoff.assigned",
    "handoff.transferred",
    "handoff.requeued",
    "handoff.left",
    "handoff.delayed",
    "sla.breached",
    "handoff.returned",
    "handoff.cancelled",
    "conversation.resolved",
    "conversation.reopened",
    "conversation.prioritised",
    "turn.failed",
    "message.failed",
    "contact.lost",
    "contact.regained",
    "language.switched",
    "survey.answered",
    "consent.given",
)


@dataclass(frozen=True)
class Item:
    """One line of the thread."""

    id: str
    kind: str
    """`message`, `note` or `event`."""
    at: float
    author: str = ""
    """`customer`, `bot`, `agent` or `automatic`; for events the type."""
    author_name: str = ""
    text: str = ""
    language: str = ""
    delivery: str = ""
    entry: str = ""
    content_version: int = 0
    quick_replies: tuple[str, ...] = ()
    reading: Mapping[str, Any] | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    files: tuple[Attachment, ...] = ()


@dataclass(frozen=True)
class Thread:
    """Content of the inbox's middle and side."""

    conversation: Conversation
    row: Row
    items: tuple[Item, ...]
    more: bool
    """Older items exist."""
    customer: Mapping[str, Any]
    """`name`, `locale`, `zone`, `consent_version`, `consent_at`, `created_at`, `episodes` (count),
    `others` (conversations), `earlier` (`episodes.earlier`), `merges` (`merging.standing`)."""
    names: Mapping[str, str]
    """User id → display name."""
    last_customer_message: str
    """Id of the newest message of the customer; "" if there is none."""
    suggestions: tuple[Any, ...] = ()
    """`bot.desk.conversation.suggestions.Suggestion`s for the agent who has the conversation."""


def load(
    connection: Connection, conversation_id: str, user_id: str, *, before: float | None = None
) -> Thread | None:
    """Read a conversation with its newest items, or those older than `before`.

    Whether the user may see it at all has been asked before; of its stints they get those that they
    may read.
    """
    conversation = store.get(connection, conversation_id)
    if conversation is None:
        return None
    names, seen = users.names(connection), scope.of_id(connection, user_id)
    items = _items(connection, conversation_id, names, before, seen)
    more = len(items) > WINDOW
    rows = rows_of(connection, [conversation_id], user_id, seen)
    return Thread(
        conversation=conversation,
        row=rows[0],
        items=tuple(items[-WINDOW:]),
        more=more,
        customer=_customer(connection, conversation, seen),
        names=names,
        last_customer_message=last_customer_message(connection, conversation_id, seen),
    )


def _items(
    connection: Connection,
    conversation_id: str,
    names: Mapping[str, str],
    before: float | None,
    seen: Scope,
) -> list[Item]:
    """Newest `WINDOW` + 1 items, oldest first."""
    words = _comments(connection, conversation_id)
    rows = _newest(connection, messages, "created_at", conversation_id, before, seen)
    files = of_messages(connection, conversation_id, [row["id"] for row in rows])
    items = [_message(row, files.get(row["id"], ())) for row in rows]
    noted = _newest(connection, notes, "created_at", conversation_id, before, seen)
    # Who there is matters only where somebody may be named.
    named = any("@" in row["text"] for row in noted)
    logins = dict(mentions.people(connection)) if named else {}
    items += [
        Item(
            row["id"],
            "note",
            row["created_at"],
            "note",
            names.get(row["user_id"], ""),
            row["text"],
            data={"parts": mentions.parts(row["text"], logins)},
        )
        for row in noted
    ]
    items += [
        Item(
            row["id"],
            "event",
            row["occurred_at"],
            row["type"],
            names.get(row["actor_id"], ""),
            data={
                **row["data"],
                "actor": row["actor"],
                "actor_id": row["actor_id"],
                "words": words.get(row["episode_id"], ""),
            },
        )
        for row in _newest(
            connection,
            events,
            "occurred_at",
            conversation_id,
            before,
            seen,
            events.c.type.in_(SHOWN_EVENTS),
        )
    ]
    items.sort(key=_place)
    return items[-(WINDOW + 1) :]


def _place(item: Item) -> tuple[float, int, str]:
    """Return the sort key of an event: after the message that caused it, new episodes before."""
    begins = item.kind == "event" and item.author == "episode.started"
    return (item.at, 0 if begins else 1 if item.kind == "message" else 2, item.id)


def _comments(connection: Connection, conversation_id: str) -> dict[str, str]:
    """Read customers' comments on ratings, by episode; events have no texts."""
    s = survey_answers.c
    query = sa.select(s.episode_id, s.comment).where(s.conversation == conversation_id)
    return {row.episode_id: row.comment for row in connection.execute(query)}


def _newest(
    connection: Connection,
    table: sa.Table,
    clock: str,
    conversation_id: str,
    before: float | None,
    seen: Scope,
    *conditions: sa.ColumnElement[bool],
) -> list[sa.RowMapping]:
    moment = table.c[clock]
    reads = seen.reads(table.c.conversation, moment, table.c.get("episode_id"))
    query = sa.select(table).where(table.c.conversation == conversation_id, reads, *conditions)
    if before is not None:
        query = query.where(moment <= before)  # the page drops what it has
    return list(connection.execute(query.order_by(moment.desc()).limit(WINDOW + 1)).mappings())


def _message(row: sa.RowMapping, files: tuple[Attachment, ...]) -> Item:
    return Item(
        id=row["id"],
        kind="message",
        at=row["created_at"],
        author=row["author"],
        author_name=row["agent"],
        text=without_icons(row["text"]) if files else row["text"],
        language=row["language"],
        delivery=row["delivery"],
        entry=row["entry"],
        content_version=row["content_version"],
        quick_replies=tuple(str(q.get("title", "")) for q in row["quick_replies"] or ()),
        reading=row["reading"] if isinstance(row["reading"], dict) else None,
        files=files,
    )


def _customer(connection: Connection, conversation: Conversation, seen: Scope) -> dict[str, Any]:
    row = (
        connection.execute(sa.select(customers).where(customers.c.id == conversation.customer_id))
        .mappings()
        .first()
    )
    number = connection.execute(
        sa.select(sa.func.count())
        .select_from(events)
        .where(events.c.conversation == conversation.id, events.c.type == "episode.started")
    ).scalar_one()
    others = (
        connection.execute(
            sa.select(conversations.c.id, conversations.c.channel)
            .where(
                conversations.c.customer_id == conversation.customer_id,
                conversations.c.id != conversation.id,
                seen.condition(),
            )
            .limit(10)
        )
        .mappings()
        .all()
    )
    return {
        "name": row["name"] if row else "",
        "locale": row["locale"] if row else "",
        "zone": row["zone"] if row else "",
        "consent_version": row["consent_version"] if row else None,
        "consent_at": row["consent_at"] if row else None,
        "created_at": row["created_at"] if row else conversation.episode_started_at,
        "episodes": max(1, number),
        "others": [dict(other) for other in others],
        "earlier": episodes.earlier(
            connection,
            [conversation.id, *(other["id"] for other in others)],
            conversation.episode_id,
            seen,
        ),
        "merges": merging.standing(connection, conversation.customer_id, seen),
    }


def last_customer_message(
    connection: Connection, conversation_id: str, seen: Scope = EVERYTHING
) -> str:
    """Id of the newest message of the customer that may be read; "" if there is none."""
    m = messages.c
    return (
        connection.execute(
            sa.select(m.id)
            .where(
                m.conversation == conversation_id,
                m.author == "customer",
                seen.reads(m.conversation, m.created_at, m.episode_id),
            )
            .order_by(m.created_at.desc())
            .limit(1)
        ).scalar()
        or ""
    )
