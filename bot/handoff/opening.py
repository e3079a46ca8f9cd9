"""Opening hours of a team in the customer's language and, where known, time zone.

The sentences are system texts (domain.yml); names of days, months and zones come from Unicode's
CLDR by way of Babel, so a new language needs none of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from babel import Locale, UnknownLocaleError  # type: ignore[import-untyped]
from babel.core import get_global  # type: ignore[import-untyped]
from babel.dates import (  # type: ignore[import-untyped]
    format_date,
    format_time,
    get_timezone_location,
)

from bot.content.texts import SystemTexts
from bot.errors import BadRequest
from bot.routing.hours import Hours, local, zone_of


@dataclass(frozen=True)
class Attendance:
    """Whether a team is open at a moment, and until when."""

    closed: bool = False
    zone: str = "UTC"
    """Time zone of the team."""
    at: float | None = None
    """While closed, when it opens; while open, when it closes; None if never or unknown."""


def attendance(hours: Hours, now: float) -> Attendance:
    """Look up whether a team is open; one without hours always is."""
    if hours.is_open(now):
        return Attendance(False, hours.zone, hours.closing(now))
    return Attendance(True, hours.zone, hours.next_opening(now))


def sentence(
    texts: SystemTexts,
    language: str,
    team_attendance: Attendance,
    now: float,
    locale: str = "",
    zone: str = "",
) -> str:
    """Write the opening hours, for the placeholder `{hours}` of a notice.

    Args:
        locale: Locale the channel reports for the customer, such as `hi-IN`.
        zone: Time zone it reports; without one, the territory of the locale may have one.

    Returns:
        While closed the next opening ("tomorrow at 09:00, India Time"), while open the end
        ("today until 18:00, India Time"); without a calendar the text `utter_hours`.
    """
    if team_attendance.at is None:
        return texts.render("utter_hours", language)
    zone = zone or zone_for(locale, team_attendance.zone)
    moment, today = local(team_attendance.at, zone), local(now, zone).date()
    babel = _locale(language)
    values = {
        "time": format_time(moment.replace(tzinfo=None), "HH:mm", locale=babel),
        "zone": zone_name(zone, language),
        "day": _day(moment, babel),
    }
    if not team_attendance.closed:
        name = "utter_until_today" if moment.date() == today else "utter_until_day"
    elif moment.date() == today:
        name = "utter_from_today"
    elif moment.date() == today + timedelta(days=1):
        name = "utter_from_tomorrow"
    else:
        name = "utter_from_day"
    return texts.render(name, language, **values)


def zone_for(locale: str, otherwise: str) -> str:
    """Return the customer's time zone if their territory has only one; else the team's."""
    parts = locale.replace("_", "-").split("-")
    territory = next((p.upper() for p in parts[1:] if len(p) == 2), "")
    zones = _zones().get(territory, ())
    return zones[0] if len(zones) == 1 else otherwise


def is_place(zone: str) -> bool:
    """Tell whether a time zone is that of a place.

    `UTC` is not: browsers report it to hide their place.
    """
    of = get_global("zone_territories")
    territory = of.get(zone) or of.get(get_global("zone_aliases").get(zone, ""), "")
    return territory not in {"", "001", "ZZ"} and _exists(zone)


@lru_cache(maxsize=1024)
def _exists(zone: str) -> bool:
    try:
        return bool(zone_of(zone))
    except BadRequest:
        return False


def zone_name(zone: str, language: str) -> str:
    """Return the name of a time zone in a language: `India Time`, `भारत समय`."""
    if zone == "UTC":
        return "UTC"
    return str(get_timezone_location(zone, locale=_locale(language)))


def _day(moment: datetime, locale: Locale) -> str:
    return str(format_date(moment.date(), "EEEE, d MMMM", locale=locale))


@lru_cache(maxsize=64)
def _locale(language: str) -> Locale:
    for code in (language.replace("-", "_"), language.partition("-")[0], "en"):
        try:
            return Locale.parse(code)
        except (UnknownLocaleError, ValueError):
            continue
    return Locale("en")


@lru_cache(maxsize=1)
def _zones() -> Mapping[str, tuple[str, ...]]:
    """Return territory → its time zones."""
    zones_by_territory: dict[str, Any] = {}
    for zone, territory in get_global("zone_territories").items():
        zones_by_territory.setdefault(territory, []).append(zone)
    return {territory: tuple(sorted(zones)) for territory, zones in zones_by_territory.items()}
