"""Which waiting conversation goes to which agent now: a pure function; docs/routing.md#matching.

One run looks at the queue in its order and gives each conversation to the best agent who is free.
Conversations that differ in nothing but their turn form a kind; once a kind finds nobody, no later
one of it is looked at, so a run costs little however long the queue is.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from bot.routing.model import EVERYONE, Match, Presence, Seat, Team, Waiting

PRIORITY_WORTH_S = 900.0
"""How much earlier one step of priority makes a conversation count as come: it goes first, and
still nobody waits for ever behind a stream of urgent ones."""
LEVEL_WORTH = 0.25
"""Share of an agent's capacity that one level of the language is worth in choosing them."""
BEST_LEVEL = 3
TEAM, OVERFLOW = 0, 1


def turn_of(waiting_since: float, priority: int) -> float:
    """Where in the queue a conversation stands: lower is earlier, and never changes."""
    return waiting_since - priority * PRIORITY_WORTH_S


def in_order(queue: Iterable[Waiting]) -> list[Waiting]:
    """The queue, next first."""
    return sorted(queue, key=lambda w: (turn_of(w.waiting_since, w.priority), w.id))


def match(
    queue: Iterable[Waiting], seats: Collection[Seat], teams: Mapping[str, Team], now: float
) -> list[Match]:
    """Decide who gets what, in the order it should be done.

    The same input gives the same output, in whatever order it comes. No agent gets more than
    their capacity leaves, no conversation goes to two.

    Args:
        teams: By id; a conversation of a team that is not there belongs to everyone.
        now: Unix seconds.
    """
    return _Run(seats, teams, now).all(in_order(queue))


@dataclass(frozen=True)
class _Kind:
    """What decides who may take a conversation."""

    team: str
    language: str
    step: int
    """`TEAM`: its own team and the language only; `OVERFLOW`: others, and any language."""


class _Run:
    def __init__(self, seats: Collection[Seat], teams: Mapping[str, Team], now: float) -> None:
        self._now = now
        self._teams = teams
        self._there = [s for s in seats if s.presence != Presence.OFFLINE]
        self._seats = {s.id: s for s in seats if s.presence == Presence.ONLINE}
        self._free = {s.id: s.capacity - s.load for s in self._seats.values()}
        self._left = sum(free for free in self._free.values() if free > 0)
        self._given: Counter[str] = Counter()
        self._heaps: dict[_Kind, list[tuple[tuple[float, float, str], int, str]]] = {}
        self._open: dict[str, bool] = {}

    def all(self, queue: list[Waiting]) -> list[Match]:
        made = []
        for waiting in queue:
            if self._left <= 0:
                break
            found = self._one(waiting)
            if found:
                made.append(found)
                self._free[found.agent] -= 1
                self._given[found.agent] += 1
                self._left -= 1
        return made

    def _one(self, waiting: Waiting) -> Match | None:
        team = self._teams.get(waiting.team) or self._teams[EVERYONE]
        if waiting.before and self._may_return(waiting, team):
            return Match(waiting.id, waiting.before, "returning", waiting.version)
        kind = _Kind(team.id, waiting.language, self._step(waiting, team))
        agent = self._best(kind, team)
        if agent is None:
            return None
        own = team.everyone or team.id in self._seats[agent].teams
        return Match(waiting.id, agent, "team" if own else "overflow", waiting.version)

    def _may_return(self, waiting: Waiting, team: Team) -> bool:
        seat = self._seats.get(waiting.before)
        if seat is None or self._free[seat.id] <= 0:
            return False
        return team.everyone or team.id in seat.teams

    def _step(self, waiting: Waiting, team: Team) -> int:
        late = self._now - waiting.waiting_since >= team.overflow_after_s
        return OVERFLOW if late or not self._works(team) else TEAM

    def _works(self, team: Team) -> bool:
        if team.id not in self._open:
            self._open[team.id] = team.hours.is_open(self._now)
        return self._open[team.id]

    def _best(self, kind: _Kind, team: Team) -> str | None:
        heap = self._heaps.get(kind)
        if heap is None:
            heap = self._heaps[kind] = self._candidates(kind, team)
        while heap:
            _, given, agent = heap[0]
            if self._free[agent] <= 0:
                heapq.heappop(heap)
            elif given != self._given[agent]:
                # Others have given them something since: their place in the order has changed.
                fresh = (self._rank(self._seats[agent], kind), self._given[agent], agent)
                heapq.heapreplace(heap, fresh)
            else:
                return agent
        return None

    def _candidates(
        self, kind: _Kind, team: Team
    ) -> list[tuple[tuple[float, float, str], int, str]]:
        reach = {team.id}
        if kind.step == OVERFLOW:
            reach.update(
                other
                for other in team.overflow_to
                if other in self._teams and self._works(self._teams[other])
            )
        everyone = any(self._teams[one].everyone for one in reach if one in self._teams)
        members = [s for s in self._there if everyone or s.teams & reach]
        speakers = [s for s in members if _speaks(s, kind.language)]
        if speakers and kind.step == TEAM:
            # Somebody at their desk speaks it: the customer waits for them, up to the limit.
            members = speakers
        heap = [
            (self._rank(seat, kind), self._given[seat.id], seat.id)
            for seat in members
            if seat.id in self._seats and self._free[seat.id] > 0
        ]
        heapq.heapify(heap)
        return heap

    def _rank(self, seat: Seat, kind: _Kind) -> tuple[float, float, str]:
        load = seat.load + self._given[seat.id]
        short = BEST_LEVEL + 1 - level_of(seat, kind.language)
        return (load / seat.capacity + (short - 1) * LEVEL_WORTH, seat.routed_at, seat.id)


def level_of(seat: Seat, language: str) -> int:
    """How well an agent knows a language, 0–3; those who named none get by in all."""
    if not seat.languages:
        return 1
    spoken = language.partition("-")[0]
    return max(seat.languages.get(language, 0), seat.languages.get(spoken, 0))


def _speaks(seat: Seat, language: str) -> bool:
    return level_of(seat, language) > 0


def team_for(language: str, topic: str, teams: Collection[Team]) -> Team:
    """Choose the team a new handoff waits for: the one whose topics and languages say most.

    A topic says more than a language; of equals the first by name, and everyone at last.
    """

    def fits(team: Team) -> bool:
        spoken = language.partition("-")[0]
        return (not team.topics or topic in team.topics) and (
            not team.languages or language in team.languages or spoken in team.languages
        )

    def says(team: Team) -> tuple[int, int]:
        return (2 * bool(team.topics) + bool(team.languages), int(team.everyone))

    fitting = [team for team in teams if fits(team)]
    everyone = next(team for team in teams if team.everyone)
    named = [team for team in fitting if says(team)[0] > 0]
    return min(named, key=lambda t: (-says(t)[0], t.name, t.id)) if named else everyone
