"""Working hours: spans, exceptions, zones, the days on which clocks change."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from importlib import resources
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import BadRequest
from bot.routing import hours
from bot.routing.hours import Hours, Span, parse_spans, spans_text

ZONES = (
    "UTC",
    "Asia/Kolkata",
    "America/New_York",
    "Europe/Madrid",
    "Africa/Cairo",
    "Australia/Lord_Howe",
    "America/St_Johns",
    "Asia/Bangkok",
)


def at(text: str, zone: str = "UTC") -> float:
    return datetime.fromisoformat(text).replace(tzinfo=hours.zone_of(zone)).timestamp()


def workdays(spans: str, zone: str = "UTC", **exceptions: str) -> Hours:
    """Monday to Friday; exceptions as `_2026_12_25="09:00-12:00"`."""
    days = {
        date.fromisoformat(day[1:].replace("_", "-")): parse_spans(text)
        for day, text in exceptions.items()
    }
    return Hours(zone, (parse_spans(spans),) * 5 + ((), ()), days)


spans = st.lists(
    st.tuples(st.integers(0, 1439), st.integers(1, 1440)).filter(lambda p: p[0] < p[1]), max_size=3
).map(lambda pairs: _apart(pairs))
weeks = st.builds(
    Hours,
    zone=st.sampled_from(ZONES),
    week=st.tuples(*[spans] * 7),
    exceptions=st.dictionaries(st.dates(date(2026, 1, 1), date(2027, 1, 1)), spans, max_size=4),
)
instants = st.floats(at("2026-01-02"), at("2026-12-20"))


def _apart(pairs: list[tuple[int, int]]) -> tuple[Span, ...]:
    made: list[Span] = []
    for start, end in sorted(pairs):
        if not made or start >= made[-1].end:
            made.append(Span(start, end))
    return tuple(made)


def test_without_hours_a_team_works_always() -> None:
    always = Hours()
    assert always.is_open(5.0)
    assert always.next_opening(5.0) == 5.0
    assert always.closing(5.0) is None
    assert always.add(5.0, 60) == 65.0


def test_several_spans_a_day_have_a_break_between_them() -> None:
    shop = workdays("09:00-13:00, 14:00-18:00", "Asia/Kolkata")
    monday = "2026-11-23T"
    opens = [
        shop.is_open(at(monday + t, "Asia/Kolkata"))
        for t in ("08:59", "09:00", "12:59", "13:00", "13:59", "14:00", "17:59", "18:00")
    ]
    assert opens == [False, True, True, False, False, True, True, False]
    lunch = at(monday + "13:30", "Asia/Kolkata")
    assert shop.next_opening(lunch) == at(monday + "14:00", "Asia/Kolkata")
    assert shop.closing(at(monday + "15:00", "Asia/Kolkata")) == at(
        monday + "18:00", "Asia/Kolkata"
    )


def test_a_dated_exception_replaces_the_day() -> None:
    shop = workdays(
        "09:00-17:00", _2026_12_25="", _2026_12_24="09:00-12:00", _2026_12_26="10:00-11:00"
    )
    assert shop.next_opening(at("2026-12-24T12:30")) == at("2026-12-26T10:00"), "a Saturday, too"
    assert not shop.is_open(at("2026-12-25T10:00"))
    assert shop.next_opening(at("2026-12-26T11:00")) == at("2026-12-28T09:00")


def test_a_night_shift_goes_on_past_midnight() -> None:
    night = Hours("UTC", (parse_spans("00:00-06:00, 22:00-24:00"),) * 7)
    assert night.is_open(at("2026-11-23T23:59:59"))
    assert night.is_open(at("2026-11-24T00:00"))
    assert night.closing(at("2026-11-23T23:00")) == at("2026-11-24T06:00")


@pytest.mark.parametrize(
    ("day", "worked_h"), [("2026-03-07", 8), ("2026-03-08", 7), ("2026-11-01", 9)]
)
def test_the_day_clocks_change_is_as_long_as_it_is(day: str, worked_h: int) -> None:
    """New York: 02:00 is skipped on 8 March 2026, 01:00 comes twice on 1 November."""
    night = Hours("America/New_York", (parse_spans("00:00-08:00"),) * 7)
    start = at(day, "America/New_York")
    end = at(f"{day}T08:00", "America/New_York")
    assert night.between(start, end) == worked_h * 3600
    assert night.add(start, worked_h * 3600) == end


def test_a_span_inside_the_skipped_hour_is_no_time_at_all() -> None:
    hour = Hours("America/New_York", (parse_spans("02:00-03:00"),) * 7)
    skipped = at("2026-03-08", "America/New_York")
    assert hour.between(skipped, skipped + 20 * 3600) == 0
    assert hour.next_opening(skipped) == at("2026-03-09T02:00", "America/New_York")


def test_an_opening_that_is_skipped_is_the_moment_clocks_change() -> None:
    half = Hours("America/New_York", (parse_spans("02:30-08:00"),) * 7)
    assert half.next_opening(at("2026-03-08", "America/New_York")) == at("2026-03-08T07:00")


def test_a_team_that_never_opens_has_no_next_opening_and_clocks_still_end() -> None:
    closed = Hours("UTC", ((),) * 7, {date(2020, 1, 1): parse_spans("09:00-10:00")})
    assert closed.next_opening(at("2026-11-22")) is None
    assert closed.add(at("2026-11-22"), 60) == at("2026-11-22") + 60


@given(weeks, instants, st.floats(1, 20 * 86400))
def test_time_added_is_time_worked(week: Hours, start: float, seconds: float) -> None:
    end = week.add(start, seconds)
    if week.between(start, start + 360 * 86400) < seconds:
        return  # so little is worked in a year that the clock of the wall has to do
    assert week.between(start, end) == pytest.approx(seconds, abs=0.01)


@given(weeks, instants, st.floats(1, 5 * 86400))
def test_going_back_is_the_inverse_of_adding(week: Hours, now: float, seconds: float) -> None:
    start = week.back(now, seconds)
    if start is None:
        assert week.between(now - 360 * 86400, now) < seconds
        return
    assert start <= now - seconds + 0.01
    assert week.between(start, now) == pytest.approx(seconds, abs=0.01)


@given(weeks, instants)
def test_the_next_opening_is_open_and_nothing_before_it_is(week: Hours, now: float) -> None:
    opening = week.next_opening(now)
    if opening is None:
        return
    assert week.is_open(opening)
    assert opening == now or week.between(now, opening) == 0


@given(weeks, instants)
def test_it_closes_when_it_says(week: Hours, now: float) -> None:
    end = week.closing(now)
    if end is None:
        assert week.always or not week.is_open(now)
    else:
        assert week.is_open(now)
        assert week.between(now, end) == pytest.approx(end - now, abs=0.01)
        assert not week.is_open(end)


@given(weeks)
def test_hours_survive_storage(week: Hours) -> None:
    assert hours.from_json(week.zone, hours.to_json(week)) == week


@given(spans)
def test_spans_survive_their_text(some: tuple[Span, ...]) -> None:
    assert parse_spans(spans_text(some)) == some


@pytest.mark.parametrize(
    "text",
    [
        "9",
        "09:00",
        "09:00-08:00",
        "09:00-09:00",
        "09:60-10:00",
        "23:00-25:00",
        "09:00-12:00, 11:00-13:00",
        "<b>",
        "१०:00-११:00x",
        ", ".join(["00:00-00:01"] * 2),
    ],
)
def test_what_is_no_span_is_refused_by_name(text: str) -> None:
    with pytest.raises(BadRequest) as refused:
        parse_spans(text)
    assert refused.value.code == "bad-hours"


def test_a_zone_that_is_not_there_is_refused() -> None:
    for name in ("Mars/Olympus", "", "../../etc/passwd", "Asia"):
        with pytest.raises(BadRequest):
            hours.zone_of(name)


def test_a_day_that_is_none_is_refused() -> None:
    assert hours.parse_day(" 2026-12-25 ") == date(2026, 12, 25)
    with pytest.raises(BadRequest):
        hours.parse_day("25.12.2026")


def test_local_time_is_the_zones() -> None:
    shown = hours.local(at("2026-11-22T00:00"), "Asia/Kolkata")
    assert (shown.hour, shown.minute) == (5, 30)
    assert shown.utcoffset() == timedelta(hours=5.5)
    assert shown.astimezone(UTC).day == 22


def test_an_old_folder_of_the_systems_zones_changes_no_hours(tmp_path: Path) -> None:
    package = resources.files("tzdata.zoneinfo")
    (tmp_path / "Africa").mkdir()
    old = package.joinpath("Asia/Tokyo").read_bytes()
    (tmp_path / "Africa" / "Casablanca").write_bytes(old)
    with package.joinpath("Africa/Casablanca").open("rb") as file:
        locked = ZoneInfo.from_file(file)
    code = (
        "from datetime import datetime, UTC\n"
        "from bot.routing.hours import zone_of\n"
        "noon = datetime(2027, 1, 15, 12, tzinfo=UTC)\n"
        "print(noon.astimezone(zone_of('Africa/Casablanca')).utcoffset())"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONTZPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    noon = datetime(2027, 1, 15, 12, tzinfo=UTC)
    assert answer.stdout.strip() == str(noon.astimezone(locked).utcoffset())
    assert answer.stdout.strip() != "9:00:00"
