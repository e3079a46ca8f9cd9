"""Agents' changes beside the owner: reopening and priority. Blocking is in `blocking`.

Like every change it is SQL first, compared with the row that was read, and written once per key.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from bot.conversation import store
from bot.conversation.changes import Changes
from bot.conversation.states import ENDED, State
from bot.conversation.store import Conversation
from bot.errors import BadRequest, StaleConversation, TransitionRefused
from bot.events import ConversationPrioritised, ConversationReopened, Event, EventData
from bot.handoff.service import Agent
from bot.handoff.taking import team_of
from bot.stores.event_log import write_events
from bot.stores.tables import conversations

HIGHEST_PRIORITY = 3
"""0 is usual; the queue serves higher ones first."""


def get_conversation(connection: Connection, conversation_id: str) -> Conversation:
    """Read a conversation.

    Raises:
        BadRequest: There is none with this id (status 404).
    """
    conversation = store.get(connection, conversation_id)
    if conversation is None:
        raise BadRequest("unknown-conversation", "There is no such conversation.", status=404)
    return conversation


def event(conversation: Conversation, what: EventData, key: str, agent: Agent) -> Event:
    """An event of an agent; once per conversation and key."""
    return Event.of(
        conversation, what, key=f"{conversation.id}:{key}", actor="agent", actor_id=agent.id
    )


async def reopen(changes: Changes, conversation_id: str, agent: Agent, *, key: str) -> Conversation:
    """Take up an episode that has ended; it goes on as it was, now with this agent.

    Raises:
        TransitionRefused: It has not ended, or the customer has begun a new episode.
        BadRequest: The customer is blocked (status 409).
    """

    def work(connection: Connection) -> Conversation:
        current = get_conversation(connection, conversation_id)
        if current.state not in ENDED and current.last_change != key:
            raise TransitionRefused(conversation_id, current.state, State.ASSIGNED)
        if current.blocked:
            raise BadRequest("customer-blocked", "Unblock the customer first.", status=409)
        reopened = event(current, ConversationReopened(current.state.value), key, agent)
        team = current.team or team_of(connection, current, agent.id)
        return store.change(
            connection,
            current,
            State.ASSIGNED,
            key=key,
            events=(reopened,),
            owner=agent.id,
            team=team,
        )

    return await changes.apply(conversation_id, work)


def parse_priority(raw: str) -> int:
    """Read a priority.

    Raises:
        BadRequest: Not a whole number from 0 to `HIGHEST_PRIORITY`.
    """
    if len(raw) == 1 and raw in "0123456789" and int(raw) <= HIGHEST_PRIORITY:
        return int(raw)
    raise BadRequest("bad-priority", f"A priority is 0 to {HIGHEST_PRIORITY}.")


async def prioritise(
    changes: Changes, conversation_id: str, agent: Agent, priority: int, *, key: str
) -> int:
    """Set the priority; return the one it had."""
    before = 0

    def work(connection: Connection) -> Conversation:
        nonlocal before
        current = get_conversation(connection, conversation_id)
        before = current.priority
        if before == priority:
            return current
        prioritised = event(current, ConversationPrioritised(priority, before), key, agent)
        write_events(connection, [prioritised])
        return update(connection, current, priority=priority)

    await changes.apply(conversation_id, work)
    return before


def update(connection: Connection, current: Conversation, **values: Any) -> Conversation:
    """Set columns beside the state.

    Raises:
        StaleConversation: The row is no longer the one that was read.
    """
    c = conversations.c
    done = connection.execute(
        sa.update(conversations)
        .where(c.id == current.id, c.version == current.version)
        .values(version=current.version + 1, **values)
    )
    if done.rowcount != 1:
        raise StaleConversation(current.id, current.state, current.state)
    return get_conversation(connection, current.id)
