"""What the desk shows, read from SQL; nothing here writes."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from bot.conversation.states import State
from bot.desk.people.scope import EVERYTHING, Scope
from bot.desk.tables import labels, mentions, reads
from bot.routing import policies
from bot.routing.policies import Kept
from bot.routing.tables import teams
from bot.stores.database import insert_ignore
from bot.stores.tables import conversations, customers, messages, snoozes, users

PAGE = 60
"""Conversations a list shows at first, and with each "more"."""
SNIPPET_CHARS = 160
OPEN_STATES = (State.BOT, State.WAITING, State.ASSIGNED, State.SNOOZED)


class View(StrEnum):
    """Lists of the inbox."""

    MINE = "mine"
    """Assigned to me."""
    WAITING = "waiting"
    """In the queue, next first."""
    OPEN = "open"
    """Everything that has not ended, latest message first."""
    MENTIONS = "mentions"
    """A note names me, latest mention first."""
    SNOOZED = "snoozed"
    """Put aside by me."""
    DONE = "done"
    """Resolved or closed, latest first."""


class Sort(StrEnum):
    """Orders of a list other than its own."""

    PRIORITY = "priority"
    """Highest first; of the same, who waits longest."""
    WAITING = "waiting"
    """Who waits longest first, then those who do not wait."""
    LATEST = "latest"
    """Latest message first."""


@dataclass(frozen=True)
class Filters:
    """Narrow a view down, and order it; an empty field does neither."""

    language: str = ""
    channel: str = ""
    label: str = ""
    topic: str = ""
    priority: str = ""
    """Least priority, `1` to `3`."""
    search: str = ""
    sort: str = ""
    """A `Sort`."""

    def query(self) -> dict[str, str]:
        return {key: value for key, value in vars(self).items() if value}

    @property
    def narrow(self) -> bool:
        """Whether fewer conversations are shown than the view has, search apart."""
        return bool(self.language or self.channel or self.label or self.topic or self.priority)

    @classmethod
    def of(cls, values: Mapping[str, str]) -> Filters:
        """Take what is usable of an address or a stored filter; the rest is empty."""
        priority, sort = values.get("priority", ""), values.get("sort", "")
        return cls(
            language=values.get("language", "")[:16],
            channel=values.get("channel", "")[:32],
            label=values.get("label", "")[:40],
            topic=values.get("topic", "")[:64],
            priority=priority if priority in {"1", "2", "3"} else "",
            search=" ".join(values.get("search", "").split())[:200],
            sort=sort if sort in set(Sort) else "",
        )


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
    sla: Kept | None = None
    """The clock of a service level that is due first, of those that run."""
    labels: tuple[str, ...] = field(default=())

    @property
    def unread(self) -> bool:
        return self.last_customer_at > self.read_at


@dataclass(frozen=True)
class Counts:
    """Sizes of the views, for everybody at once."""

    waiting: Mapping[str, int]
    """Team → waiting conversations; those of no team under ""."""
    open: Mapping[str, int]
    """Team → open conversations, likewise."""
    owned: Mapping[str, Mapping[str, int]]
    """User id → team → open conversations they have."""
    mine: Mapping[str, int]
    """User id → assigned conversations."""
    snoozed: Mapping[str, int]
    """User id → snoozed conversations."""
    mentions: Mapping[str, Mapping[tuple[str, str], int]] = field(default_factory=dict)
    """User id → (team, owner) → conversations with a mention they have not seen."""

    def of(self, user_id: str, scope: Scope = EVERYTHING) -> dict[str, int]:
        """Sizes for one user; costs as much as there are teams, however many agents there are."""

        def seen(numbers: Mapping[str, int]) -> int:
            return sum(n for team, n in numbers.items() if scope.sees(team or None, None))

        own = self.owned.get(user_id, {})
        elsewhere = sum(n for team, n in own.items() if not scope.sees(team or None, None))
        named = self.mentions.get(user_id, {})
        return {
            View.MINE.value: self.mine.get(user_id, 0),
            View.WAITING.value: seen(self.waiting),
            View.OPEN.value: seen(self.open) + elsewhere,
            View.MENTIONS.value: sum(
                n for (team, owner), n in named.items() if scope.sees(team or None, owner or None)
            ),
            View.SNOOZED.value: self.snoozed.get(user_id, 0),
        }


def counts(connection: Connection) -> Counts:
    """Count open conversations by state, team and owner."""
    c = conversations.c
    rows = connection.execute(
        sa.select(c.state, c.owner, c.team, sa.func.count())
        .where(c.state.in_([state.value for state in OPEN_STATES]))
        .group_by(c.state, c.owner, c.team)
    ).all()
    by_owner: dict[State, Counter[str]] = {State.ASSIGNED: Counter(), State.SNOOZED: Counter()}
    waiting: Counter[str] = Counter()
    total: Counter[str] = Counter()
    owned: dict[str, Counter[str]] = {}
    for state, owner, team, number in rows:
        total[team or ""] += number
        if owner:
            owned.setdefault(owner, Counter())[team or ""] += number
        if state == State.WAITING:
            waiting[team or ""] += number
        if State(state) in by_owner and owner:
            by_owner[State(state)][owner] += number
    m = mentions.c
    unseen: dict[str, dict[tuple[str, str], int]] = {}
    for user_id, team, owner, number in connection.execute(
        sa.select(m.user_id, c.team, c.owner, sa.func.count(m.conversation.distinct()))
        .join(conversations, c.id == m.conversation)
        .where(m.seen_at.is_(None))
        .group_by(m.user_id, c.team, c.owner)
    ):
        unseen.setdefault(user_id, {})[team or "", owner or ""] = number
    mine, snoozed = by_owner[State.ASSIGNED], by_owner[State.SNOOZED]
    return Counts(waiting, total, owned, mine, snoozed, unseen)


def list_rows(
    connection: Connection,
    view: View,
    user_id: str,
    *,
    filters: Filters = Filters(),
    offset: int = 0,
    limit: int = PAGE,
    only: Sequence[str] | None = None,
    scope: Scope = EVERYTHING,
) -> list[Row]:
    """Read one page of a view.

    Args:
        scope: What the user may see at all, a search included.
        only: Conversation ids found by a search, which looks beyond the view; None without one.
    """
    c = conversations.c
    belongs = _belongs(view, user_id) if only is None else c.id.in_(only)
    query = sa.select(c.id).where(belongs, scope.condition(), *_narrowed(filters))
    query = query.order_by(*_order(view, filters.sort, user_id)).limit(limit).offset(offset)
    ids = [row.id for row in connection.execute(query)]
    return rows_of(connection, ids, user_id)


def size(
    connection: Connection,
    view: View,
    user_id: str,
    filters: Filters,
    scope: Scope = EVERYTHING,
) -> int:
    """Count what a view shows under these filters; a search in them does not count."""
    query = sa.select(sa.func.count()).select_from(conversations)
    found = connection.execute(
        query.where(_belongs(view, user_id), scope.condition(), *_narrowed(filters))
    )
    return int(found.scalar_one())


def _narrowed(filters: Filters) -> list[sa.ColumnElement[bool]]:
    c = conversations.c
    conditions: list[sa.ColumnElement[bool]] = []
    if filters.language:
        conditions.append(c.language == filters.language)
    if filters.channel:
        conditions.append(c.channel == filters.channel)
    if filters.topic:
        conditions.append(c.topic == filters.topic)
    if filters.priority:
        conditions.append(c.priority >= int(filters.priority))
    if filters.label:
        labelled = sa.select(labels.c.conversation).where(labels.c.label == filters.label)
        conditions.append(c.id.in_(labelled))
    return conditions


def rows_of(connection: Connection, ids: Sequence[str], user_id: str = "") -> list[Row]:
    """Read these conversations, in this order; unknown ids are left out."""
    if not ids:
        return []
    c, m = conversations.c, messages.c
    latest = (
        sa.select(m.id)
        .where(m.conversation == c.id, m.author != "automatic")
        .order_by(m.created_at.desc())
        .limit(1)
        .scalar_subquery()
    )
    customer_at = (
        sa.select(m.created_at)
        .where(m.conversation == c.id, m.author == "customer")
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
            sa.func.coalesce(reads.c.read_at, 0.0).label("read_at"),
        )
        .select_from(conversations)
        .outerjoin(customers, customers.c.id == c.customer_id)
        .outerjoin(users, users.c.id == c.owner)
        .outerjoin(teams, sa.and_(teams.c.id == c.team, sa.not_(teams.c.everyone)))
        .outerjoin(last, last.c.id == latest)
        .outerjoin(snoozes, sa.and_(snoozes.c.conversation == c.id, c.state == State.SNOOZED.value))
        .outerjoin(reads, sa.and_(reads.c.conversation == c.id, reads.c.user_id == user_id))
        .where(c.id.in_(list(ids)))
    )
    marks, clocks = labels_of(connection, ids), policies.badges(connection, ids)
    found: dict[str, Row] = {}
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
        found[row["id"]] = Row(**values)
    return [found[one] for one in ids if one in found]


def labels_of(connection: Connection, ids: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Map conversations to their labels, in alphabetical order."""
    marks: dict[str, tuple[str, ...]] = {}
    rows = connection.execute(
        sa.select(labels.c.conversation, labels.c.label)
        .where(labels.c.conversation.in_(list(ids)))
        .order_by(labels.c.label)
    )
    for conversation, label in rows:
        marks[conversation] = (*marks.get(conversation, ()), label)
    return marks


