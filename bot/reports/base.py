"""Definition of a report: name, columns with their meaning, filters, and the reading function.

A report is a file in this folder with `REPORT = Report(…)`, and a row in `registry.py`. Command
line, pages and documentation use the registry and name no report.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from bot.stores.tables import events

Row = Mapping[str, Any]


class Filter(StrEnum):
    """Filters that a report supports."""

    PERIOD = "period"
    LANGUAGE = "language"
    CHANNEL = "channel"


@dataclass(frozen=True)
class Filters:
    """Values of the filters; empty ones do not filter."""

    since: float = 0.0
    """Unix seconds from which events count."""
    until: float = 0.0
    """Unix seconds from which events no longer count; 0 for no end."""
    language: str = ""
    channel: str = ""

    def of_events(self) -> list[sa.ColumnElement[bool]]:
        """Return these filters as conditions on the table `events`."""
        conditions = {
            events.c.occurred_at >= self.since: self.since,
            events.c.occurred_at < self.until: self.until,
            events.c.language == self.language: self.language,
            events.c.channel == self.channel: self.channel,
        }
        return [condition for condition, value in conditions.items() if value]


@dataclass(frozen=True)
class Column:
    """Column of a report."""

    name: str
    """Key in the rows."""
    meaning: str
    """Its meaning, in one line."""
    unit: str = ""
    """Unit of its numbers, such as `times` or `share`; empty for words."""


@dataclass(frozen=True)
class Chart:
    """How to draw the rows."""

    kind: str
    """`bar` or `line`."""
    label: str
    """Column with the label of a bar or point."""
    value: str
    """Column with its height."""


@dataclass(frozen=True)
class Report:
    """Report with its figures."""

    name: str
    """Lower-case words joined by hyphens; its name on the command line."""
    title: str
    """Title, in a few words."""
    columns: tuple[Column, ...]
    filters: tuple[Filter, ...]
    """Filters that `read` applies."""
    read: Callable[[Connection, Filters], Sequence[Row]]
    """Reads the rows, each with the names of `columns` as keys, most important first."""
    chart: Chart | None = None

    @property
    def column_names(self) -> tuple[str, ...]:
        """Return the names of the columns."""
        return tuple(column.name for column in self.columns)
