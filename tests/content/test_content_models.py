"""Entries and versions as data."""

from __future__ import annotations

from datetime import date

import builders
import pytest

from bot.content.models import Content, Reply

ENTRY = builders.entry(
    answers={"en": "English", "hi": "हिंदी", "hi-Latn": "hindi mein"},
    channels={"facebook": {"en": "short", "hi": "छोटा"}},
    title={"en": "Order", "hi": "ऑर्डर"},
)


@pytest.mark.parametrize(
    ("language", "channel", "answer"),
    [
        ("hi", "webchat", ("हिंदी", "hi")),
        ("hi-Latn", "webchat", ("hindi mein", "hi-Latn")),
        ("mr-Latn", "webchat", ("English", "en")),
        ("th", "webchat", ("English", "en")),
        ("hi", "facebook", ("छोटा", "hi")),
        ("hi-Latn", "facebook", ("hindi mein", "hi-Latn")),
        ("th", "facebook", ("short", "en")),
    ],
)
def test_the_answer_is_the_channels_then_the_languages_then_the_defaults(
    language: str, channel: str, answer: tuple[str, str]
) -> None:
    assert ENTRY.answer(language, channel, "en") == answer


def test_without_the_default_there_is_still_an_answer() -> None:
    assert builders.entry(answers={"th": "ไทย"}).answer("hi", "rest", "en") == ("ไทย", "th")


def test_a_title_falls_back_to_the_default_language() -> None:
    assert ENTRY.title_in("hi", "en") == "ऑर्डर"
    assert ENTRY.title_in("th", "en") == "Order"


@pytest.mark.parametrize(
    ("today", "is_valid"),
    [("2025-12-31", False), ("2026-01-01", True), ("2026-06-30", True), ("2026-07-01", False)],
)
def test_both_days_of_validity_count(today: str, is_valid: bool) -> None:
    limited = builders.entry(valid_from="2026-01-01", valid_until="2026-06-30")
    assert limited.is_valid(date.fromisoformat(today)) is is_valid
    assert builders.entry().is_valid(date.fromisoformat(today))


def test_content_survives_json() -> None:
    content = Content((ENTRY, builders.entry("b", quick_replies=(Reply("person", {"en": "x"}),))))
    assert Content.from_json(content.to_json(), 4) == Content(content.entries, 4)


def test_the_digest_names_the_content_not_its_number_or_order() -> None:
    one, two = builders.entry("one"), builders.entry("two")
    assert Content((one, two)).digest == Content((two, one), 9).digest
    assert Content((one,)).digest != Content((two,)).digest
