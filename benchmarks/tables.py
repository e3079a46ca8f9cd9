"""Figures of `speed.json` as cells of a table in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

NONE = "not measured"
FAILED = "failed"
"""The measurement failed; `speed.json` says how."""


def at(figures: Any, *path: str) -> Any:
    """Look up a figure; None when a key is missing, `FAILED` when it failed."""
    for key in path:
        if isinstance(figures, dict) and isinstance(figures.get("failed"), str):
            return FAILED
        if not isinstance(figures, dict) or key not in figures:
            return None
        figures = figures[key]
    return figures


def cell(value: Any, digits: int = 1, unit: str = "") -> str:
    """Format a figure for a table."""
    if value is None:
        return NONE
    if isinstance(value, str):
        return value
    return f"{value:,.{digits}f}{unit}" if isinstance(value, float) else f"{value:,}{unit}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
