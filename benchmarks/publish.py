"""Benchmark of publishing: from an editor's command to the first customer's answer.

`python -m benchmarks.publish`, about 10 minutes (`--quick`: 1). The edit: a new answer for one
entry, and ten new examples. Measured: `python -m bot content publish` as an editor types it, until
a customer who asks all the time gets the new answer; and a customer's latency meanwhile.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import threading
import time
from dataclasses import replace
from functools import partial
from typing import Any

from benchmarks import figures, results
from benchmarks.growth import big_system
from benchmarks.results import Options, attempt
from benchmarks.systems import BenchmarkError, System
from benchmarks.throughput import fresh_traffic
from bot.content.export import write_folder, write_topic
from bot.content.models import Content, Entry

ENTRY, QUESTION = "order-status", "where is my order"
LIVE_S = 300.0


def main() -> None:
    """Measure and write."""
    options = results.read_options(__doc__)
    results.write(options, "publish", measure(options))


def measure(options: Options) -> dict[str, Any]:
    """Publish several times at each size.

    Returns:
        Entries → `{"edit_to_live_s", "command_says_s", "first_s", "answers"}`: medians and the
        worst, what the command itself reports, and latencies of customers during a publish.
    """
    sizes = options.choose((60, 1000, 10_000), (60, 300))
    rounds = options.choose(5, 2)
    results = {}
    for entries in sizes:
        print(f"publishing with {entries} entries …", flush=True)
        results[str(entries)] = attempt(partial(_one_size, options, entries, rounds))
    return {"entries": results}


def _one_size(options: Options, entries: int, rounds: int) -> dict[str, Any]:
    with big_system(options, options.work / "publish", entries) as (system, content):
        return _rounds(options, system, content, rounds)


def _rounds(options: Options, system: System, content: Content, rounds: int) -> dict[str, Any]:
    folder = options.work / "publish-files"
    shutil.rmtree(folder, ignore_errors=True)
    write_folder(content, folder)
    lives, says, latencies = [], [], []
    for number in range(rounds):
        content, marker, question = edited(content, number)
        topic = content.by_id[ENTRY].topic
        write_topic(topic, (e for e in content.entries if e.topic == topic), folder)
        live_s, reported_s, asked_s = _publish(system, folder, marker, question)
        lives.append(live_s)
        says.append(reported_s)
        latencies += asked_s
    return {
        "edit_to_live_s": round(figures.percentile(lives, 0.5), 2),
        "edit_to_live_worst_s": round(max(lives), 2),
        "command_says_s": round(figures.percentile(says, 0.5), 2),
        "rounds": rounds,
        "answers_meanwhile": figures.latency_ms(latencies),
        "start_s": system.start_s,
        "memory_mb": system.memory_mb(),
    }


def edited(content: Content, number: int) -> tuple[Content, str, str]:
    """Return the content with one entry's answer changed and ten examples added.

    Returns:
        The content, the new words of the answer, and a new example: among 10,000 made entries the
        plain question is near to several.
    """
    marker = f"Edited {number + 1} times."
    traffic = fresh_traffic(f"edit-{number}")
    texts = [f"{traffic.question().text} edit {number}-{i}" for i in range(10)]

    def change(entry: Entry) -> Entry:
        if entry.id != ENTRY:
            return entry
        # The ten of the last edit go, ten new ones come.
        examples = tuple(t for t in entry.examples["en"] if not re.search(r" edit \d+-\d+$", t))
        new_examples = tuple(f"{QUESTION} {text}" for text in texts)
        answers = {**entry.answers, "en": f"{entry.answers['en'].split(' Edited ')[0]} {marker}"}
        return replace(
            entry, examples={**entry.examples, "en": (*examples, *new_examples)}, answers=answers
        )

    changed = Content(tuple(change(entry) for entry in content.entries))
    return changed, marker, f"{QUESTION} {texts[0]}"


def _publish(
    system: System, folder: Any, marker: str, question: str
) -> tuple[float, float, list[float]]:
    finished: list[subprocess.CompletedProcess[str]] = []
    began = time.perf_counter()
    runner = threading.Thread(
        target=lambda: finished.append(system.run("content", "publish", str(folder), "--force"))
    )
    runner.start()
    latencies: list[float] = []
    try:
        while True:
            asked_at = time.perf_counter()
            replies = system.ask(f"publish-{marker}-{len(latencies)}", question)
            now = time.perf_counter()
            latencies.append(now - asked_at)
            if any(marker in reply["text"] for reply in replies):
                break
            if finished and finished[0].returncode != 0:
                raise BenchmarkError(f"content publish failed: {finished[0].stderr[-500:]}")
            if now - began > LIVE_S:
                raise BenchmarkError(f"not live after {LIVE_S:.0f} s: {replies}")
            time.sleep(0.01)
    finally:
        runner.join()
    match = re.search(r"is live after ([\d.]+) s", finished[0].stdout)
    return now - began, float(match[1]) if match else 0.0, latencies


if __name__ == "__main__":
    main()
