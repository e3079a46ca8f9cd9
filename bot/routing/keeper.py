"""Service-level keeper: starts clocks, warns, notes breaches and ends clocks.

One of the housekeepers does it, under a lease. Everything is computed from stored rows, so a late
run finds the same breaches as one in time.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import redis.asyncio
from sqlalchemy.engine import Connection

from bot.conversation.changes import announce
from bot.events import Event, SlaBreached, SlaWarned
from bot.routing import facts, policies, sla, teams
from bot.routing.facts import ConversationFacts
from bot.routing.hours import Hours
from bot.routing.model import Team
from bot.routing.policies import StoredClock
from bot.routing.sla import ClockState, SlaPolicy
from bot.settings import Settings
from bot.stores.database import Database
from bot.stores.event_log import write_events
from bot.stores.set_aside import SetAside
from bot.streams.lease import Leases

EVERY_S = 5.0
REST_SHARE = 10.0
"""The rest is at least this many times as long as the run before it."""
AT_ONCE = 250
"""Conversations written in one transaction; on SQLite other writers wait for it."""
EVENT_TYPES: dict[ClockState, type[SlaWarned]] = {
    ClockState.WARNED: SlaWarned,
    ClockState.BREACHED: SlaBreached,
    ClockState.LATE: SlaBreached,
}


Change = tuple[StoredClock, Event | None]
"""A clock to store, and the event that goes with it."""


@dataclass(frozen=True)
class Changes:
    """Changes of clocks found in one run."""

    changes: tuple[Change, ...]


class SlaKeeper:
    """Keeper of all clocks; one per process, one of them at work."""

    def __init__(
        self, settings: Settings, database: Database, client: redis.asyncio.Redis, holder: str
    ) -> None:
        self._database = database
        self._redis = client
        self.leases = Leases(client, "sla", holder, 1, settings.lease_s)
        self.aside = SetAside("service-levels")

    async def turn(self) -> float:
        """Run `step` if this process holds the lease; return the seconds to rest."""
        started = time.monotonic()
        if self.leases.held:
            await self.step(time.time())
        # With a long queue a run takes a while; other processes need the database more.
        return max(EVERY_S, REST_SHARE * (time.monotonic() - started))

    async def step(self, now: float) -> int:
        """Update all clocks; return how many changed."""
        changes = (await self._database.read(lambda c: find_changes(c, now, self.aside))).changes
        by_conversation: dict[str, list[Change]] = {}
        for clock, event in changes:
            by_conversation.setdefault(clock.conversation, []).append((clock, event))

        async def write(conversations: Sequence[str]) -> None:
            part = [change for id_ in conversations for change in by_conversation[id_]]
            await self._database.run(partial(_write, changes=part))

        names = list(by_conversation)
        for start in range(0, len(names), AT_ONCE):
            chunk = names[start : start + AT_ONCE]
            await self.aside.each(chunk, write)
            for conversation in sorted(chunk):
                if conversation not in self.aside:
                    await announce(self._redis, conversation, "sla")
        return len(changes)


def _write(connection: Connection, changes: Sequence[Change]) -> None:
    policies.write_clocks(connection, [clock for clock, _ in changes])
    write_events(connection, [event for _, event in changes if event])


def find_changes(connection: Connection, now: float, aside: SetAside) -> Changes:
    """Compare the stored clocks with those that follow from the facts.

    Args:
        aside: Conversations to skip; those that fail are added.
    """
    sla_policies = policies.list_policies(connection)
    stored = policies.open_clocks(connection, aside)
    if not sla_policies and not stored:
        return Changes(())
    by_conversation: dict[str, list[StoredClock]] = {}
    for clock in stored:
        by_conversation.setdefault(clock.conversation, []).append(clock)
    teams_by_id = {team.id: team for team in teams.list_teams(connection)}
    changes: list[Change] = []
    for conversation in facts.read_facts(connection, by_conversation):
        clocks = by_conversation.pop(conversation.id, [])
        if conversation.id in aside:
            continue
        try:
            clock_changes = changed_clocks(conversation, clocks, sla_policies, teams_by_id, now)
        except Exception as error:
            aside.put(conversation.id, error)
            continue
        changes += [
            (clock, _event_of_change(conversation, clock, old_state, now))
            for clock, old_state in clock_changes
        ]
    for erased in by_conversation.values():  # erased meanwhile
        changes += [(replace(c, state=ClockState.VOID, ended_at=now), None) for c in erased]
    return Changes(tuple(changes))


def _event_of_change(
    conversation: ConversationFacts, clock: StoredClock, old_state: ClockState | None, now: float
) -> Event | None:
    """Return the event of a clock's change, if it has one."""
    if clock.state in EVENT_TYPES and old_state not in (ClockState.BREACHED, clock.state):
        return _event(conversation, clock, now)
    return None


def changed_clocks(
    conversation: ConversationFacts,
    clocks: Collection[StoredClock],
    sla_policies: Collection[SlaPolicy],
    teams_by_id: Mapping[str, Team],
    now: float,
) -> list[tuple[StoredClock, ClockState | None]]:
    """Return the clocks of a conversation that change, with their old state; None for new ones."""
    policy = sla.policy_for(conversation.facts, sla_policies)
    hours = _hours(policy, teams_by_id.get(conversation.facts.team))
    stored = {clock.key: clock for clock in clocks}
    changed: list[tuple[StoredClock, ClockState | None]] = []
    for clock, started_at in sla.running(conversation.facts).items():
        allowed = policy.allowed(clock) if policy else None
        if policy is None or allowed is None:
            continue
        old = stored.pop((conversation.id, clock, started_at), None)
        if old is not None and old.policy == policy.id and old.team == conversation.facts.team:
            warn_at, due_at = old.warn_at, old.due_at
        else:
            warn_at, due_at = sla.moments(started_at, allowed, hours)
        state = sla.running_state(now, warn_at, due_at)
        new = StoredClock(
            conversation.id,
            clock,
            started_at,
            conversation.episode_id,
            policy.id,
            conversation.facts.team,
            conversation.owner,
            warn_at,
            due_at,
            state,
        )
        if new != old:
            changed.append((new, old.state if old else None))
    for old in stored.values():
        state, at = sla.ended(old.clock, conversation.facts, old.started_at, old.due_at)
        if old.state == ClockState.BREACHED:
            state = ClockState.LATE
        ended = replace(old, state=state, ended_at=at or now, agent=conversation.owner or old.agent)
        changed.append((ended, old.state))
    return changed


def _hours(policy: SlaPolicy | None, team: Team | None) -> Hours | None:
    if policy is None or not policy.business_hours:
        return None
    return team.hours if team else Hours()


def _event(conversation: ConversationFacts, clock: StoredClock, now: float) -> Event:
    data = EVENT_TYPES[clock.state](
        clock=clock.clock.value,
        policy=clock.policy,
        team=clock.team,
        allowed_s=round(clock.due_at - clock.started_at, 3),
        due_at=round(clock.due_at, 3),
    )
    return Event.of(
        conversation,
        data,
        key=f"{conversation.id}:{clock.clock.value}:{clock.started_at:.3f}",
        actor="system",
        actor_id=clock.agent,
        occurred_at=now if clock.state == ClockState.WARNED else clock.due_at,
    )
