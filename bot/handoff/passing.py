"""Transfers of a conversation to an agent or into a team's queue, on its SQL row."""

from __future__ import annotations

import time

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from bot.conversation import store
from bot.conversation.states import ENDED, HUMAN, State
from bot.conversation.store import Conversation
from bot.errors import BadRequest, StaleConversation, TransitionRefused
from bot.events import Event, HandoffTransferred
from bot.handoff.taking import MakeEvent, take
from bot.routing import roster, teams
from bot.routing.model import EVERYONE, Match
from bot.stores.tables import users

DISABLED = "!"
"""First letter of the password hash of a user who may not log in."""


def to_team(
    connection: Connection,
    current: Conversation,
    team_id: str,
    *,
    key: str,
    event: MakeEvent,
    note: str,
) -> Conversation:
    """Put a conversation into a team's queue; an empty `team_id` keeps its team."""
    if current.last_change == key and current.state == State.WAITING:
        return current
    team = teams.get_team(connection, team_id or current.team or EVERYONE)
    awake = _awake(connection, current, key)
    return store.change(
        # Without `last_agent`, or routing would give it back to the agent who passed it on.
        connection,
        awake,
        State.WAITING,
        key=key,
        team=team.id,
        last_agent=None,
        events=(event(current, HandoffTransferred(len(note), team=team.id)),),
    )


def to_agent(
    connection: Connection, current: Conversation, agent_id: str, *, key: str, event: MakeEvent
) -> Conversation:
    """Give a conversation to an agent, whoever has it now.

    Raises:
        BadRequest: There is no such agent (404), or they may not log in (409).
        TransitionRefused: It has ended.
    """
    if current.owner == agent_id and current.state in HUMAN:
        return current
    if current.state in ENDED:
        raise TransitionRefused(current.id, current.state, State.ASSIGNED)
    name(connection, agent_id)
    if current.state in HUMAN:
        # Through the queue, as the table of states requires, but with no waiting time, so that
        # none counts in the estimates.
        transferred = event(current, HandoffTransferred(0, to=agent_id))
        current = store.change(
            connection,
            _awake(connection, current, key),
            State.WAITING,
            key=f"{key}:free",
            events=(transferred,),
            waiting_since=None,
        )
    return take(connection, current, agent_id, key=key, event=event, to=agent_id)


def route(connection: Connection, current: Conversation, match: Match, *, key: str) -> Conversation:
    """Give a waiting conversation to the agent that matching chose.

    Raises:
        TransitionRefused: It changed since, or the agent has no free capacity any more.
        BadRequest: The agent may not log in any more.
    """
    if current.last_change == key and current.owner == match.agent:
        return current
    if current.state != State.WAITING or current.version != match.version:
        raise StaleConversation(current.id, current.state, State.ASSIGNED)
    name(connection, match.agent)
    # Writing to the agent's row first keeps two processes from counting at the same time.
    teams.note_routed(connection, match.agent, time.time())
    capacity = teams.profiles(connection, [match.agent])[match.agent].capacity
    if roster.loads_of(connection, [match.agent]).get(match.agent, 0) >= capacity:
        raise TransitionRefused(current.id, current.state, State.ASSIGNED)
    return take(
        connection,
        current,
        match.agent,
        key=key,
        event=lambda c, what: Event.of(
            c, what, key=f"{c.id}:{key}", actor="system", actor_id=match.agent
        ),
        to=match.agent,
        why=match.why,
    )


def check_right(current: Conversation, agent_id: str, supervises: bool, target: State) -> None:
    """Check that an agent may move a conversation: the owner, supervisors, or any if it waits.

    Raises:
        TransitionRefused: It is another agent's.
    """
    if current.state in HUMAN and current.owner != agent_id and not supervises:
        raise TransitionRefused(current.id, current.state, target)


def name(connection: Connection, user_id: str) -> str:
    """Return the display name of a user who can work.

    Raises:
        BadRequest: There is no user with this id (404), or they may not log in (409).
    """
    row = connection.execute(
        sa.select(users.c.name, users.c.password_hash).where(users.c.id == user_id)
    ).first()
    if row is None:
        raise BadRequest("unknown-agent", "There is no such agent.", status=404)
    if row.password_hash.startswith(DISABLED):
        raise BadRequest("agent-disabled", "This agent's account is closed.", status=409)
    return str(row.name)


def _awake(connection: Connection, current: Conversation, key: str) -> Conversation:
    if current.state != State.SNOOZED:
        return current
    return store.change(connection, current, State.ASSIGNED, key=f"{key}:awake")
