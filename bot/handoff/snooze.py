"""Snoozing: a conversation is hidden until a time, or until the customer writes.

The conversation stays the agent's, so the bot stays silent. Every housekeeper wakes due ones every
`EVERY_S`; the row's compare-and-set lets one of them win.
"""

from __future__ import annotations

import time

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from bot.conversation import store
from bot.conversation.changes import Changes
from bot.conversation.states import State
from bot.conversation.store import Conversation
from bot.errors import BadRequest, TransitionRefused
from bot.handoff.service import Agent
from bot.stores.database import Database
from bot.stores.set_aside import SetAside
from bot.stores.tables import conversations, messages, snoozes

EVERY_S = 2.0
LONGEST_S = 366 * 86400
REPLY = "reply"
UNTIL_REPLY = 0.0
"""Instead of a time: only the customer's next message ends the snooze."""


def parse_until(raw: str, now: float) -> float:
    """Parse the end of a snooze: Unix seconds, or `reply` for `UNTIL_REPLY`.

    Raises:
        BadRequest: No number, in the past, or more than a year away.
    """
    if raw == REPLY:
        return UNTIL_REPLY
    try:
        until = float(raw)
    except ValueError:
        until = 0.0
    if not now < until <= now + LONGEST_S:
        raise BadRequest("bad-time", "Choose a time between now and a year from now.")
    return until


class Snoozer:
    """Snoozes conversations and wakes them; one per process."""

    def __init__(self, database: Database, changes: Changes) -> None:
        self._database = database
        self._changes = changes
        self.aside = SetAside("snooze")

    async def snooze(
        self, conversation_id: str, agent: Agent, *, until: float, key: str
    ) -> Conversation:
        """Snooze a conversation of this agent.

        Raises:
            TransitionRefused: It is not assigned to this agent.
        """

        def work(connection: Connection) -> Conversation:
            current = _owned(connection, conversation_id, agent.id, State.SNOOZED)
            if current.last_change == key and current.state == State.SNOOZED:
                return current
            connection.execute(sa.delete(snoozes).where(snoozes.c.conversation == conversation_id))
            connection.execute(
                sa.insert(snoozes).values(
                    conversation=conversation_id,
                    user_id=agent.id,
                    until=until,
                    created_at=time.time(),
                )
            )
            return store.change(connection, current, State.SNOOZED, key=key)

        return await self._changes.apply(conversation_id, work)

    async def wake(self, conversation_id: str, owner: str, *, key: str) -> Conversation:
        """Give a snoozed conversation back to its agent.

        Raises:
            TransitionRefused: It is not snoozed by this agent.
        """

        def work(connection: Connection) -> Conversation:
            current = _owned(connection, conversation_id, owner, State.ASSIGNED)
            if current.last_change == key and current.state == State.ASSIGNED:
                return current
            if current.state != State.SNOOZED:
                raise TransitionRefused(conversation_id, current.state, State.ASSIGNED)
            connection.execute(sa.delete(snoozes).where(snoozes.c.conversation == conversation_id))
            return store.change(connection, current, State.ASSIGNED, key=key)

        return await self._changes.apply(conversation_id, work)

    async def wake_due(self, now: float) -> int:
        """Wake what is due or was written to; return how many."""
        due = await self._database.read(lambda c: _due(c, now, self.aside.ids()))
        woken = 0
        for conversation_id, owner, version in due:
            with self.aside.row(conversation_id):
                try:
                    await self.wake(conversation_id, owner, key=f"wake-{version}-{conversation_id}")
                    woken += 1
                except (TransitionRefused, BadRequest):
                    continue  # Another process was faster, or the agent woke it.
        return woken


def _due(connection: Connection, now: float, aside: list[str]) -> list[tuple[str, str, int]]:
    c, s, m = conversations.c, snoozes.c, messages.c
    wrote = sa.exists().where(
        m.conversation == s.conversation, m.author == "customer", m.created_at > s.created_at
    )
    due = sa.and_(s.until > UNTIL_REPLY, s.until <= now)
    rows = connection.execute(
        sa.select(c.id, c.owner, c.version)
        .join(snoozes, s.conversation == c.id)
        .where(c.state == State.SNOOZED.value, sa.or_(due, wrote), c.id.not_in(aside))
        .limit(100)
    )
    return [(row.id, row.owner or "", row.version) for row in rows]


def _owned(connection: Connection, conversation_id: str, owner: str, target: State) -> Conversation:
    current = store.get(connection, conversation_id)
    if current is None:
        raise BadRequest("unknown-conversation", "There is no such conversation.", status=404)
    if current.owner != owner:
        raise TransitionRefused(conversation_id, current.state, target)
    return current
