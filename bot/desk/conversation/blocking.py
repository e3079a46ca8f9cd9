"""Blocking of customers: their messages are dropped and they get none, on all their channels.

The mark stands in the conversation's row, so the engine knows it from the copy it reads anyway.
A blocked customer's messages are counted (`message.refused`) and not kept.
"""

from __future__ import annotations

from functools import partial

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from bot.conversation import store
from bot.conversation.changes import Changes
from bot.conversation.states import HUMAN, State
from bot.conversation.store import Conversation
from bot.desk.conversation.moves import event, get_conversation, update
from bot.desk.people import audit, scope
from bot.desk.people.scope import EVERYTHING
from bot.errors import TransitionRefused
from bot.events import ConversationResolved, EpisodeClosed
from bot.handoff.service import Agent
from bot.stores.database import Database
from bot.stores.tables import conversations

OUTCOME = "spam"
"""What `conversation.resolved` says of an episode that ended by blocking."""


async def block(
    database: Database,
    changes: Changes,
    conversation_id: str,
    agent: Agent,
    *,
    topic: str,
    key: str,
) -> None:
    """Block the customer of a conversation and end it, without a word to them.

    Conversations that the agent does not see are left to a supervisor, who may block again.

    Args:
        topic: What the report shows for an episode that this ends.

    Raises:
        TransitionRefused: Another agent has the conversation.
    """
    for id_ in await database.read(lambda c: _all(c, conversation_id, agent)):
        named = id_ == conversation_id
        await changes.apply(
            id_,
            partial(_block, conversation_id=id_, named=named, agent=agent, topic=topic, key=key),
        )


async def unblock(
    database: Database, changes: Changes, conversation_id: str, agent: Agent
) -> list[str]:
    """Let the customer write again in the conversations the agent sees, and name these."""

    def work(connection: Connection, id_: str) -> Conversation:
        current = get_conversation(connection, id_)
        if not current.blocked:
            return current
        audit.write(connection, agent.id, "customer.unblocked", id_)
        return update(connection, current, blocked=False)

    ids = await database.read(lambda c: _all(c, conversation_id, agent))
    for id_ in ids:
        await changes.apply(id_, partial(work, id_=id_))
    return ids


def _all(connection: Connection, conversation_id: str, agent: Agent) -> list[str]:
    """The conversation first, then the customer's others, as far as the agent sees them."""
    current, c = get_conversation(connection, conversation_id), conversations.c
    seen = EVERYTHING if agent.supervises else scope.of_id(connection, agent.id)
    others = connection.execute(
        sa.select(c.id).where(
            c.customer_id == current.customer_id, c.id != current.id, seen.condition()
        )
    )
    return [current.id, *others.scalars()]


def _block(
    connection: Connection, conversation_id: str, named: bool, agent: Agent, topic: str, key: str
) -> Conversation:
    current = get_conversation(connection, conversation_id)
    if current.blocked:
        return current
    others = current.state in HUMAN and current.owner != agent.id
    if others and named:
        raise TransitionRefused(conversation_id, current.state, State.RESOLVED)
    audit.write(connection, agent.id, "customer.blocked", conversation_id)
    current = update(connection, current, blocked=True)
    if current.state == State.SNOOZED and not others:
        current = store.change(connection, current, State.ASSIGNED, key=f"{key}:woken")
    if current.state == State.ASSIGNED and not others:
        ended = event(current, ConversationResolved(topic, OUTCOME), key, agent)
        return store.change(connection, current, State.RESOLVED, key=key, events=(ended,))
    if current.state in {State.BOT, State.WAITING}:
        ended = event(current, EpisodeClosed("blocked"), key, agent)
        return store.change(connection, current, State.CLOSED, key=key, events=(ended,))
    return current