def facets(connection: Connection, scope: Scope = EVERYTHING) -> dict[str, list[str]]:
    """Values open conversations can be filtered by: `language`, `channel`, `topic`, `label`."""
    c = conversations.c
    is_open = sa.and_(c.state.in_([s.value for s in OPEN_STATES]), scope.condition())
    return {
        "language": list(
            connection.execute(
                sa.select(c.language).where(is_open).distinct().order_by(c.language)
            ).scalars()
        ),
        "channel": list(
            connection.execute(
                sa.select(c.channel).where(is_open).distinct().order_by(c.channel)
            ).scalars()
        ),
        "topic": list(
            connection.execute(
                sa.select(c.topic)
                .where(is_open, c.topic.is_not(None), c.topic != "")
                .distinct()
                .order_by(c.topic)
            ).scalars()
        ),
        "label": list(
            connection.execute(
                sa.select(labels.c.label).distinct().order_by(labels.c.label).limit(200)
            ).scalars()
        ),
    }


def mark_read(connection: Connection, user_id: str, conversation: str, at: float) -> None:
    """Remember that a user has seen everything up to `at`."""
    row = {"user_id": user_id, "conversation": conversation, "read_at": at}
    if insert_ignore(connection, reads, [row]) == 0:
        connection.execute(
            sa.update(reads)
            .where(reads.c.user_id == user_id, reads.c.conversation == conversation)
            .values(read_at=at)
        )


