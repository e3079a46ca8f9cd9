"""When people are there, in words: languages, zones, today, tomorrow and later."""

from __future__ import annotations

from datetime import datetime

import pytest

from bot.content.texts import SystemTexts
from bot.handoff.opening import Attendance, attendance, is_place, sentence, zone_for, zone_name
from bot.routing.hours import Hours, parse_spans, zone_of

TEXTS = SystemTexts.load()
SHOP = Hours("Asia/Kolkata", (parse_spans("09:00-18:00"),) * 5 + ((), ()))


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=zone_of("Asia/Kolkata")).timestamp()


def told(now: float, language: str = "en", locale: str = "", zone: str = "") -> str:
    return sentence(TEXTS, language, attendance(SHOP, now), now, locale, zone)


def test_without_a_calendar_the_text_of_the_hours_is_used() -> None:
    now = at("2026-11-23T08:00")
    assert sentence(TEXTS, "en", attendance(Hours(), now), now) == TEXTS.render("utter_hours", "en")


@pytest.mark.parametrize(
    ("now", "words"),
    [
        ("2026-11-23T08:00", "today at 09:00 (India Time)"),
        ("2026-11-23T19:00", "tomorrow at 09:00 (India Time)"),
        ("2026-11-27T19:00", "on Monday, 30 November at 09:00 (India Time)"),
        ("2026-11-23T10:00", "today until 18:00 (India Time)"),
    ],
)
def test_it_says_when_people_are_there(now: str, words: str) -> None:
    assert told(at(now)) == words


def test_it_is_said_in_the_customers_language() -> None:
    friday = at("2026-11-27T19:00")
    assert told(friday, "hi") == "सोमवार, 30 नवंबर को 09:00 बजे (भारत समय)"
    assert "09:00 (hora de India)" in told(friday, "es")
    for language in ("mr", "ml", "th", "ar"):
        assert "09:00" in told(friday, language)
        assert "{" not in told(friday, language)
        assert told(friday, language) != told(friday, "en")


def test_a_customer_whose_country_has_one_time_zone_reads_their_own_time() -> None:
    morning = at("2026-11-23T08:00")
    assert told(morning, "en", "th-TH") == "today at 10:30 (Thailand Time)"
    assert told(morning, "en", "en_US") == "today at 09:00 (India Time)", "which of many?"
    assert told(morning, "en", "en") == "today at 09:00 (India Time)"


def test_the_day_is_the_one_of_the_zone_that_is_named() -> None:
    """09:00 on Monday in India is Monday 12:30 in Tokyo; half past midnight there is today."""
    sunday_night = at("2026-11-22T21:00")  # Monday 00:30 in Tokyo
    assert told(sunday_night, "en", "ja-JP") == "today at 12:30 (Japan Time)"
    assert told(sunday_night) == "tomorrow at 09:00 (India Time)"


def test_a_zone_is_named_in_the_language() -> None:
    assert zone_name("UTC", "hi") == "UTC"
    assert zone_name("Asia/Bangkok", "th") == "เวลาไทย"
    assert zone_name("Asia/Bangkok", "xx-unknown") == "Thailand Time"


def test_a_zone_that_is_told_outdoes_the_locale() -> None:
    """A country of several zones tells nothing by its name, and travellers take theirs along."""
    sunday_night = at("2026-11-22T21:00")
    new_york = told(sunday_night, "en", "en-US", "America/New_York")
    assert new_york == "today at 22:30 (United States (New York) Time)"
    assert told(sunday_night, "en", "ja-JP", "Asia/Calcutta") == "tomorrow at 09:00 (India Time)"


@pytest.mark.parametrize("zone", ["Asia/Kolkata", "Asia/Calcutta", "US/Eastern", "Asia/Katmandu"])
def test_places_have_zones(zone: str) -> None:
    assert is_place(zone)


@pytest.mark.parametrize(
    "zone", ["", "UTC", "Etc/GMT-5", "EST5EDT", "Factory", "localtime", "../../etc/passwd", "🙂"]
)
def test_not_every_name_of_a_zone_is_a_place(zone: str) -> None:
    assert not is_place(zone)


def test_an_odd_locale_leads_to_the_teams_zone() -> None:
    for locale in ("", "zz-ZZ", "-", "en-" + "X" * 50, "🙂"):
        assert zone_for(locale, "Asia/Kolkata") == "Asia/Kolkata"


def test_a_team_that_never_opens_has_no_time_to_tell() -> None:
    words = sentence(TEXTS, "en", Attendance(True, "UTC", None), 0.0)
    assert words == TEXTS.render("utter_hours", "en")
