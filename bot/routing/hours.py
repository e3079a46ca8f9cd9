"""Working hours of a team: several spans per day, dated exceptions, an IANA time zone.

See docs/routing.md#hours. Times of day are wall clock. On the day clocks change, a span lasts as
long as it really does: one that holds the hour that is skipped is an hour shorter, one with the
repeated hour an hour longer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bot.errors import BadRequest

LOOK_AHEAD_DAYS = 370
"""How far openings are searched; a team closed for longer has no next opening."""
DAY_MIN = 24 * 60
MOST_SPANS = 8
_SPAN = re.compile(r"(\d{1,2}):(\d{2})\s*[-–]\s*(\d{1,2}):(\d{2})")


@dataclass(frozen=True, order=True)
class Span:
    """Part of a day in minutes since midnight; `end` may be 1440."""

    start: int
    end: int

    def text(self) -> str:
        return (
            f"{self.start // 60:02d}:{self.start % 60:02d}-{self.end // 60:02d}:{self.end % 60:02d}"
        )


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


Spans = tuple[Span, ...]


@dataclass(frozen=True)
class Hours:
    """Working hours of a team; without spans and exceptions it always works."""

    zone: str = "UTC"
    week: tuple[Spans, ...] = ((),) * 7
    """Spans of Monday to Sunday."""
    exceptions: Mapping[date, Spans] = field(default_factory=dict)
    """Dates with their own spans; no span is a day off."""

    @property
    def always(self) -> bool:
        return not any(self.week) and not self.exceptions

    def on(self, day: date) -> Spans:
        """Return the spans of a day, in order."""
        exception = self.exceptions.get(day)
        return self.week[day.weekday()] if exception is None else exception

    def is_open(self, at: float) -> bool:
        """Tell whether the team works at a moment (Unix seconds)."""
        if self.always:
            return True
        return any(start <= at < end for start, end in self._from(at, days=1))

    def next_opening(self, at: float) -> float | None:
        """Return when it opens next; `at` itself while open, None if not within a year."""
        if self.always:
            return at
        return next((max(at, start) for start, end in self._from(at) if end > at), None)

    def closing(self, at: float) -> float | None:
        """Return when the span that is open at a moment ends; None while closed or always open."""
        if self.always:
            return None
        end = None
        for start, stop in self._from(at, days=3):
            if end is None:
                if start <= at < stop:
                    end = stop
            elif start <= end:
                end = max(end, stop)  # the next day continues at midnight
            else:
                break
        return end

    def add(self, at: float, seconds: float) -> float:
        """Return the moment at which the team has worked this long since `at`.

        A team that does not work that long within a year counts as always working, so that clocks
        end.
        """
        if self.always:
            return at + seconds
        remaining_s = seconds
        for start, end in self._from(at):
            begin = max(at, start)
            if end <= begin:
                continue
            if remaining_s <= end - begin:
                return begin + remaining_s
            remaining_s -= end - begin
        return at + seconds

    def back(self, at: float, seconds: float) -> float | None:
        """Return the latest moment since which the team has worked this long, the inverse of `add`.

        Returns:
            None for a team that did not work that long within a year.
        """
        if self.always:
            return at - seconds
        zone, remaining_s = zone_of(self.zone), seconds
        day = datetime.fromtimestamp(at, zone).date()
        for number in range(LOOK_AHEAD_DAYS):
            today = day - timedelta(days=number)
            for span in reversed(self.on(today)):
                start, end = _moment(today, span.start, zone), _moment(today, span.end, zone)
                end = min(end, at)
                if end <= start:
                    continue
                if remaining_s <= end - start:
                    return end - remaining_s
                remaining_s -= end - start
        return None

    def between(self, start: float, end: float) -> float:
        """Return the seconds the team works between two moments."""
        if self.always:
            return max(0.0, end - start)
        days = int((end - start) // 86400) + 2
        return sum(
            max(0.0, min(end, stop) - max(start, begin))
            for begin, stop in self._from(start, days=days)
        )

    def _from(self, at: float, days: int = LOOK_AHEAD_DAYS) -> Iterator[tuple[float, float]]:
        """Yield spans as Unix seconds in order, from the day before `at` on."""
        zone = zone_of(self.zone)
        day = datetime.fromtimestamp(at, zone).date() - timedelta(days=1)
        for number in range(days + 2):
            today = day + timedelta(days=number)
            for span in self.on(today):
                start, end = _moment(today, span.start, zone), _moment(today, span.end, zone)
                if end > start:
                    yield start, end


def _moment(day: date, minutes: int, zone: ZoneInfo) -> float:
    """Return the Unix seconds of a wall-clock time; a skipped one is when the clock changes."""
    if minutes >= DAY_MIN:
        day, minutes = day + timedelta(days=1), minutes - DAY_MIN
    local = datetime.combine(day, time(minutes // 60, minutes % 60), zone)
    moment = local.timestamp()
    local_again = datetime.fromtimestamp(moment, zone)
    if local_again.replace(tzinfo=None) != local.replace(tzinfo=None):
        # Skipped: fold 0 uses the offset before the change, so the result is after the gap by as
        # much as the time is into it. Subtracting that gives the change.
        moment -= (local_again.hour * 60 + local_again.minute - minutes) % DAY_MIN * 60
        gap = _change_after(moment - 1, zone)
        return gap if gap is not None else moment
    return moment


def _change_after(at: float, zone: ZoneInfo) -> float | None:
    """Return the next change of the clocks within three hours, to the minute."""
    offset = datetime.fromtimestamp(at, zone).utcoffset()
    for step in range(0, 3 * 3600 + 60, 60):
        moment = at - at % 60 + step
        if moment >= at and datetime.fromtimestamp(moment, zone).utcoffset() != offset:
            return moment
    return None


@lru_cache(maxsize=256)
def zone_of(name: str) -> ZoneInfo:
    """Find a time zone.

    Raises:
        BadRequest: There is no time zone of this name.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise BadRequest(
            "bad-zone", f"{name[:40]!r} is no time zone; write one such as Asia/Kolkata"
        ) from error


