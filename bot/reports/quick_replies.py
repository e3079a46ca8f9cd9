"""Report on quick replies, from events `quick-reply.shown` and `quick-reply.tapped`."""

from __future__ import annotations

from collections import Counter
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from bot.reports.base import Chart, Column, Filter, Filters, Report
from bot.stores.tables import events


def read_usage(connection: Connection, filters: Filters) -> list[dict[str, Any]]:
    """Count showings and taps, most tapped first, never tapped last."""
    shown: Counter[tuple[str, str, str]] = Counter()
    tapped: Counter[tuple[str, str, str]] = Counter()
    typed: Counter[tuple[str, str, str]] = Counter()
    for row in _rows(connection, "quick-reply.shown", filters):
        for reply in row.data.get("replies", ()):
            shown[_key(reply, row)] += 1
    for row in _rows(connection, "quick-reply.tapped", filters):
        tapped[_key(row.data, row)] += 1
        typed[_key(row.data, row)] += bool(row.data.get("typed"))
    keys = sorted(shown.keys() | tapped.keys(), key=lambda k: (-tapped[k], -shown[k], k))
    return [
        {
            "quick_reply": key[0],
            "language": key[1],
            "channel": key[2],
            "shown": shown[key],
            "tapped": tapped[key],
            "typed": typed[key],
            "taps_per_showing": round(tapped[key] / shown[key], 3) if shown[key] else None,
        }
        for key in keys
    ]


def _rows(connection: Connection, kind: str, filters: Filters) -> sa.CursorResult[Any]:
    return connection.execute(
        sa.select(events.c.data, events.c.language, events.c.channel).where(
            events.c.type == kind, *filters.of_events()
        )
    )


def _key(data: Any, row: Any) -> tuple[str, str, str]:
    return (str(data.get("entry") or data.get("action") or ""), row.language, row.channel)


REPORT = Report(
    name="quick-replies",
    title="most used, taps per showing, never tapped",
    columns=(
        Column("quick_reply", "id of the entry, or an action such as `person`"),
        Column("language", "the bot answered in"),
        Column("channel", "it was shown on"),
        Column("shown", "how often it was offered", "times"),
        Column("tapped", "how often it was tapped, or typed instead", "times"),
        Column("typed", "how often its title or number was typed", "times"),
        Column("taps_per_showing", "tapped / shown; empty where it was never shown", "share"),
    ),
    filters=(Filter.PERIOD, Filter.LANGUAGE, Filter.CHANNEL),
    read=read_usage,
    chart=Chart("bar", label="quick_reply", value="tapped"),
)
