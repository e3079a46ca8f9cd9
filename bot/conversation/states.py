"""States of a conversation, and the table of allowed changes between them.

Drawn in docs/architecture.md; a property test checks that every other change is refused.
"""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """State of a conversation, which says who owns it; the value is what the SQL row holds."""

    BOT = "bot"
    """The bot answers; `owner` is null."""
    WAITING = "waiting"
    """In the queue, with `waiting_since`, `cause`, `cause_detail`; the bot sends notices only."""
    ASSIGNED = "assigned"
    """`owner` is the agent; the bot is silent."""
    SNOOZED = "snoozed"
    """Still the agent's, hidden from the inbox until a time or a customer message."""
    RESOLVED = "resolved"
    """Ended by an agent with a topic and outcome; the next message starts an episode."""
    CLOSED = "closed"
    """Ended automatically; the next message starts an episode."""


class Cause(StrEnum):
    """Why a conversation was handed to a person."""

    ASKED = "asked"
    LOW_CONFIDENCE = "low-confidence"
    NARROW_MARGIN = "narrow-margin"
    REPEATED_FALLBACK = "repeated-fallback"
    NEGATIVE_SENTIMENT = "negative-sentiment"
    POLICY = "policy"
    AGENT_TAKEOVER = "agent-takeover"
    BOT_FAILURE = "bot-failure"


TRANSITIONS: dict[State, frozenset[State]] = {
    State.BOT: frozenset({State.WAITING, State.ASSIGNED, State.CLOSED}),
    State.WAITING: frozenset({State.ASSIGNED, State.BOT, State.CLOSED}),
    State.ASSIGNED: frozenset({State.BOT, State.WAITING, State.SNOOZED, State.RESOLVED}),
    State.SNOOZED: frozenset({State.ASSIGNED}),
    State.RESOLVED: frozenset({State.BOT, State.ASSIGNED}),
    State.CLOSED: frozenset({State.BOT, State.ASSIGNED}),
}

ENDED = frozenset({State.RESOLVED, State.CLOSED})
"""States in which the next customer message starts a new episode."""

HUMAN = frozenset({State.ASSIGNED, State.SNOOZED})
"""States in which an agent owns the conversation and the bot is silent."""


def is_allowed(state: State, target: State) -> bool:
    """Tell whether the table has a change from one state to another."""
    return target in TRANSITIONS[state]
