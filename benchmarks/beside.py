"""Benchmark against an earlier commit of ours: same traffic, alternating runs, one machine.

`python -m benchmarks.beside [--before COMMIT]`, about 15 minutes (`--quick`: 2). The earlier commit
runs from a checkout and an environment of its own, made from its own lock file. The machine may be
shared and noisy, so the ratio is the median of the rounds' ratios.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import results
from benchmarks.load import closed_loop
from benchmarks.results import Options
from benchmarks.systems import REPO, System, run_samvad
from benchmarks.throughput import answers, fresh_traffic

BEFORE = "61c9d5e"
"""The commit before the folders were rearranged."""
CUSTOMERS = 16
FIGURES = ("messages_per_s", "cpu_ms_per_message", "p50_ms", "p95_ms", "start_s")


@dataclass(frozen=True)
class Build:
    """A checkout and the interpreter that runs it."""

    name: str
    """`now` or `before`."""
    checkout: Path
    python: str
    cache: Path


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--before", default=BEFORE, help="commit this checkout is compared with")
    chosen, sys.argv[1:] = parser.parse_known_args()
    options = results.read_options(__doc__)
    results.write(options, "beside", measure(options, chosen.before))


def measure(options: Options, commit: str = BEFORE) -> dict[str, Any]:
    """Alternate this checkout and an earlier one; return the shape of `compared`, and `before`."""
    rounds, seconds, warm = options.choose((7, 30.0, 10.0), (1, 6.0, 3.0))
    builds = (
        Build("now", REPO, sys.executable, REPO / ".samvad" / "cache"),
        earlier(commit, options.work),
    )
    runs: dict[str, list[dict[str, Any]]] = {build.name: [] for build in builds}
    for number in range(rounds):
        # The first build of a round gets a cooler machine: the order changes with each round.
        for build in builds if number % 2 == 0 else builds[::-1]:
            print(f"round {number + 1} of {rounds}: {build.name} …", flush=True)
            with running(build, options.work / "state") as system:
                result = closed_loop(
                    system,
                    fresh_traffic(f"b{number}"),
                    customers=CUSTOMERS,
                    warm_s=warm,
                    measure_s=seconds,
                    answers=answers(),
                )
            runs[build.name].append({**result, "start_s": system.start_s})
    return {"before": commit, **compared(runs)}


def compared(runs: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Compare two builds round by round.

    Args:
        runs: `now` and `before`, each a list of equal length with the keys of `FIGURES`.

    Returns:
        `median` of each figure by build, `ratio` (now over before, median of the rounds' ratios)
        and `rounds`, the ratios one by one, `count` of rounds.
    """
    rounds = {
        figure: [
            round(now[figure] / before[figure], 4)
            for now, before in zip(runs["now"], runs["before"], strict=True)
        ]
        for figure in FIGURES
    }
    return {
        "median": {
            name: {
                figure: round(statistics.median(run[figure] for run in runs_of_build), 2)
                for figure in FIGURES
            }
            for name, runs_of_build in runs.items()
        },
        "ratio": {figure: round(statistics.median(ratios), 3) for figure, ratios in rounds.items()},
        "rounds": rounds,
        "count": len(runs["now"]),
        "failed": {
            name: sum(run["failed"] for run in runs_of_build)
            for name, runs_of_build in runs.items()
        },
        "memory_mb": {name: runs_of_build[-1]["memory_mb"] for name, runs_of_build in runs.items()},
    }


def checked_out(commit: str, work: Path) -> Path:
    """Check out a commit, once."""
    checkout = work / f"checkout-{commit}"
    if not checkout.exists():
        work.mkdir(parents=True, exist_ok=True)
        archive = subprocess.run(
            ["git", "archive", commit], cwd=REPO, check=True, capture_output=True
        ).stdout
        checkout.mkdir()
        subprocess.run(["tar", "-x"], cwd=checkout, input=archive, check=True)
    return checkout


def earlier(commit: str, work: Path) -> Build:
    """Check out a commit and create its environment, once."""
    checkout = checked_out(commit, work)
    environment = {key: value for key, value in os.environ.items() if key != "VIRTUAL_ENV"}
    subprocess.run(["make", "-s", "env"], cwd=checkout, env=environment, check=True)
    python = checkout / ".venv" / "bin" / "python"
    return Build("before", checkout, str(python), checkout / ".samvad" / "cache")


@contextlib.contextmanager
def running(build: Build, folder: Path) -> Iterator[System]:
    """Start a build with empty stores."""
    shutil.rmtree(folder, ignore_errors=True)
    with run_samvad(
        folder,
        cache_dir=build.cache,
        checkout=build.checkout,
        python=build.python,
    ) as system:
        yield system


if __name__ == "__main__":
    main()
