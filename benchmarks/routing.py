"""A day of routing in a few seconds: 500 agents, 10,000 conversations, the real matching.

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
    """What came of the simulation."""

    waited: list[float]
    by_priority: dict[int, list[float]]
    runs: list[float]
    """Real seconds of each run of the matching that found somebody waiting."""
    whys: Counter[str]
    most: int
    """Longest queue."""
    over: int
    """Assignments above an agent's capacity; must be 0."""


def crew(chance: random.Random, agents: int) -> list[RoutingAgent]:
    """Agents who speak two languages of the mix, in one of three teams."""
    names, weights = zip(*LANGUAGES, strict=True)
    made = []
    for number in range(agents):
        first, second = chance.choices(names, weights, k=2)
        made.append(
            RoutingAgent(
                f"agent-{number}",
                frozenset({("orders", "refunds", "care")[number % 3]}),
                {second: chance.randint(1, 3), first: 3},
                capacity=3,
            )
        )
    return made


def arrivals(chance: random.Random, conversations: int) -> list[Waiting]:
    """A stream with a rush in the middle: half of all come in a quarter of the time."""
    names, weights = zip(*LANGUAGES, strict=True)
    span = HOURS * 3600.0
    made = []
    for number in range(conversations):
        rush = number % 2
        at = chance.uniform(0.375, 0.625) * span if rush else chance.uniform(0, span)
        made.append(
            Waiting(
                f"c-{number}",
                chance.choice(("orders", "refunds", "care", "everyone")),
                chance.choices(names, weights)[0],
                chance.choices((0, 1, 2), (80, 15, 5))[0],
                START + at,
                before=f"agent-{chance.randrange(500)}" if chance.random() < 0.2 else "",
            )
        )
    return sorted(made, key=lambda w: w.waiting_since)


def simulate(agents: int, conversations: int) -> Waits:
    """Run until every conversation was given to somebody."""
    chance = random.Random(SEED)
    teams = {
        DEFAULT_TEAM.id: DEFAULT_TEAM,
        **{one: Team(one, one, overflow_to=("care",)) for one in ("orders", "refunds", "care")},
    }
    seats = {seat.id: seat for seat in crew(chance, agents)}
    coming = arrivals(chance, conversations)[::-1]
    ending: list[tuple[float, str]] = []
    queue: dict[str, Waiting] = {}
    found = Waits([], {}, [], Counter(), 0, 0)
    now = START
    while coming or queue:
        now += TICK_S
        while coming and coming[-1].waiting_since <= now:
            one = coming.pop()
            queue[one.id] = one
        while ending and ending[0][0] <= now:
            agent = heapq.heappop(ending)[1]
            seats[agent] = replace(seats[agent], load=seats[agent].load - 1)
        if not queue:
            continue
        found.most = max(found.most, len(queue))
        began = time.perf_counter()
        made = match(queue.values(), list(seats.values()), teams, now)
        found.runs.append(time.perf_counter() - began)
        for given in made:
            waiting, seat = queue.pop(given.conversation), seats[given.agent]
            seats[seat.id] = replace(seat, load=seat.load + 1, routed_at=now)
            found.over += seats[seat.id].load > seat.capacity
            found.waited.append(now - waiting.waiting_since)
            found.by_priority.setdefault(waiting.priority, []).append(found.waited[-1])
            found.whys[given.why] += 1
            heapq.heappush(ending, (now + chance.expovariate(1 / (MEAN_MINUTES * 60)), seat.id))
    return found


def burst(agents: int, conversations: int) -> dict[str, Any]:
    """Everybody waits at once, nobody is taken yet: one run of the matching."""
    chance = random.Random(SEED)
    seats, queue = crew(chance, agents), arrivals(chance, conversations)
    teams = {
        DEFAULT_TEAM.id: DEFAULT_TEAM,
        **{one: Team(one, one) for one in ("orders", "refunds", "care")},
    }
    took = []
    for _ in range(5):
        began = time.perf_counter()
        made = match(queue, seats, teams, START + HOURS * 3600)
        took.append(time.perf_counter() - began)
    return {"assigned": len(made), "run": figures.latency_ms(took)}


def main() -> None:
    """Measure and print as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of it")
    quick = parser.parse_args().quick
    agents, conversations = (50, 500) if quick else (500, 10_000)
    found = simulate(agents, conversations)

    def waits(values: list[float]) -> dict[str, float]:
        return {
            f"p{share}_s": round(figures.percentile(values, share / 100), 1)
            for share in (50, 90, 95, 99, 100)
        }

    told = {
        "agents": agents,
        "conversations": len(found.waited),
        "longest_queue": found.most,
        "above_capacity": found.over,
        "waits": waits(found.waited),
        "waits_by_priority": {p: waits(v) for p, v in sorted(found.by_priority.items())},
        "why": dict(found.whys),
        "run": figures.latency_ms(found.runs),
        "burst": burst(agents, conversations),
    }
    print(json.dumps(told, indent=2))


if __name__ == "__main__":
    main()
