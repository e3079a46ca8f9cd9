"""What an engine imports before it loads a model, and what its installs take on disk.

`python -m benchmarks.imports [--before COMMIT]`, about 5 minutes (`--quick`: 1 where the
environments are made). This checkout and an earlier commit alternate on one machine, each in an
environment of its own, made from its own lock file for running and not for development.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import results
from benchmarks.beside import BEFORE, checked_out
from benchmarks.results import Options
from benchmarks.systems import REPO

FIGURES = ("cpu_s", "rss_mb", "modules")
STARTS = 3
"""Starts of each build in a round; the round has their mean."""
CODE = """
import bot.__main__
try:
    from bot.processes.roles import ROLES
except ModuleNotFoundError:  # before 2026-11: all that `bot.commands.processes.engine` imports
    import actions.local, bot.commands.processes, bot.content.catalog, bot.dialogue.handler
    import bot.dialogue.load, bot.language.slow, bot.language.translate
    import bot.understanding.service, channels.inbox
else:
    ROLES["engine"].load()
import json, resource, sys
used = resource.getrusage(resource.RUSAGE_SELF)
with open("/proc/self/statm") as pages:
    resident = int(pages.read().split()[1]) * resource.getpagesize()
print(json.dumps({
    "cpu_s": used.ru_utime + used.ru_stime,
    "rss_mb": resident / 2**20,
    "modules": len(sys.modules),
}))
"""


@dataclass(frozen=True)
class Build:
    """A checkout and the environment that runs its engine."""

    checkout: Path
    environment: Path

    def start(self) -> dict[str, float]:
        """Import what an engine does, in a process of its own; keys of `FIGURES`."""
        done = subprocess.run(
            [self.environment / "bin" / "python", "-W", "ignore", "-c", CODE],
            cwd=self.checkout,
            env=_environ(),
            capture_output=True,
            text=True,
            check=True,
        )
        found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
        return found


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--before", default=BEFORE, help="commit this checkout is compared with")
    chosen, sys.argv[1:] = parser.parse_known_args()
    options = results.read_options(__doc__)
    results.write(options, "imports", measure(options, chosen.before))


def measure(options: Options, commit: str = BEFORE) -> dict[str, Any]:
    """Alternate the two builds; shape as `compared`, with `before` and `disk_mb` by install."""
    now = Build(REPO, installed(REPO, options.work / "imports-engine", "--group", "engine"))
    earlier = checked_out(commit, options.work)
    before = Build(earlier, installed(earlier, options.work / f"imports-{commit}"))
    web = installed(REPO, options.work / "imports-web", "--group", "web")
    builds = {"now": now, "before": before}
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in builds}
    for build in builds.values():
        build.start()  # whoever is first would read its files from the disk
    for number in range(options.choose(7, 1)):
        print(f"round {number + 1} …", flush=True)
        for name in list(builds) if number % 2 == 0 else list(builds)[::-1]:
            runs[name].append(mean([builds[name].start() for _ in range(STARTS)]))
    disk_mb = {
        "engine": size_mb(now.environment),
        "web": size_mb(web),
        "before": size_mb(before.environment),
    }
    return {"before": commit, "disk_mb": disk_mb, **compared(runs)}


def mean(starts: Sequence[dict[str, float]]) -> dict[str, float]:
    """Mean of each figure."""
    return {figure: statistics.mean(start[figure] for start in starts) for figure in FIGURES}


def compared(runs: dict[str, list[dict[str, float]]]) -> dict[str, Any]:
    """Compare two builds round by round.

    Args:
        runs: `now` and `before`, each a list of equal length with the keys of `FIGURES`.

    Returns:
        `median` of each figure by build, `ratio` (now over before, median of the rounds' ratios),
        `count` of rounds.
    """
    pairs = list(zip(runs["now"], runs["before"], strict=True))
    return {
        "median": {
            name: {
                figure: round(statistics.median(r[figure] for r in found), 2) for figure in FIGURES
            }
            for name, found in runs.items()
        },
        "ratio": {
            figure: round(statistics.median(now[figure] / then[figure] for now, then in pairs), 3)
            for figure in FIGURES
        },
        "count": len(pairs),
    }


def installed(checkout: Path, environment: Path, *groups: str) -> Path:
    """Make an environment for running a checkout, pruned where the checkout knows how."""
    uv = shutil.which("uv") or str(REPO / ".uv" / "bin" / "uv")
    command = [uv, "sync", "--frozen", "--quiet", "--compile-bytecode", "--no-default-groups"]
    environ = {**_environ(), "UV_PROJECT_ENVIRONMENT": str(environment)}
    subprocess.run([*command, *groups], cwd=checkout, env=environ, check=True)
    prune = checkout / "deploy" / "prune.py"
    if prune.exists():
        subprocess.run([environment / "bin" / "python", prune, environment], check=True)
    return environment


def size_mb(folder: Path) -> int:
    """What a folder takes on disk, in 2^20 bytes."""
    done = subprocess.run(["du", "-sm", folder], capture_output=True, text=True, check=True)
    return int(done.stdout.split()[0])


def _environ() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if key != "VIRTUAL_ENV"}


if __name__ == "__main__":
    main()
