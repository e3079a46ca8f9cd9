"""Load generator: customers who read each answer before they write again.

Closed loop: so many customers, each sends as soon as it has its answer; this finds the capacity.
Open loop: messages begin at a given rate whatever the system does, and a latency counts from the
moment the message was due, so a stall shows in full.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from benchmarks import figures
from benchmarks.systems import BenchmarkError, System
from benchmarks.traffic import Conversation, Step, Traffic

TIMEOUT_S = 60.0
MOST_UNDER_WAY = 512
"""Open loop: beyond so many open requests a due message waits, its latency running."""


@dataclass
class Tally:
    """Counts of what customers got."""

    answers: dict[str, str]
    """Answer text → entry id, for systems that do not say which entry they answer with."""
    latencies_s: list[float] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    """`text`, `tap`, `handoff`, `silent`, `failed`, `questions`, `right`."""

    def note(self, step: Step, tapped: bool, replies: list[dict[str, Any]], took_s: float) -> None:
        self.latencies_s.append(took_s)
        self.counts["tap" if tapped else "text"] += 1
        self.counts["silent"] += not replies
        self.counts["handoff"] += _handed_off(replies)
        if step.entry and not tapped:
            self.counts["questions"] += 1
            self.counts["right"] += step.entry in {
                reply.get("entry") or self.answers.get(reply.get("text", "")) for reply in replies
            }


class Client:
    """HTTP client of customers; remembers each one's last answer, for taps."""

    def __init__(self, system: System, session: aiohttp.ClientSession, tally: Tally) -> None:
        self._system = system
        self._session = session
        self._tally = tally

    async def send(
        self, customer: str, step: Step, last: list[dict[str, Any]], due: float
    ) -> list[dict[str, Any]]:
        """Send a step and return the replies; failures are counted, not raised.

        Args:
            due: `time.perf_counter()` at which the customer meant to send.
        """
        body = self._system.tap(customer, last, step.tap) if step.tap >= 0 else {}
        tapped = bool(body)
        body = body or self._system.body(customer, step.text)
        try:
            async with self._session.post(self._system.url, json=body) as answer:
                replies = await answer.json() if answer.status == 200 else None
        except (aiohttp.ClientError, TimeoutError):
            replies = None
        if replies is None:
            self._tally.counts["failed"] += 1
            return []
        self._tally.note(step, tapped, replies, time.perf_counter() - due)
        return list(replies)

    async def converse(self, conversation: Conversation, until: float) -> None:
        """Play a conversation; it ends early when an agent takes over or the time is up."""
        last: list[dict[str, Any]] = []
        for step in conversation.steps:
            due = time.perf_counter()
            if due >= until:
                return
            last = await self.send(conversation.customer, step, last, due)
            if _handed_off(last):
                return


def closed_loop(
    system: System,
    traffic: Traffic,
    *,
    customers: int,
    warm_s: float,
    measure_s: float,
    answers: dict[str, str],
) -> dict[str, Any]:
    """Run customers without pause; return the figures of the measured part."""
    return asyncio.run(_closed(system, traffic, customers, warm_s, measure_s, answers))


def open_loop(
    system: System,
    traffic: Traffic,
    *,
    rate: float,
    warm_s: float,
    measure_s: float,
    answers: dict[str, str],
    seed: int = 1,
) -> dict[str, Any]:
    """Begin `rate` messages per second at random moments; return the figures."""
    return asyncio.run(_open(system, traffic, rate, warm_s, measure_s, answers, seed))


async def _closed(
    system: System,
    traffic: Traffic,
    customers: int,
    warm_s: float,
    measure_s: float,
    answers: dict[str, str],
) -> dict[str, Any]:
    async with _session(customers) as session:
        client = Client(system, session, Tally(answers))
        end = time.perf_counter() + warm_s + measure_s

        async def customer() -> None:
            while time.perf_counter() < end:
                await client.converse(traffic.next(), end)

        tasks = [asyncio.create_task(customer()) for _ in range(customers)]
        await asyncio.sleep(warm_s)
        measured = _Measured(system, client, answers)
        await asyncio.gather(*tasks)
        return measured.figures()


async def _open(
    system: System,
    traffic: Traffic,
    rate: float,
    warm_s: float,
    measure_s: float,
    answers: dict[str, str],
    seed: int,
) -> dict[str, Any]:
    chance = random.Random(seed)
    idle: list[tuple[Iterator[Step], str, list[dict[str, Any]]]] = []
    room = asyncio.Semaphore(MOST_UNDER_WAY)
    async with _session(MOST_UNDER_WAY) as session:
        client = Client(system, session, Tally(answers))

        async def begin_message(due: float) -> None:
            async with room:
                while True:
                    if idle:
                        steps, name, last = idle.pop(chance.randrange(len(idle)))
                    else:
                        conversation = traffic.next()
                        steps, name, last = iter(conversation.steps), conversation.customer, []
                    step = next(steps, None)
                    if step is not None:
                        break
                replies = await client.send(name, step, last, due)
                if replies and not _handed_off(replies):
                    idle.append((steps, name, replies))

        begun = time.perf_counter()
        measured: _Measured | None = None
        tasks: list[asyncio.Task[None]] = []
        due = begun
        while due < begun + warm_s + measure_s:
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            if measured is None and due >= begun + warm_s:
                measured = _Measured(system, client, answers)
            tasks.append(asyncio.create_task(begin_message(due)))
            due += chance.expovariate(rate)
        await asyncio.gather(*tasks)
        if measured is None:
            raise BenchmarkError("nothing was due in the measured part; raise rate or time")
        return {**measured.figures(), "rate": round(rate, 2)}


class _Measured:
    """Measurement from its creation to `figures`: counts and cost."""

    def __init__(self, system: System, client: Client, answers: dict[str, str]) -> None:
        self._system = system
        self._tally = client._tally = Tally(answers)
        self._cpu = system.cpu_by_process()
        self._own = time.process_time()
        self._began = time.perf_counter()

    def figures(self) -> dict[str, Any]:
        took = time.perf_counter() - self._began
        tally, count = self._tally, len(self._tally.latencies_s)
        if not count:
            raise BenchmarkError(f"{self._system.name} answered nothing; {dict(tally.counts)}")
        used = self._system.cpu_by_process()
        cpu = {name: used[name] - self._cpu.get(name, 0.0) for name in sorted(used)}
        questions = tally.counts["questions"]
        return {
            "messages": count,
            "seconds": round(took, 2),
            "messages_per_s": round(count / took, 2),
            **figures.latency_ms(tally.latencies_s),
            "cpu_ms_per_message": round(sum(cpu.values()) * 1000 / count, 2),
            "cpu_ms_by_process": {name: round(s * 1000 / count, 3) for name, s in cpu.items()},
            "generator_cpu_ms_per_message": round(
                (time.process_time() - self._own) * 1000 / count, 2
            ),
            "failed": tally.counts["failed"],
            "silent": tally.counts["silent"],
            "tap_share": round(tally.counts["tap"] / count, 3),
            "handoff_share": round(tally.counts["handoff"] / count, 3),
            "right_share": round(tally.counts["right"] / questions, 3) if questions else None,
            "memory_mb": self._system.memory_mb(),
        }


def _handed_off(replies: list[dict[str, Any]]) -> bool:
    return any(reply.get("state") == "waiting" for reply in replies)


def _session(connections: int) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=connections),
        timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
    )
