"""Data types of routing: teams, agents, waiting conversations, matches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from bot.routing.hours import Hours

EVERYONE = "everyone"
"""Id of the team that always exists and has every user as member."""
LEVELS = (1, 2, 3)
"""Language levels of an agent: 1 basic, 2 good, 3 like a first language."""


class Presence(StrEnum):
    """Presence of an agent: chosen, or concluded from inactivity."""

    ONLINE = "online"
    """Gets new conversations."""
    BUSY = "busy"
    """At the desk, but gets no new conversations."""
    AWAY = "away"
    """Away from the desk: chosen, or inactive for a while."""
    OFFLINE = "offline"
    """No desk is open, or chosen."""


@dataclass(frozen=True)
class Team:
    """Agents who answer for the same topics and languages."""

    id: str
    name: str
    everyone: bool = False
    """Whether every user is a member."""
    languages: frozenset[str] = frozenset()
    """Languages it is chosen for; empty for any."""
    topics: frozenset[str] = frozenset()
    """Topics it is chosen for; empty for any."""
    hours: Hours = field(default_factory=Hours)
    overflow_after_s: int = 300
    """Seconds of waiting after which other teams may take its conversations."""
    overflow_to: tuple[str, ...] = ()
    """Ids of those teams."""


DEFAULT_TEAM = Team(EVERYONE, "Everyone", everyone=True)


@dataclass(frozen=True)
class RoutingAgent:
    """An agent with what routing needs to know."""

    id: str
    teams: frozenset[str]
    languages: Mapping[str, int] = field(default_factory=dict)
    """Language → level; empty for any."""
    capacity: int = 5
    """Conversations at once."""
    load: int = 0
    """Conversations they have now."""
    presence: Presence = Presence.ONLINE
    routed_at: float = 0.0
    """When they were last given a conversation, Unix seconds."""


@dataclass(frozen=True)
class Waiting:
    """Conversation in the queue."""

    id: str
    team: str
    language: str
    priority: int
    waiting_since: float
    """Unix seconds."""
    before: str = ""
    """The agent this customer had last; empty if none."""
    version: int = 0
    """Of the row, for the compare-and-set that follows."""


@dataclass(frozen=True)
class Match:
    """Decision to give a conversation to an agent."""

    conversation: str
    agent: str
    why: str
    """`returning`, `team` or `overflow`."""
    version: int = 0
