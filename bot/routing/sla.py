"""Service-level clocks: which run, when they are due, how they end; pure functions.

First and next reply are the figures of docs/metrics.md (first reply time, reply wait time), so
that a breach and a report never disagree: only an agent's reply to the customer stops them.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from bot.routing.hours import Hours

WARN_AT = 0.75
"""Share of the allowed time after which a warning comes."""
LEAST_LEFT_S = 30.0
"""A warning comes at least this long before the breach, if the allowed time is that long."""


class Clock(StrEnum):
    """Kinds of clocks."""

    FIRST = "first-reply"
    NEXT = "next-reply"
    RESOLUTION = "resolution"


class ClockState(StrEnum):
    """States of a clock."""

    RUNNING = "running"
    WARNED = "warned"
    BREACHED = "breached"
    """Overdue, and still running."""
    MET = "met"
    LATE = "late"
    """Ended after a breach."""
    VOID = "void"
    """Ended because no reply is owed any more: returned to the bot, or abandoned."""


@dataclass(frozen=True)
class SlaPolicy:
    """Allowed times for some conversations; an empty field fits any."""

    id: str
    name: str
    team: str = ""
    channel: str = ""
    least_priority: int = 0
    """Lowest priority of conversations it fits."""
    first_reply_s: int | None = None
    next_reply_s: int | None = None
    resolution_s: int | None = None
    business_hours: bool = True
    """Whether time counts only while the team works."""

    def allowed(self, clock: Clock) -> int | None:
        return {
            Clock.FIRST: self.first_reply_s,
            Clock.NEXT: self.next_reply_s,
            Clock.RESOLUTION: self.resolution_s,
        }[clock]


@dataclass(frozen=True)
class Facts:
    """Facts of one conversation that its clocks depend on; moments in Unix seconds."""

    team: str
    channel: str
    priority: int
    owed: bool
    """Whether an agent has it, or it waits for one."""
    requested_at: float | None
    """First handoff of the episode."""
    first_reply_at: float | None
    """First reply of an agent since then."""
    unanswered_since: float | None
    """First message of the customer after an agent's last reply and since the last handoff; None if
    there is none."""
    answered_at: float | None
    """Last reply of an agent."""
    resolved_at: float | None


def policy_for(facts: Facts, policies: Collection[SlaPolicy]) -> SlaPolicy | None:
    """Return the most specific policy: by team, then priority, then channel."""
    fitting = [
        p
        for p in policies
        if p.team in ("", facts.team)
        and p.channel in ("", facts.channel)
        and facts.priority >= p.least_priority
    ]
    if not fitting:
        return None
    return min(
        fitting,
        key=lambda p: (-bool(p.team), -p.least_priority, -bool(p.channel), p.name, p.id),
    )


def running(facts: Facts) -> dict[Clock, float]:
    """Return the clocks that run, with the moment each started."""
    if not facts.owed or facts.requested_at is None:
        return {}
    clocks = {}
    if facts.first_reply_at is None:
        clocks[Clock.FIRST] = facts.requested_at
    elif facts.unanswered_since is not None:
        clocks[Clock.NEXT] = facts.unanswered_since
    if facts.resolved_at is None:
        clocks[Clock.RESOLUTION] = facts.requested_at
    return clocks


def moments(started_at: float, allowed_s: float, hours: Hours | None) -> tuple[float, float]:
    """Return when a clock warns and when it is due.

    Args:
        hours: Working hours of the team; None counts all time.
    """
    warn_s = max(0.0, min(allowed_s * WARN_AT, allowed_s - LEAST_LEFT_S))
    if hours is None:
        return started_at + warn_s, started_at + allowed_s
    return hours.add(started_at, warn_s), hours.add(started_at, allowed_s)


def running_state(now: float, warn_at: float, due_at: float) -> ClockState:
    """Return the state of a running clock."""
    if now >= due_at:
        return ClockState.BREACHED
    return ClockState.WARNED if now >= warn_at else ClockState.RUNNING


def ended(clock: Clock, facts: Facts, started_at: float, due_at: float) -> tuple[ClockState, float]:
    """Return the state of a clock that has ended, and when it ended."""
    at = {
        Clock.FIRST: facts.first_reply_at,
        Clock.NEXT: facts.answered_at,
        Clock.RESOLUTION: facts.resolved_at,
    }[clock]
    if at is None or at < started_at:
        return ClockState.VOID, 0.0
    return (ClockState.MET if at <= due_at else ClockState.LATE), at
