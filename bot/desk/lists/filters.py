"""Views, filters and sort orders of the inbox's lists."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from bot.conversation.states import State
from bot.desk.people.scope import EVERYTHING, Scope
from bot.desk.tables import labels, mentions
from bot.stores.tables import conversations

OPEN_STATES = (State.BOT, State.WAITING, State.ASSIGNED, State.SNOOZED)


class View(StrEnum):
    """Views of the inbox."""

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
    """Sort orders besides a view's own."""

    PRIORITY = "priority"
    """Highest first; of the same, who waits longest."""
    WAITING = "waiting"
    """Who waits longest first, then those who do not wait."""
    LATEST = "latest"
    """Latest message first."""


@dataclass(frozen=True)
class Filters:
    """Filters and order of a list; empty fields do nothing."""

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


UNFILTERED = Filters()


def belongs(view: View, user_id: str, seen: Scope = EVERYTHING) -> sa.ColumnElement[bool]:
    """Return the conditions of a view; the same as `belongs` of static/list.js."""
    c = conversations.c
    if view == View.MINE:
        return sa.and_(c.owner == user_id, c.state == State.ASSIGNED.value)
    if view == View.SNOOZED:
        return sa.and_(c.owner == user_id, c.state == State.SNOOZED.value)
    if view == View.WAITING:
        return c.state == State.WAITING.value
    if view == View.MENTIONS:
        m = mentions.c
        reads = seen.reads(m.conversation, m.created_at)
        named = sa.select(m.conversation).where(m.user_id == user_id, reads)
        return c.id.in_(named)
    if view == View.OPEN:
        return c.state.in_([state.value for state in OPEN_STATES])
    return c.state.in_([State.RESOLVED.value, State.CLOSED.value])


def order(view: View, sort: str, user_id: str) -> tuple[sa.ColumnElement[Any], ...]:
    """Return the order of a view: `sort` if it is a `Sort`, else the view's own."""
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


def narrowed(filters: Filters, seen: Scope = EVERYTHING) -> list[sa.ColumnElement[bool]]:
    """Return the conditions of these filters, without the search."""
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
        if seen.teams is not None:
            # Asked only of those that are left: a label may be on very many.
            reads = seen.reads(labels.c.conversation, labels.c.created_at)
            put_on = labelled.where(labels.c.conversation == c.id, reads)
            conditions.append(sa.exists(put_on.correlate(conversations)))
    return conditions
