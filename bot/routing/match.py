"""Matching: which waiting conversation goes to which agent; docs/routing.md#matching.

A pure function. One run takes the queue in order and gives each conversation to the best free
agent. Conversations with equal team, language and step form a kind; once no agent is left for a
kind, its later conversations are skipped, so a run costs little however long the queue is.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from bot.routing.model import EVERYONE, Match, Presence, RoutingAgent, Team, Waiting

PRIORITY_WORTH_S = 900.0
"""How much earlier one step of priority moves a conversation: it goes first, yet no customer waits
for ever behind urgent ones."""
LEVEL_WORTH = 0.25
"""Share of an agent's capacity that one level of the language counts when agents are compared."""
BEST_LEVEL = 3
TEAM, OVERFLOW = 0, 1


def turn_of(waiting_since: float, priority: int) -> float:
    """Return a conversation's sort key in the queue: lower is earlier; it never changes."""
    return waiting_since - priority * PRIORITY_WORTH_S


def in_order(queue: Iterable[Waiting]) -> list[Waiting]:
    """Sort the queue, next first."""
    return sorted(queue, key=lambda w: (turn_of(w.waiting_since, w.priority), w.id))


def match(
    queue: Iterable[Waiting],
    agents: Collection[RoutingAgent],
    teams: Mapping[str, Team],
    now: float,
) -> list[Match]:
    """Decide which agent gets which conversation, in the order it should be done.

    The result does not depend on the order of the input. No agent gets more than their free
    capacity, no conversation goes to two agents.

    Args:
        teams: Teams by id; a conversation of a missing team belongs to everyone's.
        now: Unix seconds.
    """
    return _Run(agents, teams, now).all(in_order(queue))


@dataclass(frozen=True)
class _Kind:
    """Everything that decides which agents may take a conversation."""

    team: str
    language: str
    step: int
    """`TEAM`: only its own team, in the language; `OVERFLOW`: also others, in any language."""


class _Run:
    def __init__(
        self, agents: Collection[RoutingAgent], teams: Mapping[str, Team], now: float
    ) -> None:
        self._now = now
        self._teams = teams
        self._present = [s for s in agents if s.presence != Presence.OFFLINE]
        self._agents = {s.id: s for s in agents if s.presence == Presence.ONLINE}
        self._free = {s.id: s.capacity - s.load for s in self._agents.values()}
        self._free_total = sum(free for free in self._free.values() if free > 0)
        self._new_matches: Counter[str] = Counter()
        self._heaps: dict[_Kind, list[tuple[tuple[float, float, str], int, str]]] = {}
        self._open: dict[str, bool] = {}

    def all(self, queue: list[Waiting]) -> list[Match]:
        matches = []
        for waiting in queue:
            if self._free_total <= 0:
                break
            new_match = self._match_one(waiting)
            if new_match:
                matches.append(new_match)
                self._free[new_match.agent] -= 1
                self._new_matches[new_match.agent] += 1
                self._free_total -= 1
        return matches

    def _match_one(self, waiting: Waiting) -> Match | None:
        team = self._teams.get(waiting.team) or self._teams[EVERYONE]
        if waiting.before and self._may_return(waiting, team):
            return Match(waiting.id, waiting.before, "returning", waiting.version)
        kind = _Kind(team.id, waiting.language, self._step(waiting, team))
        agent = self._best(kind, team)
        if agent is None:
            return None
        own = team.everyone or team.id in self._agents[agent].teams
        return Match(waiting.id, agent, "team" if own else "overflow", waiting.version)

    def _may_return(self, waiting: Waiting, team: Team) -> bool:
        agent = self._agents.get(waiting.before)
        if agent is None or self._free[agent.id] <= 0:
            return False
        return team.everyone or team.id in agent.teams

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
            _, new_matches, agent = heap[0]
            if self._free[agent] <= 0:
                heapq.heappop(heap)
            elif new_matches != self._new_matches[agent]:
                # Other kinds have given them conversations since, so their rank has changed.
                reranked = (self._rank(self._agents[agent], kind), self._new_matches[agent], agent)
                heapq.heapreplace(heap, reranked)
            else:
                return agent
        return None

    def _candidates(
        self, kind: _Kind, team: Team
    ) -> list[tuple[tuple[float, float, str], int, str]]:
        reach = {team.id}
        if kind.step == OVERFLOW:
            reach.update(
                other_team
                for other_team in team.overflow_to
                if other_team in self._teams and self._works(self._teams[other_team])
            )
        everyone = any(self._teams[id_].everyone for id_ in reach if id_ in self._teams)
        members = [s for s in self._present if everyone or s.teams & reach]
        speakers = [s for s in members if _speaks(s, kind.language)]
        if speakers and kind.step == TEAM:
            # An agent who is present speaks it: the customer waits for them, up to the limit.
            members = speakers
        heap = [
            (self._rank(agent, kind), self._new_matches[agent.id], agent.id)
            for agent in members
            if agent.id in self._agents and self._free[agent.id] > 0
        ]
        heapq.heapify(heap)
        return heap

    def _rank(self, agent: RoutingAgent, kind: _Kind) -> tuple[float, float, str]:
        load = agent.load + self._new_matches[agent.id]
        short = BEST_LEVEL + 1 - level_of(agent, kind.language)
        return (load / agent.capacity + (short - 1) * LEVEL_WORTH, agent.routed_at, agent.id)


def level_of(agent: RoutingAgent, language: str) -> int:
    """Return how well an agent knows a language, 0–3; agents without a list get 1 for all."""
    if not agent.languages:
        return 1
    spoken = language.partition("-")[0]
    return max(agent.languages.get(language, 0), agent.languages.get(spoken, 0))


def _speaks(agent: RoutingAgent, language: str) -> bool:
    return level_of(agent, language) > 0


def team_for(language: str, topic: str, teams: Collection[Team]) -> Team:
    """Choose the team of a new handoff: the one whose topics and languages fit best.

    A topic counts more than a language; of equals the first by name; everyone's team comes last.
    """

    def fits(team: Team) -> bool:
        spoken = language.partition("-")[0]
        return (not team.topics or topic in team.topics) and (
            not team.languages or language in team.languages or spoken in team.languages
        )

    def specificity(team: Team) -> tuple[int, int]:
        return (2 * bool(team.topics) + bool(team.languages), int(team.everyone))

    fitting = [team for team in teams if fits(team)]
    everyone = next(team for team in teams if team.everyone)
    named = [team for team in fitting if specificity(team)[0] > 0]
    return min(named, key=lambda t: (-specificity(t)[0], t.name, t.id)) if named else everyone
