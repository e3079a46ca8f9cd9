"""Comparing versions: each change once, with its part and language."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import builders
import pytest

from bot.content.diff import Change, compare
from bot.content.models import Content, Reply

ENTRY = builders.entry(
    answers={"en": "One.", "hi": "एक।"},
    channels={"facebook": {"en": "1"}},
    quick_replies=(Reply("refund-time", {"en": "Refund"}), Reply("person")),
)


def _changed(**more: Any) -> list[Change]:
    return compare(Content((ENTRY,)), Content((replace(ENTRY, **more),)))


def test_entries_come_and_go_by_id_whatever_their_order() -> None:
    a, b, c = (builders.entry(name) for name in ("a-a", "b-b", "c-c"))
    found = compare(Content((c, a)), Content((b, c)))
    assert found == [Change("a-a", "removed"), Change("b-b", "added")]


def test_a_changed_answer_is_told_by_its_language() -> None:
    assert _changed(answers={"en": "One.", "hi": "१।"}) == [
        Change("order-status", "changed", "answers", "hi", "एक।", "१।")
    ]


def test_a_language_that_comes_or_goes_is_told() -> None:
    assert [(c.change, c.language) for c in _changed(answers={"en": "One.", "th": "หนึ่ง"})] == [
        ("removed", "hi"),
        ("added", "th"),
    ]


@pytest.mark.parametrize(
    ("more", "part", "language"),
    [
        ({"examples": {"en": ("x", "y", "z")}}, "examples", "en"),
        ({"channels": {"facebook": {"en": "2"}}}, "channels.facebook", "en"),
        ({"quick_replies": (Reply("refund-time", {"en": "Refund"}),)}, "quick_replies", ""),
        ({"title": {"en": "Other"}}, "title", "en"),
        ({"policy": "person"}, "policy", ""),
        ({"valid_until": "2026-12-31"}, "valid_until", ""),
        ({"topic": "other"}, "topic", ""),
    ],
)
def test_every_part_of_an_entry_is_compared(more: Any, part: str, language: str) -> None:
    assert [(c.part, c.language) for c in _changed(**more)] == [(part, language)]


def test_the_text_of_a_button_is_compared_by_language() -> None:
    replies = (Reply("refund-time", {"en": "Money back"}), Reply("person"))
    assert [(c.part, c.language, c.after) for c in _changed(quick_replies=replies)] == [
        ("quick_replies", "en", "refund-time: Money back")
    ]


def test_the_same_differs_in_nothing() -> None:
    assert _changed() == []


def test_a_row_shows_both_texts_shortened_and_keeps_them_whole() -> None:
    row = Change("a", "changed", "answers", "en", "x" * 100, "two\nlines").to_row()
    assert row["detail"] == f"{'x' * 59}… → two lines"
    assert (row["before"], row["after"]) == ("x" * 100, "two\nlines")
