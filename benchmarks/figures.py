"""Measuring: percentiles of latencies, CPU seconds and memory of processes."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_MEGABYTE_KB = 1024


def percentile(values: Sequence[float], share: float) -> float:
    """Return the nearest-rank percentile: the smallest value that `share` (0–1) do not exceed.

    Raises:
        ValueError: There are no values.
    """
    if not values:
        raise ValueError("no values, no percentile")
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def latency_ms(seconds: Sequence[float]) -> dict[str, float]:
    """Shape latencies as `{"p50_ms", "p95_ms", "p99_ms", "max_ms", "samples"}`."""
    return {
        "p50_ms": round(percentile(seconds, 0.5) * 1000, 2),
        "p95_ms": round(percentile(seconds, 0.95) * 1000, 2),
        "p99_ms": round(percentile(seconds, 0.99) * 1000, 2),
        "max_ms": round(max(seconds) * 1000, 2),
        "samples": len(seconds),
    }


@dataclass(frozen=True)
class Memory:
    """Memory of a process, in megabytes."""

    rss_mb: float
    """Resident, shared pages included."""
    pss_mb: float
    """Resident, each shared page divided among those who share it."""


def tree(root: int) -> list[int]:
    """List a process and all its descendants."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                children.setdefault(parent, []).append(int(entry.name))
    pids, todo = [], [root]
    while todo:
        pid = todo.pop()
        pids.append(pid)
        todo += children.get(pid, [])
    return pids


def cpu_s(pid: int) -> float:
    """Return CPU seconds of a process and of its children that have ended; 0 when it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(int(field) for field in fields[11:15]) / _TICKS


def memory(pid: int) -> Memory:
    """Return the memory of a process.

    Raises:
        OSError: It is gone.
    """
    values = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        name, _, text = line.partition(":")
        values[name] = int(text.split()[0]) / _MEGABYTE_KB
    return Memory(round(values["Rss"], 1), round(values["Pss"], 1))


def name_of(pid: int) -> str:
    """Return a short name of a process: the role of ours, else its program."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_text().rstrip("\0").split("\0")
    except OSError:
        return "gone"
    if "--name" in words:
        return words[words.index("--name") + 1].split("@")[0]
    if "valkey" in Path(words[0]).name:
        return "valkey"
    for word in words[1:]:
        if word in {"serve", "rasa_sdk"} or Path(word).name == "rasa":
            return Path(word).name
    return Path(words[0]).name