def _belongs(view: View, user_id: str) -> sa.ColumnElement[bool]:
    c = conversations.c
    if view == View.MINE:
        return sa.and_(c.owner == user_id, c.state == State.ASSIGNED.value)
    if view == View.SNOOZED:
        return sa.and_(c.owner == user_id, c.state == State.SNOOZED.value)
    if view == View.WAITING:
        return c.state == State.WAITING.value
    if view == View.MENTIONS:
        named = sa.select(mentions.c.conversation).where(mentions.c.user_id == user_id)
        return c.id.in_(named)
    if view == View.OPEN:
        return c.state.in_([state.value for state in OPEN_STATES])
    return c.state.in_([State.RESOLVED.value, State.CLOSED.value])


def _order(view: View, sort: str, user_id: str) -> tuple[sa.ColumnElement[Any], ...]:
    c, m = conversations.c, mentions.c
    waits = sa.case((c.state == State.WAITING.value, c.waiting_since))
    longest = sa.nulls_last(waits.asc())
    if sort == Sort.PRIORITY:
        return (c.priority.desc(), longest, c.last_message_at.desc(), c.id)
    if sort == Sort.WAITING:
        return (longest, c.last_message_at.desc(), c.id)
    if view == View.WAITING and not sort:
        return (c.priority.desc(), c.waiting_since, c.id)
    if view == View.MENTIONS and not sort:
        latest = sa.select(sa.func.max(m.created_at)).where(
            m.conversation == c.id, m.user_id == user_id
        )
        return (latest.scalar_subquery().desc(), c.id)
    return (c.last_message_at.desc(), c.id)


def waited_s(row: Row, now: float | None = None) -> float:
    """Seconds a waiting conversation has waited."""
    return max(0.0, (time.time() if now is None else now) - (row.waiting_since or 0.0))
