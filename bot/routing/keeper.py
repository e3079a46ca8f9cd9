"""Keeps the clocks of service levels: starts them, warns, notes breaches, ends them.

One housekeeper of all does it, under a lease. Everything follows from what is stored, so a look
that comes late finds the same breaches as one in time.
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
from bot.routing.facts import Watched
from bot.routing.hours import Hours
from bot.routing.model import Team
from bot.routing.policies import Kept
from bot.routing.sla import Policy, Standing
from bot.settings import Settings
from bot.stores.database import Database
from bot.stores.event_log import write_events
from bot.stores.set_aside import SetAside
from bot.streams.lease import Leases

EVERY_S = 5.0
REST_SHARE = 10.0
"""Rests at least this many times as long as a look took."""
AT_ONCE = 250
"""Conversations whose clocks are written in one transaction, for which others wait on SQLite."""
TOLD: dict[Standing, type[SlaWarned]] = {
    Standing.WARNED: SlaWarned,
    Standing.BREACHED: SlaBreached,
    Standing.LATE: SlaBreached,
}


Change = tuple[Kept, Event | None]
"""A clock to store, and the event that goes with it."""


@dataclass(frozen=True)
class Verdict:
    """What one look changes."""

    changes: tuple[Change, ...]


class SlaKeeper:
    """Looks at all clocks again and again; one per process."""

    def __init__(
        self, settings: Settings, database: Database, client: redis.asyncio.Redis, holder: str
    ) -> None:
        self._database = database
        self._redis = client
        self.leases = Leases(client, "sla", holder, 1, settings.lease_s)
        self.aside = SetAside("service-levels")

    async def turn(self) -> float:
        """`step`, if it is this process's turn; return the seconds to rest."""
        began = time.monotonic()
        if self.leases.held:
            await self.step(time.time())
        # A long queue takes a while to look at; others need the database more.
        return max(EVERY_S, REST_SHARE * (time.monotonic() - began))

    async def step(self, now: float) -> int:
        """Look once; return how many clocks changed."""
        changes = (await self._database.read(lambda c: look(c, now, self.aside))).changes
        by_conversation: dict[str, list[Change]] = {}
        for clock, event in changes:
            by_conversation.setdefault(clock.conversation, []).append((clock, event))

        async def write(conversations: Sequence[str]) -> None:
            part = [change for one in conversations for change in by_conversation[one]]
            await self._database.run(partial(_write, changes=part))

        names = list(by_conversation)
        for start in range(0, len(names), AT_ONCE):
            some = names[start : start + AT_ONCE]
            await self.aside.each(some, write)
            for conversation in sorted(some):
                if conversation not in self.aside:
                    await announce(self._redis, conversation, "sla")
        return len(changes)


def _write(connection: Connection, changes: Sequence[Change]) -> None:
    policies.write_clocks(connection, [clock for clock, _ in changes])
    write_events(connection, [event for _, event in changes if event])


def look(connection: Connection, now: float, aside: SetAside) -> Verdict:
    """Compare what is kept with what follows from the facts.

    Args:
        aside: Conversations left out, and those that turn out to be odd.
    """
    promised = policies.list_policies(connection)
    kept = policies.open_clocks(connection, aside)
    if not promised and not kept:
        return Verdict(())
    by_conversation: dict[str, list[Kept]] = {}
    for clock in kept:
        by_conversation.setdefault(clock.conversation, []).append(clock)
    known = {team.id: team for team in teams.list_teams(connection)}
    changes: list[Change] = []
    for watched in facts.read(connection, by_conversation):
        before = by_conversation.pop(watched.id, [])
        if watched.id in aside:
            continue
        try:
            judged = judge(watched, before, promised, known, now)
        except Exception as error:
            aside.put(watched.id, error)
            continue
        changes += [(clock, _told(watched, clock, was, now)) for clock, was in judged]
    for gone in by_conversation.values():  # erased meanwhile
        changes += [(replace(c, state=Standing.VOID, ended_at=now), None) for c in gone]
    return Verdict(tuple(changes))


def _told(watched: Watched, clock: Kept, was: Standing | None, now: float) -> Event | None:
    """The event that goes with a change, if one does."""
    if clock.state in TOLD and was not in (Standing.BREACHED, clock.state):
        return _event(watched, clock, now)
    return None


def judge(
    watched: Watched,
    before: Collection[Kept],
    promised: Collection[Policy],
    known: Mapping[str, Team],
    now: float,
) -> list[tuple[Kept, Standing | None]]:
    """Clocks of a conversation that change, each with what it was; None for a new one."""
    policy = sla.policy_for(watched.facts, promised)
    hours = _hours(policy, known.get(watched.facts.team))
    kept = {clock.key: clock for clock in before}
    changed: list[tuple[Kept, Standing | None]] = []
    for clock, started_at in sla.running(watched.facts).items():
        allowed = policy.allowed(clock) if policy else None
        if policy is None or allowed is None:
            continue
        old = kept.pop((watched.id, clock, started_at), None)
        if old is not None and old.policy == policy.id and old.team == watched.facts.team:
            warn_at, due_at = old.warn_at, old.due_at
        else:
            warn_at, due_at = sla.moments(started_at, allowed, hours)
        state = sla.standing(now, warn_at, due_at)
        fresh = Kept(
            watched.id,
            clock,
            started_at,
            watched.episode_id,
            policy.id,
            watched.facts.team,
            watched.owner,
            warn_at,
            due_at,
            state,
        )
        if fresh != old:
            changed.append((fresh, old.state if old else None))
    for old in kept.values():
        state, at = sla.ended(old.clock, watched.facts, old.started_at, old.due_at)
        if old.state == Standing.BREACHED:
            state = Standing.LATE
        ended = replace(old, state=state, ended_at=at or now, agent=watched.owner or old.agent)
        changed.append((ended, old.state))
    return changed


def _hours(policy: Policy | None, team: Team | None) -> Hours | None:
    if policy is None or not policy.business_hours:
        return None
    return team.hours if team else Hours()


def _event(watched: Watched, clock: Kept, now: float) -> Event:
    what = TOLD[clock.state](
        clock=clock.clock.value,
        policy=clock.policy,
        team=clock.team,
        allowed_s=round(clock.due_at - clock.started_at, 3),
        due_at=round(clock.due_at, 3),
    )
    return Event.of(
        watched,
        what,
        key=f"{watched.id}:{clock.clock.value}:{clock.started_at:.3f}",
        actor="system",
        actor_id=clock.agent,
        occurred_at=now if clock.state == Standing.WARNED else clock.due_at,
    )
