"""Storage of results: one part of `speed.json` each, with date and commit; no invented figures.

Shape: `{"throughput_ratio": number or null, "date", "commit", "machine": {…}, "parts": {name:
{"date", "commit", "machine", "quick", …figures}}}`. A part that was not run is not there.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.systems import REPO

DOCS = REPO / "docs"
QUICK = REPO / "results" / "speed"
"""A quick run proves that everything works; its figures must not take the place of real ones."""


@dataclass(frozen=True)
class Options:
    """Options that every part gets."""

    quick: bool
    output: Path
    work: Path

    def choose(self, full: Any, quick: Any) -> Any:
        return quick if self.quick else full


def read_options(description: str | None) -> Options:
    """Read the command line all parts share; from now on SIGTERM stops started processes."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="small sizes and short times")
    parser.add_argument(
        "--output", type=Path, help=f"folder of speed.json and speed.md (docs; quick: {QUICK})"
    )
    parser.add_argument(
        "--work",
        type=Path,
        default=Path(tempfile.gettempdir()) / "samvad-bench",
        help="folder for state, and for the vanilla project, which is trained once",
    )
    chosen = parser.parse_args()
    output = chosen.output or (QUICK if chosen.quick else DOCS)
    chosen.work.mkdir(parents=True, exist_ok=True)
    return Options(chosen.quick, output, chosen.work)


def attempt(measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Measure one size; a failure becomes the result, and the other sizes still run."""
    try:
        return measure()
    except Exception as error:
        traceback.print_exc()
        return {"failed": f"{type(error).__name__}: {error}"[:300]}


def load(folder: Path) -> dict[str, Any]:
    """Read `speed.json`; empty before the first run."""
    path = folder / "speed.json"
    if not path.exists():
        return {"throughput_ratio": None, "parts": {}}
    speed: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return speed


def write(options: Options, name: str, figures: dict[str, Any]) -> None:
    """Store a part's figures in `speed.json` and write the page again."""
    from benchmarks import report

    speed = merge(load(options.output), name, figures, quick=options.quick, stamp=stamp())
    options.output.mkdir(parents=True, exist_ok=True)
    text = json.dumps(speed, indent=1, ensure_ascii=False, sort_keys=True)
    (options.output / "speed.json").write_text(text + "\n", "utf-8")
    report.write(options.output)
    print(f"{name}: written to {options.output / 'speed.md'}", flush=True)


def merge(
    speed: dict[str, Any],
    name: str,
    figures: dict[str, Any],
    *,
    quick: bool,
    stamp: dict[str, Any],
) -> dict[str, Any]:
    """Replace one part; the others stay as they are."""
    part = {**stamp, "quick": quick, **figures}
    # Parts that do not say where they were measured are of the machine that the page names.
    others = {
        other: {"machine": speed.get("machine", {}), **found}
        for other, found in speed.get("parts", {}).items()
    }
    merged = {**speed, **stamp, "parts": {**others, name: part}}
    throughput = merged["parts"].get("throughput", {})
    merged["throughput_ratio"] = throughput.get("ratio")
    return merged


def stamp() -> dict[str, Any]:
    """Return date, commit and machine."""
    return {
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": _commit(),
        "machine": {
            "cores": os.cpu_count(),
            "processor": _processor(),
            "memory_gb": round(_memory_kb() / 1024**2, 1),
            "system": f"{platform.system()} {platform.release()}",
            "python": platform.python_version(),
            "load_before": round(os.getloadavg()[0], 2),
        },
    }


def _commit() -> str:
    named = _git("describe", "--always", "--abbrev=10") or "unknown"
    # What the part before this one has written changes nothing of what is measured.
    changed = _git("status", "--porcelain", "-uno", "--", ".", ":(exclude)docs")
    return f"{named}-dirty" if changed else named


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=REPO, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _memory_kb() -> int:
    return int(Path("/proc/meminfo").read_text().splitlines()[0].split()[1])
