"""What an engine imports, compared with an earlier build; and pages that say what was measured."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from benchmarks import imports, report_builds, results
from benchmarks.systems import REPO


def figures(cpu_s: float, rss_mb: float) -> dict[str, float]:
    return {"cpu_s": cpu_s, "rss_mb": rss_mb, "modules": 1000}


def test_the_ratio_is_the_median_of_the_rounds_own_ratios() -> None:
    now = [figures(1.0, 100), figures(2.0, 110), figures(8.0, 120)]
    before = [figures(2.0, 200), figures(8.0, 200), figures(8.0, 200)]
    found = imports.compared({"now": now, "before": before})
    assert found["ratio"] == {"cpu_s": 0.5, "rss_mb": 0.55, "modules": 1.0}
    assert found["median"]["before"]["cpu_s"] == 8.0
    assert found["count"] == 3


def test_a_round_is_the_mean_of_its_starts() -> None:
    assert imports.mean([figures(1.0, 100), figures(3.0, 102)]) == figures(2.0, 101)


def test_a_start_tells_what_this_build_imports() -> None:
    found = imports.Build(REPO, Path(sys.executable).parents[1]).start()
    assert set(found) == set(imports.FIGURES)
    assert found["modules"] > 500
    assert found["rss_mb"] > 50
    assert found["cpu_s"] > 0.1


def test_what_was_not_measured_says_so() -> None:
    page = report_builds.imports({})
    assert page.count("not measured") > 8
    assert "None" not in page


@pytest.mark.parametrize("install", ["engine", "web"])
def test_the_page_on_installs_has_the_measured_sizes(install: str) -> None:
    page = (results.DOCS / "decisions" / "0009-three-installs.md").read_text("utf-8")
    sizes = re.search(
        r"the web install takes (?P<web>\d+) MB and the engine's (?P<engine>\d+)", page
    )
    assert sizes
    measured = results.load(results.DOCS)["parts"]["imports"]["disk_mb"][install]
    assert int(sizes[install]) == measured
