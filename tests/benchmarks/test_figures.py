"""Percentiles and what `/proc` tells."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from benchmarks import figures


@pytest.mark.parametrize(
    ("share", "value"), [(0.0, 1), (0.01, 1), (0.5, 50), (0.95, 95), (0.99, 99), (1.0, 100)]
)
def test_percentiles_by_nearest_rank(share: float, value: int) -> None:
    assert figures.percentile(list(range(100, 0, -1)), share) == value


def test_the_median_of_two_is_the_lower_one() -> None:
    assert figures.percentile([2.0, 1.0], 0.5) == 1.0


def test_no_values_have_no_percentile() -> None:
    with pytest.raises(ValueError, match="no values"):
        figures.percentile([], 0.5)


def test_latencies_are_told_in_milliseconds() -> None:
    assert figures.latency_ms([0.001] * 98 + [0.5, 2.0]) == {
        "p50_ms": 1.0,
        "p95_ms": 1.0,
        "p99_ms": 500.0,
        "max_ms": 2000.0,
        "samples": 100,
    }


def test_a_process_tree_has_its_children_cpu_and_memory() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", "sum(range(3_000_000)); print('done', flush=True); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as child:
        assert child.stdout is not None
        assert child.stdin is not None
        child.stdout.readline()
        assert child.pid in figures.tree(os.getpid())
        assert figures.tree(child.pid) == [child.pid]
        assert figures.cpu_s(child.pid) > 0
        used = figures.memory(child.pid)
        assert used.rss_mb >= used.pss_mb > 1
        child.stdin.write(b"\n")
    assert figures.cpu_s(child.pid) == 0.0
