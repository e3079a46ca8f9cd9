"""How quick replies are used, from events `quick-reply.shown` and `quick-reply.tapped`."""

from __future__ import annotations

from collections import Counter
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from bot.stores.tables import events

COLUMNS = ("quick_reply", "language", "channel", "shown", "tapped", "typed", "taps_per_showing")


def read_usage(
    connection: Connection, *, language: str = "", channel: str = ""
) -> list[dict[str, Any]]:
    """Count showings and taps, most tapped first, never tapped last.

    Returns:
        Rows with the keys of `COLUMNS`. `quick_reply` is an entry id, or an action such as
        `person`; `tapped` includes `typed` (the title typed instead of tapped).
    """
    shown: Counter[tuple[str, str, str]] = Counter()
    tapped: Counter[tuple[str, str, str]] = Counter()
    typed: Counter[tuple[str, str, str]] = Counter()
    for row in _rows(connection, "quick-reply.shown", language, channel):
        for reply in row.data.get("replies", ()):
            shown[_key(reply, row)] += 1
    for row in _rows(connection, "quick-reply.tapped", language, channel):
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


def _rows(connection: Connection, kind: str, language: str, channel: str) -> sa.CursorResult[Any]:
    query = sa.select(events.c.data, events.c.language, events.c.channel).where(
        events.c.type == kind
    )
    if language:
        query = query.where(events.c.language == language)
    if channel:
        query = query.where(events.c.channel == channel)
    return connection.execute(query)


def _key(data: Any, row: Any) -> tuple[str, str, str]:
    return (str(data.get("entry") or data.get("action") or ""), row.language, row.channel)
