"""When people are there, in the customer's words: their language, their time zone where we know it.

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
    """What the calendar of a team says at a moment."""

    closed: bool = False
    zone: str = "UTC"
    """Time zone of the team."""
    at: float | None = None
    """While closed, when it opens; while open, when it closes; None if never or unknown."""


def attendance(hours: Hours, now: float) -> Attendance:
    """Ask a calendar; one without hours says nothing."""
    if hours.is_open(now):
        return Attendance(False, hours.zone, hours.closing(now))
    return Attendance(True, hours.zone, hours.next_opening(now))


def sentence(
    texts: SystemTexts,
    language: str,
    there: Attendance,
    now: float,
    locale: str = "",
    zone: str = "",
) -> str:
    """Say when people are there, as the placeholder `{hours}` of a notice.

    Args:
        locale: What the channel reports of the customer, such as `hi-IN`.
        zone: Time zone it reports; without one, the locale's territory may tell.

    Returns:
        While closed the next opening ("tomorrow at 09:00, India Time"), while open the end
        ("today until 18:00, India Time"); without a calendar the text `utter_hours`.
    """
    if there.at is None:
        return texts.render("utter_hours", language)
    zone = zone or zone_for(locale, there.zone)
    moment, today = local(there.at, zone), local(now, zone).date()
    babel = _locale(language)
    values = {
        "time": format_time(moment.replace(tzinfo=None), "HH:mm", locale=babel),
        "zone": zone_name(zone, language),
        "day": _day(moment, babel),
    }
    if not there.closed:
        name = "utter_until_today" if moment.date() == today else "utter_until_day"
    elif moment.date() == today:
        name = "utter_from_today"
    elif moment.date() == today + timedelta(days=1):
        name = "utter_from_tomorrow"
    else:
        name = "utter_from_day"
    return texts.render(name, language, **values)


def zone_for(locale: str, otherwise: str) -> str:
    """The customer's time zone, where their territory has one only; else the team's."""
    parts = locale.replace("_", "-").split("-")
    territory = next((p.upper() for p in parts[1:] if len(p) == 2), "")
    zones = _zones().get(territory, ())
    return zones[0] if len(zones) == 1 else otherwise


def is_place(zone: str) -> bool:
    """Tell whether a name is the time zone of a place.

    `UTC` is none: it is what a browser reports that will not tell where it is.
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
    """Name a time zone in a language: `India Time`, `भारत समय`."""
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
    """Territory → its time zones."""
    found: dict[str, Any] = {}
    for zone, territory in get_global("zone_territories").items():
        found.setdefault(territory, []).append(zone)
    return {territory: tuple(sorted(zones)) for territory, zones in found.items()}