def parse_spans(text: str) -> Spans:
    """Parse `09:00-13:00, 14:00-18:00`; empty text for no spans.

    Raises:
        BadRequest: Not of this form, an end before its start, or spans that overlap.
    """
    spans = []
    for part in filter(None, (p.strip() for p in text.replace(";", ",").split(","))):
        match = _SPAN.fullmatch(part)
        if not match:
            raise BadRequest("bad-hours", f"{part[:20]!r}: write hours as 09:00-17:30")
        start_hour, start_min, end_hour, end_min = (int(number) for number in match.groups())
        span = Span(start_hour * 60 + start_min, end_hour * 60 + end_min)
        if start_min > 59 or end_min > 59 or span.end > DAY_MIN or span.start >= span.end:
            raise BadRequest(
                "bad-hours", f"{part[:20]!r}: a span begins before it ends, between 00:00 and 24:00"
            )
        spans.append(span)
    spans.sort()
    if len(spans) > MOST_SPANS:
        raise BadRequest("bad-hours", f"a day has at most {MOST_SPANS} spans")
    for span, following in pairwise(spans):
        if following.start < span.end:
            raise BadRequest("bad-hours", f"{span.text()} and {following.text()} overlap")
    return tuple(spans)


def spans_text(spans: Spans) -> str:
    """Write spans as text, the inverse of `parse_spans`."""
    return ", ".join(span.text() for span in spans)


def parse_day(text: str) -> date:
    """Parse a date such as `2026-12-25`.

    Raises:
        BadRequest: The text is no date.
    """
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise BadRequest("bad-date", f"{text[:20]!r} is no date; write 2026-12-25") from None


def to_json(hours: Hours) -> dict[str, Any]:
    """Shape hours for storage: `week` (seven texts), `exceptions` (date → text)."""
    return {
        "week": [spans_text(spans) for spans in hours.week],
        "exceptions": {
            day.isoformat(): spans_text(spans) for day, spans in sorted(hours.exceptions.items())
        },
    }


def from_json(zone: str, data: Mapping[str, Any]) -> Hours:
    """Read hours from storage, the inverse of `to_json`."""
    week = tuple(parse_spans(text) for text in data.get("week") or ("",) * 7)
    exceptions = {
        date.fromisoformat(day): parse_spans(text)
        for day, text in (data.get("exceptions") or {}).items()
    }
    return Hours(zone, week, exceptions)


def local(at: float, zone: str) -> datetime:
    """Return a moment in the wall-clock time of a zone."""
    return datetime.fromtimestamp(at, UTC).astimezone(zone_of(zone))
