"""Rows of `conversations` in SQL: the truth about owner, state and episode.

Every change is a compare-and-set on the row's `version` and writes its event in the same
transaction, so the log neither misses a change nor has one that did not happen.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from bot.conversation import stints
from bot.conversation.states import ENDED, State, is_allowed
from bot.errors import StaleConversation, TransitionRefused
from bot.events import EpisodeStarted, Event, Subject
from bot.stores.database import insert_ignore
from bot.stores.event_log import write_events
from bot.stores.packing import pack, unpack
from bot.stores.tables import conversations, customers, queue_times
from bot.streams.messages import Inbound


@dataclass(frozen=True)
class Conversation:
    """Row of `conversations`."""

    id: str
    channel: str
    account: str
    vendor_user: str
    customer_id: str
    state: State
    version: int
    """Grows by one with each change of state."""
    owner: str | None
    """User id of the agent, while assigned or snoozed."""
    episode_id: str
    episode_started_at: float
    stint: int
    """Counts how often the bot took the conversation over; it introduces itself once per stint."""
    language: str
    priority: int
    """Higher goes first."""
    cause: str | None
    cause_detail: Mapping[str, Any] | None
    """Numbers and thresholds behind the handoff."""
    waiting_since: float | None
    last_message_at: float
    last_change: str | None
    """Idempotency key of the last change."""
    sentiment: float | None
    """Running mean of negativity, 0–1, as of the last handoff."""
    blocked: bool = False
    """Whether messages from and to this customer are dropped."""

    team: str | None = None
    """Team it waits for or is assigned to; None while the bot has it. `stints` remembers."""
    topic: str | None = None
    """Topic of the entry it was handed off with, or the one an agent chose."""
    callback_at: float | None = None
    """When the customer asked for an answer later; None while they wait in the chat."""
    late_told_at: float | None = None
    """When the customer was last sent a notice that it takes longer."""
    last_agent: str | None = None
    """User id of the agent this customer had last."""

    def to_json(self) -> str:
        return pack(self)

    @classmethod
    def from_json(cls, text: str | bytes) -> Conversation:
        data = unpack(text)
        data["state"] = State(data["state"])
        # While machines are updated, a newer process may have written more.
        return cls(**{item.name: data[item.name] for item in fields(cls) if item.name in data})

    @classmethod
    def from_row(cls, row: Mapping[str, Any] | sa.RowMapping) -> Conversation:
        return cls(**{**dict(row), "state": State(row["state"])})


PAGE_INBOX = "page-inbox:"
"""Prefix of the owner where people answer outside our desk."""


def is_answered_elsewhere(conversation: Conversation) -> bool:
    """Tell whether its owner answers outside our desk; any agent may then take it."""
    return (conversation.owner or "").startswith(PAGE_INBOX)


def get(connection: Connection, conversation_id: str) -> Conversation | None:
    """Read one conversation."""
    row = (
        connection.execute(sa.select(conversations).where(conversations.c.id == conversation_id))
        .mappings()
        .first()
    )
    return Conversation.from_row(row) if row else None


def open_for(connection: Connection, inbound: Inbound, language: str) -> Conversation:
    """Return a message's conversation; create it, or start an episode if it has ended."""
    conversation = get(connection, inbound.conversation)
    if conversation is None:
        now = inbound.received_at or time.time()
        customer = f"c-{inbound.conversation}"
        insert_ignore(
            connection,
            customers,
            [
                {
                    "id": customer,
                    "name": inbound.name[:256],
                    "locale": inbound.locale[:32],
                    "zone": inbound.zone,
                    "created_at": now,
                }
            ],
        )
        row = {
            "id": inbound.conversation,
            "channel": inbound.channel,
            "account": inbound.account,
            "vendor_user": inbound.vendor_user,
            "customer_id": customer,
            "state": State.BOT.value,
            "version": 1,
            "owner": None,
            "episode_id": inbound.id,
            "episode_started_at": now,
            "stint": 1,
            "language": language,
            "priority": 0,
            "cause": None,
            "cause_detail": None,
            "waiting_since": None,
            "last_message_at": now,
            "last_change": inbound.id,
            "sentiment": None,
            "blocked": False,
        }
        insert_ignore(connection, conversations, [row])
        write_events(connection, [_episode_started(row, inbound.id)])
        conversation = get(connection, inbound.conversation)
        assert conversation is not None  # noqa: S101 - inserted above in this very transaction
    if conversation.state in ENDED and not conversation.blocked:
        if inbound.zone:
            c = customers.c
            connection.execute(
                sa.update(customers)
                .where(c.id == conversation.customer_id, c.zone != inbound.zone)
                .values(zone=inbound.zone)
            )
        return change(
            connection,
            conversation,
            State.BOT,
            key=inbound.id,
            now=inbound.received_at or time.time(),
            episode_id=inbound.id,
        )
    return conversation


