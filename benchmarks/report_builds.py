"""Sections of `docs/speed.md` that set this build beside an earlier one of our own."""

from __future__ import annotations

from typing import Any

from benchmarks.tables import at, cell, table


def beside(part: dict[str, Any]) -> str:
    """The same traffic through both."""
    if not part:
        return "## Beside an earlier build\n\nNot measured yet; `make bench-beside` does it."
    rows = [
        [
            label,
            cell(at(part, "median", "before", key), digits),
            cell(at(part, "median", "now", key), digits),
            cell(at(part, "ratio", key), 3),
        ]
        for key, label, digits in (
            ("messages_per_s", "messages/s", 1),
            ("cpu_ms_per_message", "CPU ms a message", 2),
            ("p50_ms", "p50, ms", 1),
            ("p95_ms", "p95, ms", 1),
            ("start_s", "start to first answer, s", 2),
        )
    ]
    return f"""## Beside an earlier build

The same closed loop against commit {cell(at(part, "before"))} in its own environment, \
{cell(at(part, "count"))} alternating rounds in one run; \
the ratio is the median of the rounds' ratios.

{table(["", "before", "now", "now : before"], rows)}"""


def imports(part: dict[str, Any]) -> str:
    """What an engine imports, and what environments take on disk."""
    rows = [
        [
            label,
            *(cell(at(part, "median", name, key), digits) for name in ("before", "now")),
            cell(at(part, "ratio", key), 3),
        ]
        for key, label, digits in (
            ("cpu_s", "processor time, s", 2),
            ("rss_mb", "resident, MB", 1),
            ("modules", "modules", 0),
        )
    ]
    disk = [cell(at(part, "disk_mb", name)) for name in ("before", "engine")]
    return f"""## What an engine imports

Before a model is loaded, beside commit {cell(at(part, "before"))} in its own environment, \
{cell(at(part, "count"))} alternating rounds in one run; \
the ratio is the median of the rounds' ratios.
Environments as `make env INSTALL=engine` makes them; that of the processes without Rasa \
(`INSTALL=web`) takes {cell(at(part, "disk_mb", "web"))} MB.

{table(["", "before", "now", "now : before"], [*rows, ["environment on disk, MB", *disk, ""]])}"""
