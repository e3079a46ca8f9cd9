"""Clocks of a service level: which run, until when, and what has become of them; pure functions.

First and next reply are the figures of docs/metrics.md (first reply time, reply wait time), so
that a breach and a report never disagree: only a person's public words stop them.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from bot.routing.hours import Hours

WARN_AT = 0.75
"""Share of the time allowed after which people are warned."""
LEAST_LEFT_S = 30.0
"""A warning comes at least this long before the breach, where that much is allowed at all."""


class Clock(StrEnum):
    """What is promised."""

    FIRST = "first-reply"
    NEXT = "next-reply"
    RESOLUTION = "resolution"


class Standing(StrEnum):
    """What has become of a clock."""

    RUNNING = "running"
    WARNED = "warned"
    BREACHED = "breached"
    """Its time is over, and it still runs."""
    MET = "met"
    LATE = "late"
    """It was breached, and has ended."""
    VOID = "void"
    """It ended without an answer being owed any longer: returned to the bot, or abandoned."""


@dataclass(frozen=True)
class Policy:
    """What is promised to whom; an empty field fits any."""

    id: str
    name: str
    team: str = ""
    channel: str = ""
    least_priority: int = 0
    """Fits conversations of at least this priority."""
    first_reply_s: int | None = None
    next_reply_s: int | None = None
    resolution_s: int | None = None
    business_hours: bool = True
    """Time counts only while the team works."""

    def allowed(self, clock: Clock) -> int | None:
        return {
            Clock.FIRST: self.first_reply_s,
            Clock.NEXT: self.next_reply_s,
            Clock.RESOLUTION: self.resolution_s,
        }[clock]


@dataclass(frozen=True)
class Facts:
    """What the clocks of one conversation follow from; moments in Unix seconds."""

    team: str
    channel: str
    priority: int
    owed: bool
    """A person has it, or it waits for one."""
    requested_at: float | None
    """First handoff of the episode."""
    first_reply_at: float | None
    """First words of a person since then."""
    unanswered_since: float | None
    """First message of the customer after the last words of a person, and since the last handoff;
    None if there is none."""
    answered_at: float | None
    """Last words of a person."""
    resolved_at: float | None


def policy_for(facts: Facts, policies: Collection[Policy]) -> Policy | None:
    """The policy that says most about a conversation: team before priority before channel."""
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
    """Clocks that run, with the moment each began."""
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
    """When a clock warns and when it is due.

    Args:
        hours: The team's, where only they count; None counts all time.
    """
    warn_s = max(0.0, min(allowed_s * WARN_AT, allowed_s - LEAST_LEFT_S))
    if hours is None:
        return started_at + warn_s, started_at + allowed_s
    return hours.add(started_at, warn_s), hours.add(started_at, allowed_s)


def standing(now: float, warn_at: float, due_at: float) -> Standing:
    """What a clock that runs has come to."""
    if now >= due_at:
        return Standing.BREACHED
    return Standing.WARNED if now >= warn_at else Standing.RUNNING


def ended(clock: Clock, facts: Facts, started_at: float, due_at: float) -> tuple[Standing, float]:
    """What a clock that ran before, and runs no longer, has come to, and when."""
    at = {
        Clock.FIRST: facts.first_reply_at,
        Clock.NEXT: facts.answered_at,
        Clock.RESOLUTION: facts.resolved_at,
    }[clock]
    if at is None or at < started_at:
        return Standing.VOID, 0.0
    return (Standing.MET if at <= due_at else Standing.LATE), at