def change(
    connection: Connection,
    current: Conversation,
    target: State,
    *,
    key: str,
    events: tuple[Event, ...] = (),
    now: float | None = None,
    **values: Any,
) -> Conversation:
    """Change the state of a conversation, once per key.

    Args:
        current: The row as read; another change since then makes this one fail.
        key: Idempotency key; the same key again returns the row unchanged.
        events: Written in the same transaction.
        values: Columns to set beside the state, such as `owner` or `cause`.

    Raises:
        TransitionRefused: The table in `states` has no such step.
        StaleConversation: The row is no longer the one that was read.
    """
    changed_at = time.time() if now is None else now
    if current.last_change == key and current.state == target:
        return current
    if not is_allowed(current.state, target):
        raise TransitionRefused(current.id, current.state, target)
    updates: dict[str, Any] = {
        "state": target.value,
        "version": current.version + 1,
        "last_change": key,
        **values,
    }
    if target == State.BOT:
        updates.update(
            stint=current.stint + 1,
            owner=None,
            waiting_since=None,
            cause=None,
            cause_detail=None,
            team=None,
            callback_at=None,
            late_told_at=None,
        )
    if target == State.ASSIGNED and updates.get("owner"):
        updates["last_agent"] = updates["owner"]
    if target == State.WAITING:
        updates.setdefault("waiting_since", changed_at)
        updates.setdefault("owner", None)
        # A customer who left a message still waits for its answer, whichever agent has it.
        updates.setdefault("callback_at", current.callback_at)
        updates.setdefault("late_told_at", None)
    if target == State.BOT and current.state in ENDED:
        # Now and not when the recorder writes: the search for idle conversations must not find it.
        updates.update(episode_started_at=changed_at, last_message_at=changed_at, topic=None)
    _write(connection, current, target, updates, changed_at)
    if current.state == State.WAITING and target == State.ASSIGNED and current.waiting_since:
        connection.execute(
            sa.insert(queue_times).values(
                assigned_at=changed_at, wait_s=max(0.0, changed_at - current.waiting_since)
            )
        )
    if target == State.BOT and current.state in ENDED:
        events = (*events, _episode_started({**asdict(current), **updates}, key))
    write_events(connection, events)
    updated = get(connection, current.id)
    assert updated is not None  # noqa: S101 - updated above
    return updated


def amend(
    connection: Connection,
    current: Conversation,
    *,
    key: str,
    events: tuple[Event, ...] = (),
    **values: Any,
) -> Conversation:
    """Set columns of a conversation without changing its state, once; arguments as in `change`.

    Raises:
        StaleConversation: The row is no longer the one that was read.
    """
    if current.last_change == key:
        return current
    updates = {"version": current.version + 1, "last_change": key, **values}
    _write(connection, current, current.state, updates, time.time())
    write_events(connection, events)
    updated = get(connection, current.id)
    assert updated is not None  # noqa: S101 - updated above
    return updated


def _write(
    connection: Connection,
    current: Conversation,
    target: State,
    updates: dict[str, Any],
    moment: float,
) -> None:
    result = connection.execute(
        sa.update(conversations)
        .where(conversations.c.id == current.id, conversations.c.version == current.version)
        .values(**updates)
    )
    if result.rowcount != 1:
        raise StaleConversation(current.id, current.state, target)
    team = updates.get("team", current.team)
    if team != current.team or target == State.BOT:
        stints.note(connection, current, team, moment)


def _episode_started(row: Mapping[str, Any], key: str) -> Event:
    return Event.of(
        Subject(row["id"], row["episode_id"], row["channel"], row["language"]),
        EpisodeStarted(),
        key=key,
        actor="customer",
        occurred_at=row["episode_started_at"],
    )
