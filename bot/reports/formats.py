"""Output of rows as a text table, as CSV for spreadsheets, or as JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

Rows = Sequence[Mapping[str, Any]]

FORMATS = ("table", "csv", "json")
BOM = "\ufeff"
"""Byte order mark: without it spreadsheets read CSV in the system's encoding and garble Hindi."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def as_text(rows: Rows, columns: Sequence[str], kind: str = "table") -> str:
    """Format rows as one of `FORMATS`; the last line ends with a newline.

    JSON has all keys, the others those of `columns`.
    """
    if kind == "json":
        return json.dumps(list(rows), ensure_ascii=False) + "\n"
    return as_csv(rows, columns) if kind == "csv" else as_table(rows, columns)


def as_csv(rows: Rows, columns: Sequence[str]) -> str:
    """Format rows as comma-separated values with a header."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, extrasaction="ignore")
    writer.writeheader()
    writer.writerows({name: escape_formula(value) for name, value in row.items()} for row in rows)
    return BOM + text.getvalue()


def as_table(rows: Rows, columns: Sequence[str]) -> str:
    """Format rows as a text table with aligned columns."""
    lines = [list(columns), *([str(row.get(name, "")) for name in columns] for row in rows)]
    widths = [max(len(line[index]) for line in lines) for index in range(len(columns))]
    padded = [
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
    return "\n".join([*padded, *([] if rows else ["(nothing yet)"]), ""])


def escape_formula(value: Any) -> Any:
    """Prefix a text that begins like a formula, so that a spreadsheet does not run it."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
