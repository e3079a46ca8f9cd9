"""Change of owner to an agent, behind claim, assignment and routing."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from sqlalchemy.engine import Connection

from bot.conversation import store
from bot.conversation.states import Cause, State
from bot.conversation.store import Conversation
from bot.events import Event, EventData, HandoffAssigned, HandoffRequested
from bot.routing import teams
from bot.routing.match import team_for

MakeEvent = Callable[[Conversation, EventData], Event]
"""Makes an event of the acting person: conversation, event data."""


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
    """Give an agent a conversation that waits, or that the bot has.

    From the bot it is a takeover, so a handoff event with that cause comes first. One of no team
    gets one of the person's, so that what they talk about stays with their colleagues.

    Args:
        owner: Id of an agent, or of the people in a page's own inbox.
        key: Idempotency key of the change.
        to: Id of the agent it was given to, where another person acts.
        why: Why the routing chose them, see `HandoffAssigned`.

    Raises:
        StaleConversation: Another change came first.
    """
    now = time.time()
    team = current.team or team_of(connection, current, owner)
    values: dict[str, Any] = {"owner": owner, "team": team}
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


def team_of(connection: Connection, current: Conversation, owner: str) -> str | None:
    """Id of the team that a conversation of no team gets with its new owner, if any.

    Of an agent's several teams it is the one a handoff would wait for, else the first by name; an
    agent of none, and the people of a page's own inbox, leave it to everyone, as it was.
    """
    listed, theirs = teams.list_teams(connection), teams.teams_of(connection, owner)
    own = [team for team in listed if team.id in theirs]
    named = [team for team in own if not team.everyone]
    if not named:
        return None
    fitting = team_for(current.language, current.topic or "", own)
    return named[0].id if fitting.everyone else fitting.id
