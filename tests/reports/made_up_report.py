"""A report that counts answers by entry; it follows docs/extending.md."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from bot.reports.base import Column, Filter, Filters, Report
from bot.stores.tables import events


def read_answers(connection: Connection, filters: Filters) -> list[dict[str, Any]]:
    """Count the answers of each entry, the most given first."""
    entry, count = events.c.data["entry"].as_string(), sa.func.count()
    rows = connection.execute(
        sa.select(entry.label("entry"), count.label("given"))
        .where(events.c.type == "answer.sent", *filters.of_events())
        .group_by(entry)
        .order_by(count.desc(), entry)
    )
    return [dict(row) for row in rows.mappings()]


REPORT = Report(
    name="answers",
    title="how often each answer was given",
    columns=(
        Column("entry", "id of the entry"),
        Column("given", "how often it was the answer", "times"),
    ),
    filters=(Filter.PERIOD, Filter.CHANNEL),
    read=read_answers,
)
