"""Shape of `speed.json`, and pages that say "not measured" where nothing was measured."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest

from benchmarks import report, results, scale, throughput
from benchmarks.load import Tally
from benchmarks.results import Options
from benchmarks.traffic import Step

STAMP = {"date": "2026-11-22 01:00 UTC", "commit": "abc", "machine": {"cores": 2}}


def run(per_s: float, cpu: float) -> dict[str, Any]:
    return {
        "messages_per_s": per_s,
        "p50_ms": 10.0,
        "p95_ms": 20.0,
        "p99_ms": 30.0,
        "cpu_ms_per_message": cpu,
        "generator_cpu_ms_per_message": 0.5,
        "start_s": 5.0,
        "right_share": None,
        "messages": 100,
        "failed": 0,
        "silent": 0,
        "memory_mb": {"engine-0": {"rss_mb": 400.0, "pss_mb": 300.0}},
        "cpu_ms_by_process": {
            "engine-0": cpu / 2,
            "ingress": 1.0,
            "sender": 1.0,
            "recorder": 1.0,
            "valkey": 0.5,
        },
    }


@pytest.fixture
def measured() -> dict[str, Any]:
    found: dict[str, Any] = {
        "ours": {"closed": throughput.summary([run(100, 8), run(300, 6), run(200, 7)])},
        "ours_2_engines": {"closed": throughput.summary([run(250, 9)])},
        "vanilla": {"closed": throughput.summary([run(20, 63)])},
        "costs": {
            "sql_rows_per_message": 8.0,
            "sql_bytes_per_message": 5000,
            "redis_bytes_per_conversation": 4000,
            "redis_bytes_per_message": 70,
        },
    }
    return {**found, **throughput.ratios(found), "vanilla_training_s": 300.0, "customers": 16}


def test_the_ratio_is_ours_over_vanillas_with_the_better_number_of_engines(
    measured: dict[str, Any],
) -> None:
    assert measured["ours"]["closed"]["messages_per_s"] == 200  # the median round
    assert (measured["best"], measured["ratio"]) == ("ours_2_engines", 12.5)
    assert measured["cpu_ratio"] == pytest.approx(9 / 63, abs=1e-4)


def test_a_part_replaces_itself_only(measured: dict[str, Any]) -> None:
    first = results.merge({}, "desk", {"agents": 5}, quick=True, stamp=STAMP)
    assert first["throughput_ratio"] is None
    both = results.merge(first, "throughput", measured, quick=False, stamp=STAMP)
    assert both["throughput_ratio"] == 12.5
    assert both["parts"]["desk"] == first["parts"]["desk"]
    assert both["parts"]["throughput"]["commit"] == "abc"
    again = results.merge(both, "desk", {"agents": 500}, quick=False, stamp=STAMP)
    assert again["parts"]["desk"]["agents"] == 500
    assert again["throughput_ratio"] == 12.5


def test_written_parts_are_read_back(tmp_path: Path, measured: dict[str, Any]) -> None:
    options = Options(quick=True, output=tmp_path, work=tmp_path)
    results.write(options, "throughput", measured)
    assert results.load(tmp_path)["throughput_ratio"] == 12.5
    assert json.loads((tmp_path / "speed.json").read_text())["machine"]["cores"] > 0
    page = (tmp_path / "speed.md").read_text("utf-8")
    assert "**12.5×**" in page
    assert "quick" in page


def test_without_a_run_no_cell_has_a_figure() -> None:
    page = report.page({"throughput_ratio": None, "parts": {}})
    rows = [line for line in page.splitlines() if line.startswith("|") and "---" not in line]
    cells = [cell.strip() for row in rows for cell in row.strip("|").split("|")[1:]]
    assert cells.count(report.NONE) > 50
    assert not [cell for cell in cells if cell[:1].isdigit()]


def test_what_was_tried_and_broke_says_so() -> None:
    def broken() -> dict[str, Any]:
        raise OSError("no room")

    found = results.attempt(broken)
    assert found == {"failed": "OSError: no room"}
    growth = {"entries": {"60": {"p50_ms": 1.0, "p95_ms": 2.0}, "9999": found}}
    page = report.page({"parts": {"growth": growth, "publish": {"entries": {"9999": found}}}})
    assert "| 60 | 1.0 / 2.0 | not measured |" in page
    assert "| 9,999 | failed | failed | failed |" in page
    assert "| 9,999 | failed | failed | failed | failed |" in page


def test_the_charts_are_drawn_with_and_without_figures(measured: dict[str, Any]) -> None:
    growth = {"length": {"ours": {"1": {"p50_ms": 12.0}, "3000": {"p50_ms": 13.0}}}}
    full = {**STAMP, "parts": {"throughput": measured, "growth": growth}}
    for speed in ({"parts": {}}, full):
        ElementTree.fromstring(report.drawing(speed))
    assert "not measured" in report.drawing({"parts": {}})
    assert report.drawing(full).count("<rect") == 6


def test_the_scale_model_follows_from_the_figures(measured: dict[str, Any]) -> None:
    figures = scale.model({"parts": {"throughput": measured}})
    assert figures["cpu_ms"] == 9
    assert figures["cores"] == pytest.approx(1000 * 0.009 / 0.5)
    assert figures["redis_shards"] == 3
    assert figures["rows_s"] == 8000
    assert None not in figures.values()
    assert scale.ends_first(figures).startswith("disk of a single PostgreSQL")


def test_the_scale_page_is_up_to_date() -> None:
    template = scale.TEMPLATE.read_text("utf-8")
    written = (results.DOCS / "scale.md").read_text("utf-8")
    assert written == scale.render(results.load(results.DOCS), template)


def test_the_speed_page_is_up_to_date() -> None:
    assert (results.DOCS / "speed.md").read_text("utf-8") == report.page(results.load(results.DOCS))


def test_an_answer_is_right_when_it_is_the_questions_entry() -> None:
    tally = Tally({"Pay by card.": "payment-methods"})
    run_samvad = [{"text": "I am a bot.", "entry": None}, {"text": "x", "entry": "order-status"}]
    tally.note(Step("where is it", entry="order-status"), False, run_samvad, 0.1)
    tally.note(Step("how to pay", entry="payment-methods"), False, [{"text": "Pay by card."}], 0.1)
    tally.note(Step("how to pay?", entry="payment-methods"), False, [{"text": "Sorry?"}], 0.1)
    tally.note(Step("hello"), False, [{"text": "Hi"}], 0.1)
    tally.note(Step("person"), False, [{"text": "Wait", "state": "waiting"}], 0.1)
    assert (tally.counts["questions"], tally.counts["right"]) == (3, 2)
    assert (tally.counts["handoff"], tally.counts["silent"], len(tally.latencies_s)) == (1, 0, 5)


def test_a_part_keeps_the_machine_it_was_measured_on() -> None:
    first = results.merge({}, "desk", {"agents": 5}, quick=False, stamp=STAMP)
    other = {**STAMP, "machine": {"cores": 64, "processor": "another"}}
    both = results.merge(first, "publish", {}, quick=False, stamp=other)
    assert both["parts"]["desk"]["machine"] == {"cores": 2}
    assert both["parts"]["publish"]["machine"] == other["machine"]
