"""Benchmark of growth: does a message cost more with long conversations, or full stores?

`python -m benchmarks.growth`, about 25 minutes (`--quick`: 2). One customer at a time, so that a
latency is the way of one message and nothing else.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import time
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks import big_content, figures, results, seed
from benchmarks.load import TIMEOUT_S
from benchmarks.results import Options, attempt
from benchmarks.systems import System, our_environment, run_samvad
from benchmarks.throughput import fresh_traffic, started
from benchmarks.traffic import Traffic
from bot.content.models import Content

WINDOW = 20
"""Messages over which the latency at a place in a conversation is taken."""
PERSON = "I want to talk to a person"


def main() -> None:
    """Measure and write."""
    options = results.read_options(__doc__)
    results.write(options, "growth", measure(options))


def measure(options: Options) -> dict[str, Any]:
    """Grow one quantity at a time and measure.

    Returns:
        `{"length": {"ours": {message number: latency}, "vanilla": …}, "stored": {n: latency},
        "entries": {n: …}, "waiting": {n: {"answer", "handoff"}}}`; see `figures.latency_ms`.
    """
    count = options.choose(300, 25)
    folder = options.work / "growth"
    places = options.choose((1, 10, 100, 300, 1000, 3000), (1, 10, 60))
    vanilla_places = options.choose((1, 10, 100, 300), (1, 10, 60))
    results: dict[str, Any] = {"length": {}, "stored": {}, "entries": {}, "waiting": {}}
    with _ours(folder) as system:
        results["length"]["ours"] = by_length(system, places)
    with started(options, "vanilla") as system:
        results["length"]["vanilla"] = by_length(system, vanilla_places)
    for stored in options.choose((1, 10_000, 100_000), (1, 2000)):
        results["stored"][str(stored)] = attempt(partial(_with_stored, folder, stored, count))
    for entries in options.choose((60, 1000, 10_000), (60, 300)):
        results["entries"][str(entries)] = attempt(partial(_with_entries, options, entries, count))
    for waiting in options.choose((0, 1000, 50_000), (0, 500)):
        results["waiting"][str(waiting)] = attempt(partial(_with_waiting, folder, waiting, count))
    return results


def by_length(system: System, places: Iterable[int]) -> dict[str, dict[str, float]]:
    """Return latencies at some places of one long conversation, and of first messages of many."""
    traffic = fresh_traffic("length")
    sorted_places = sorted(places)
    print(f"{system.name}: a conversation of {sorted_places[-1] + WINDOW} messages …", flush=True)
    ask_questions(system, traffic, ["warm"] * WINDOW)
    took = ask_questions(system, traffic, ["long"] * (sorted_places[-1] + WINDOW))
    latencies = {}
    for place in sorted_places:
        window = took[place - 1 : place - 1 + WINDOW]
        if place == 1:
            window = ask_questions(system, traffic, [f"first-{i}" for i in range(WINDOW)])
        latencies[str(place)] = figures.latency_ms(window)
    return latencies


def ask_questions(system: System, traffic: Traffic, customers: Iterable[str]) -> list[float]:
    """Ask one new question per customer, one after another; return the latencies in seconds."""

    async def ask() -> list[float]:
        took = []
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            for customer in customers:
                body = system.body(customer, traffic.question().text)
                began = time.perf_counter()
                async with session.post(system.url, json=body) as answer:
                    answer.raise_for_status()
                    await answer.read()
                took.append(time.perf_counter() - began)
        return took

    return asyncio.run(ask())


def _with_stored(folder: Path, stored: int, count: int) -> dict[str, Any]:
    print(f"ours: {stored} stored conversations …", flush=True)
    _empty(folder)
    texts = [fresh_traffic("text").question().text for _ in range(50)]
    seed.stored(seed.settings_of(folder), stored, texts)
    with run_samvad(folder) as system:
        return _steady(system, count)


def _with_entries(options: Options, entries: int, count: int) -> dict[str, Any]:
    print(f"ours: {entries} FAQ entries …", flush=True)
    with big_system(options, options.work / "growth", entries) as (system, content):
        return {**_steady(system, count), "entries": len(content.entries)}


def _with_waiting(folder: Path, waiting: int, count: int) -> dict[str, Any]:
    print(f"ours: {waiting} conversations waiting …", flush=True)
    _empty(folder)
    if waiting:
        texts = [fresh_traffic("text").question().text for _ in range(50)]
        seed.waiting(seed.settings_of(folder), waiting, texts)
    with run_samvad(folder) as system:
        answer = _steady(system, count)
        handoffs = []
        for number in range(max(10, count // 5)):
            began = time.perf_counter()
            replies = system.ask(f"person-{number}", PERSON)
            handoffs.append(time.perf_counter() - began)
            if replies[-1].get("state") != "waiting":
                raise ValueError(f"{PERSON!r} was not handed off: {replies}")
        return {"answer": answer, "handoff": figures.latency_ms(handoffs)}


def _steady(system: System, count: int) -> dict[str, Any]:
    """Return the latency in conversations of 20 messages, after a warm-up."""
    traffic = fresh_traffic("steady")
    ask_questions(system, traffic, ["warm"] * WINDOW)
    system.settle()
    began = system.cpu_s()
    took = ask_questions(system, traffic, [f"steady-{i // 20}" for i in range(count)])
    cpu = system.cpu_s() - began
    return {
        **figures.latency_ms(took),
        "cpu_ms_per_message": round(cpu * 1000 / count, 2),
        "start_s": system.start_s,
        "memory_mb": system.memory_mb(),
    }


@contextlib.contextmanager
def big_system(options: Options, folder: Path, entries: int) -> Iterator[tuple[System, Content]]:
    """Run our system with this many FAQ entries; yield it and its content."""
    _empty(folder)
    real_cache = Path(our_environment(folder)["SAMVAD_CACHE_DIR"])
    cache = big_content.own_cache(real_cache, options.work / "cache")
    settings = seed.settings_of(folder, cache_dir=cache)
    content = big_content.make_content(big_content.real_content(settings), entries)
    big_content.fill_vectors(settings, content)
    big_content.publish_first(settings, content)
    big_content.fit(settings, content)
    with run_samvad(folder, cache_dir=cache) as system:
        yield system, content


def _ours(folder: Path) -> Any:
    _empty(folder)
    return run_samvad(folder)


def _empty(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


if __name__ == "__main__":
    main()
