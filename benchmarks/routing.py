"""Benchmark of routing: a simulated day of 500 agents and 10,000 conversations.

`python -m benchmarks.routing` (`--quick`: 50 agents, 500 conversations) prints waits in simulated
seconds and the real time a run of the matching takes. The clock is simulated, nothing is stored:
what is measured are the pure functions of bot/routing, called as bot/handoff/router.py does.
"""

from __future__ import annotations

import argparse
import heapq
import json
import random
import time
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

from benchmarks import figures
from bot.routing.match import match
from bot.routing.model import DEFAULT_TEAM, RoutingAgent, Team, Waiting

SEED = 20261122
TICK_S = 1.0
HOURS = 4
MEAN_MINUTES = 20.0
"""Mean handling time; exponential, as in queueing theory's M/M/c. In the rush there is a third more
to do than all agents together can."""
LANGUAGES = (("en", 30), ("hi", 30), ("mr", 10), ("ml", 8), ("th", 8), ("es", 8), ("ar", 6))
START = 1_700_000_000.0


@dataclass
class Waits:
    """Results of the simulation."""

    waited: list[float]
    by_priority: dict[int, list[float]]
    runs: list[float]
    """Real seconds of each run of the matching that found somebody waiting."""
    whys: Counter[str]
    most: int
    """Longest queue."""
    over: int
    """Assignments above an agent's capacity; must be 0."""


def crew(chance: random.Random, count: int) -> list[RoutingAgent]:
    """Make agents who speak two languages of the mix, in one of three teams."""
    names, weights = zip(*LANGUAGES, strict=True)
    agents = []
    for number in range(count):
        first_language, second_language = chance.choices(names, weights, k=2)
        agents.append(
            RoutingAgent(
                f"agent-{number}",
                frozenset({("orders", "refunds", "care")[number % 3]}),
                {second_language: chance.randint(1, 3), first_language: 3},
                capacity=3,
            )
        )
    return agents


def arrivals(chance: random.Random, conversations: int) -> list[Waiting]:
    """Make arrivals with a rush in the middle: half of all in a quarter of the time."""
    names, weights = zip(*LANGUAGES, strict=True)
    span = HOURS * 3600.0
    moments = []
    for number in range(conversations):
        rush = number % 2
        at = chance.uniform(0.375, 0.625) * span if rush else chance.uniform(0, span)
        moments.append(
            Waiting(
                f"c-{number}",
                chance.choice(("orders", "refunds", "care", "everyone")),
                chance.choices(names, weights)[0],
                chance.choices((0, 1, 2), (80, 15, 5))[0],
                START + at,
                before=f"agent-{chance.randrange(500)}" if chance.random() < 0.2 else "",
            )
        )
    return sorted(moments, key=lambda w: w.waiting_since)


def simulate(agents: int, conversations: int) -> Waits:
    """Run until every conversation has an agent."""
    chance = random.Random(SEED)
    teams = {
        DEFAULT_TEAM.id: DEFAULT_TEAM,
        **{id_: Team(id_, id_, overflow_to=("care",)) for id_ in ("orders", "refunds", "care")},
    }
    seats = {seat.id: seat for seat in crew(chance, agents)}
    coming = arrivals(chance, conversations)[::-1]
    ending: list[tuple[float, str]] = []
    queue: dict[str, Waiting] = {}
    waits = Waits([], {}, [], Counter(), 0, 0)
    now = START
    while coming or queue:
        now += TICK_S
        while coming and coming[-1].waiting_since <= now:
            conversation = coming.pop()
            queue[conversation.id] = conversation
        while ending and ending[0][0] <= now:
            agent = heapq.heappop(ending)[1]
            seats[agent] = replace(seats[agent], load=seats[agent].load - 1)
        if not queue:
            continue
        waits.most = max(waits.most, len(queue))
        began = time.perf_counter()
        matches = match(queue.values(), list(seats.values()), teams, now)
        waits.runs.append(time.perf_counter() - began)
        for new_match in matches:
            waiting, seat = queue.pop(new_match.conversation), seats[new_match.agent]
            seats[seat.id] = replace(seat, load=seat.load + 1, routed_at=now)
            waits.over += seats[seat.id].load > seat.capacity
            waits.waited.append(now - waiting.waiting_since)
            waits.by_priority.setdefault(waiting.priority, []).append(waits.waited[-1])
            waits.whys[new_match.why] += 1
            heapq.heappush(ending, (now + chance.expovariate(1 / (MEAN_MINUTES * 60)), seat.id))
    return waits


def burst(agents: int, conversations: int) -> dict[str, Any]:
    """Run one matching with all conversations waiting and no agent busy."""
    chance = random.Random(SEED)
    seats, queue = crew(chance, agents), arrivals(chance, conversations)
    teams = {
        DEFAULT_TEAM.id: DEFAULT_TEAM,
        **{id_: Team(id_, id_) for id_ in ("orders", "refunds", "care")},
    }
    took = []
    for _ in range(5):
        began = time.perf_counter()
        matches = match(queue, seats, teams, START + HOURS * 3600)
        took.append(time.perf_counter() - began)
    return {"assigned": len(matches), "run": figures.latency_ms(took)}


def main() -> None:
    """Measure and print the results as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of it")
    quick = parser.parse_args().quick
    agents, conversations = (50, 500) if quick else (500, 10_000)
    result = simulate(agents, conversations)

    def percentiles(values: list[float]) -> dict[str, float]:
        return {
            f"p{share}_s": round(figures.percentile(values, share / 100), 1)
            for share in (50, 90, 95, 99, 100)
        }

    summary = {
        "agents": agents,
        "conversations": len(result.waited),
        "longest_queue": result.most,
        "above_capacity": result.over,
        "waits": percentiles(result.waited),
        "waits_by_priority": {p: percentiles(v) for p, v in sorted(result.by_priority.items())},
        "why": dict(result.whys),
        "run": figures.latency_ms(result.runs),
        "burst": burst(agents, conversations),
    }
    print(json.dumps(summary, indent=2))


if __name__ == "__main__":
    main()
