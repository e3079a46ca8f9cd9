"""The form of a team: its fields read into a team, and a team written into its fields."""

from __future__ import annotations

from datetime import date
from typing import Any

from babel import Locale, UnknownLocaleError  # type: ignore[import-untyped]

from bot.desk.people import naming
from bot.desk.texts import Texts
from bot.errors import BadRequest
from bot.routing import hours
from bot.routing.hours import Hours, Spans
from bot.routing.model import Team

DAYS = 7
MOST_EXCEPTIONS = 200
EXAMPLES = {
    "hours": "09:00-17:30",
    "zone": "Asia/Kolkata",
    "exceptions": "2026-12-25\n2026-12-24 09:00-12:00",
}


def team_of(fields: dict[str, Any]) -> Team:
    """Read a posted form.

    Raises:
        BadRequest: A time, date or number cannot be used.
    """
    minutes = fields.get("overflow_min", "").strip()
    if not (minutes.isascii() and minutes.isdigit() and len(minutes) <= 5):
        raise BadRequest("bad-overflow", "Others help after a number of minutes.")
    zone = fields.get("zone", "").strip()
    hours.zone_of(zone)
    week = tuple(hours.parse_spans(fields.get(f"day-{day}", "")) for day in range(DAYS))
    return Team(
        id="",
        name=naming.plain(fields.get("name", "")),
        languages=frozenset(fields["languages"]),
        topics=frozenset(fields["topics"]),
        hours=Hours(zone, week, parse_exceptions(fields.get("exceptions", ""))),
        overflow_after_s=int(minutes) * 60,
        overflow_to=tuple(fields["overflow_to"]),
    )


def parse_exceptions(text: str) -> dict[date, Spans]:
    """Read one exception a line: a date, and its hours unless it is a day off.

    Raises:
        BadRequest: A line is neither, or there are too many.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if len(lines) > MOST_EXCEPTIONS:
        raise BadRequest("bad-date", f"At most {MOST_EXCEPTIONS} days.")
    found = {}
    for line in lines:
        day, _, spans = (
            line.replace(":", " ", 1).partition(" ")
            if line[10:11] == ":"
            else (line.partition(" "))
        )
        found[hours.parse_day(day)] = hours.parse_spans(spans)
    return found


def fields_of(team: Team) -> dict[str, Any]:
    """A team as its form shows it."""
    days = {f"day-{day}": hours.spans_text(team.hours.week[day]) for day in range(DAYS)}
    exceptions = [
        f"{day.isoformat()} {hours.spans_text(spans)}".strip()
        for day, spans in sorted(team.hours.exceptions.items())
    ]
    return {
        "name": team.name,
        "languages": sorted(team.languages),
        "topics": sorted(team.topics),
        "zone": team.hours.zone,
        "exceptions": "\n".join(exceptions),
        **days,
        "overflow_min": str(team.overflow_after_s // 60),
        "overflow_to": list(team.overflow_to),
    }


def day_names(texts: Texts) -> list[str]:
    """Monday to Sunday in a language."""
    try:
        locale = Locale.parse(texts.language)
    except (UnknownLocaleError, ValueError):
        locale = Locale("en")
    names = locale.days["stand-alone"]["wide"]
    return [str(names[day]) for day in range(DAYS)]
