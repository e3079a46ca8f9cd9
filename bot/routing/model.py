"""What routing decides on: teams, agents, waiting conversations; plain values, no clock, no IO."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from bot.routing.hours import Hours

EVERYONE = "everyone"
"""Id of the team that is always there and has every user in it."""
LEVELS = (1, 2, 3)
"""How well an agent knows a language: 1 gets by, 2 good, 3 like a first language."""


class Presence(StrEnum):
    """What an agent chose, or what their silence says."""

    ONLINE = "online"
    """Gets conversations."""
    BUSY = "busy"
    """At the desk, gets no new ones."""
    AWAY = "away"
    """Not at the desk for a moment: chosen, or nothing was done for a while."""
    OFFLINE = "offline"
    """No desk open, or chosen not to be seen."""


@dataclass(frozen=True)
class Team:
    """People who answer for the same things."""

    id: str
    name: str
    everyone: bool = False
    """Every user is a member."""
    languages: frozenset[str] = frozenset()
    """Languages it is chosen for; empty for any."""
    topics: frozenset[str] = frozenset()
    """Topics it is chosen for; empty for any."""
    hours: Hours = field(default_factory=Hours)
    overflow_after_s: int = 300
    """Seconds of waiting after which others may take its conversations."""
    overflow_to: tuple[str, ...] = ()
    """Ids of the teams that then may."""


DEFAULT_TEAM = Team(EVERYONE, "Everyone", everyone=True)


@dataclass(frozen=True)
class Seat:
    """An agent as routing sees them."""

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
    """When they last were given one, Unix seconds."""


@dataclass(frozen=True)
class Waiting:
    """A conversation in the queue."""

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
    """A decision: this conversation goes to this agent."""

    conversation: str
    agent: str
    why: str
    """`returning`, `team` or `overflow`."""
    version: int = 0
