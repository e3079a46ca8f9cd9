"""What a report is: a name, columns with their meaning, filters, and a function that reads rows.

A report is a file in this folder with `REPORT = Report(…)`, and a row in `registry.py`. Command
line, pages and documentation walk the registry and know no report by name.
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
    """What rows can be narrowed to."""

    PERIOD = "period"
    LANGUAGE = "language"
    CHANNEL = "channel"


@dataclass(frozen=True)
class Filters:
    """What a reader asks for; empty values narrow nothing."""

    since: float = 0.0
    """Unix seconds of the first moment that counts."""
    until: float = 0.0
    """Unix seconds of the first moment that no longer counts; 0 for now."""
    language: str = ""
    channel: str = ""

    def of_events(self) -> list[sa.ColumnElement[bool]]:
        """These filters as conditions on the table `events`."""
        asked = {
            events.c.occurred_at >= self.since: self.since,
            events.c.occurred_at < self.until: self.until,
            events.c.language == self.language: self.language,
            events.c.channel == self.channel: self.channel,
        }
        return [condition for condition, value in asked.items() if value]


@dataclass(frozen=True)
class Column:
    """A column of a report."""

    name: str
    """Key in the rows."""
    meaning: str
    """What it says, in one line."""
    unit: str = ""
    """What its numbers count, such as `times` or `share`; empty for words."""


@dataclass(frozen=True)
class Chart:
    """How rows are best drawn."""

    kind: str
    """`bar` or `line`."""
    label: str
    """Column that names a bar or a point."""
    value: str
    """Column with its height."""


@dataclass(frozen=True)
class Report:
    """Figures that a supervisor asks for."""

    name: str
    """Lower-case words joined by hyphens, as the command line calls it."""
    title: str
    """What it answers, in a few words."""
    columns: tuple[Column, ...]
    filters: tuple[Filter, ...]
    """Those of `Filters` that `read` heeds."""
    read: Callable[[Connection, Filters], Sequence[Row]]
    """Reads the rows, each with the names of `columns` as keys, the most telling first."""
    chart: Chart | None = None

    @property
    def heads(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(column.name for column in self.columns)
