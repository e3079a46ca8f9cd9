"""Rows as a table to look at, as CSV for a spreadsheet, or as JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

Rows = Sequence[Mapping[str, Any]]

FORMATS = ("table", "csv", "json")
BOM = "\ufeff"
"""Without it a spreadsheet reads CSV in the system's own letters, and Hindi becomes signs."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def as_text(rows: Rows, columns: Sequence[str], kind: str = "table") -> str:
    """Write rows in one of `FORMATS`, with the end of the last line.

    JSON has all keys, the others those of `columns`.
    """
    if kind == "json":
        return json.dumps(list(rows), ensure_ascii=False) + "\n"
    return as_csv(rows, columns) if kind == "csv" else as_table(rows, columns)


def as_csv(rows: Rows, columns: Sequence[str]) -> str:
    """Write comma-separated values with a header."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, extrasaction="ignore")
    writer.writeheader()
    writer.writerows({name: inert(value) for name, value in row.items()} for row in rows)
    return BOM + text.getvalue()


def as_table(rows: Rows, columns: Sequence[str]) -> str:
    """Write columns that line up."""
    lines = [list(columns), *([str(row.get(name, "")) for name in columns] for row in rows)]
    widths = [max(len(line[index]) for line in lines) for index in range(len(columns))]
    shown = [
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
    return "\n".join([*shown, *([] if rows else ["(nothing yet)"]), ""])


def inert(value: Any) -> Any:
    """Keep a spreadsheet from running a text that begins like a formula; numbers stay numbers."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
