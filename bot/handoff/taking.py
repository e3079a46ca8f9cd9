"""A person takes a conversation: the one change of owner behind claim, assignment and routing."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from sqlalchemy.engine import Connection

from bot.conversation import store
from bot.conversation.states import Cause, State
from bot.conversation.store import Conversation
from bot.events import Event, EventData, HandoffAssigned, HandoffRequested

MakeEvent = Callable[[Conversation, EventData], Event]
"""Makes an event of whoever acts: conversation, what happened."""


def take(
    connection: Connection,
    current: Conversation,
    owner: str,
    *,
    key: str,
    event: MakeEvent,
    to: str | None = None,
    why: str | None = None,
) -> Conversation:
    """Let a person have a conversation that waits, or that the bot has.

    From the bot it is taken over, so a handoff is noted first, with that cause.

    Args:
        owner: Id of an agent, or of the people of a page's own inbox.
        key: Idempotency key of the change.
        to: Id of the agent it was given to, where somebody else acts.
        why: Why the routing chose them, see `HandoffAssigned`.

    Raises:
        StaleConversation: Somebody was faster.
    """
    now = time.time()
    values: dict[str, Any] = {"owner": owner}
    events = []
    if current.state == State.BOT:
        cause = Cause.AGENT_TAKEOVER.value
        values.update(cause=cause, cause_detail={"agent": owner})
        events.append(event(current, HandoffRequested(cause)))
    wait_s = now - current.waiting_since if current.waiting_since else 0.0
    events.append(event(current, HandoffAssigned(round(wait_s, 3), to=to, why=why)))
    return store.change(
        connection, current, State.ASSIGNED, key=key, events=tuple(events), now=now, **values
    )
