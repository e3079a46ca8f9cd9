"""What a waiting customer is told: place, a figure people would say, or that nobody is there."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.content.texts import SystemTexts
from bot.handoff.waiting import minutes, notice
from bot.routing.queue import QueuePlace


@pytest.mark.parametrize(
    ("estimate_s", "told"),
    [
        (0, 1),
        (60, 1),
        (61, 2),
        (200, 5),
        (301, 10),
        (3600, 60),
        (3601, 90),
        (14400, 240),
        (14401, 300),
        (36000, 600),
    ],
)
def test_an_estimate_is_rounded_up_to_a_figure_people_would_say(
    estimate_s: float, told: int
) -> None:
    assert minutes(estimate_s) == told


@given(st.floats(0, 10**6))
def test_nobody_is_promised_less_than_was_measured(estimate_s: float) -> None:
    assert minutes(estimate_s) * 60 >= int(estimate_s)


@given(st.floats(0, 10**5), st.floats(0, 10**5))
def test_a_longer_wait_is_never_told_as_a_shorter_one(one: float, other: float) -> None:
    assert minutes(min(one, other)) <= minutes(max(one, other))


@pytest.mark.parametrize("kind", ["handoff", "waiting"])
@pytest.mark.parametrize(
    ("place", "suffix"),
    [
        (QueuePlace(3, None, 0), "_nobody"),
        (QueuePlace(3, 120.0, 0), "_nobody"),
        (QueuePlace(3, None, 2), ""),
        (QueuePlace(3, 125.0, 2), "_estimate"),
    ],
)
def test_the_notice_says_what_is_known(kind: str, place: QueuePlace, suffix: str) -> None:
    name, values = notice(kind, place, "8 to 22")
    assert name == f"utter_{kind}{suffix}"
    assert values["place"] == 3
    assert ("minutes" in values) == (suffix == "_estimate")
    assert values.get("minutes", 3) == 3


@pytest.mark.parametrize("language", ["en", "hi", "mr", "ml", "th", "es", "ar"])
@pytest.mark.parametrize("kind", ["handoff", "waiting"])
@pytest.mark.parametrize(
    "place", [QueuePlace(41, None, 0), QueuePlace(41, None, 2), QueuePlace(41, 700.0, 2)]
)
def test_every_notice_fills_its_placeholders(kind: str, place: QueuePlace, language: str) -> None:
    name, values = notice(kind, place, "8 to 22")
    text = SystemTexts.load().render(name, language, **values)
    assert "41" in text
    assert "{" not in text
