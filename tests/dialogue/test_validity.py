"""Entries outside their dates, by the day of the message: not answered, offered or tapped."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import builders
from talk import CONTENT, Talk

from bot.content.models import Content
from bot.understanding import parse
from bot.understanding.service import Knowledge

DAY = datetime.fromtimestamp(builders.NOW, UTC).date()


def _refunds_end(talk: Talk, day: date) -> None:
    entries = tuple(
        replace(e, valid_until=day.isoformat()) if e.id == "refund-time" else e
        for e in CONTENT.entries
    )
    talk.catalog.knowledge = Knowledge(Content(entries, 8), index=None)  # type: ignore[arg-type]


async def test_a_question_about_an_ended_entry_is_asked_back(talk: Talk) -> None:
    _refunds_end(talk, DAY)
    assert (await talk.say("when is my refund"))[-1].entry == "refund-time"
    said = await talk.say("when is my refund", user="bob", after_s=86400)
    assert said[-1].utter == "utter_clarify"
    assert [reply.action for reply in said[-1].quick_replies] == ["person"]
    sent = await talk.recorded("answer.sent", "clarification.asked")
    assert [(event["type"], event["data"].get("cause")) for event in sent] == [
        ("answer.sent", None),
        ("clarification.asked", "low-confidence"),
    ]


async def test_a_choice_that_ended_is_not_offered(talk: Talk) -> None:
    _refunds_end(talk, DAY - timedelta(days=1))
    said = await talk.say("order or refund")
    offered = [reply.entry or reply.action for reply in said[-1].quick_replies]
    assert offered == ["order-status", "person"]


async def test_a_button_to_an_entry_that_ended_meanwhile_asks_back(talk: Talk) -> None:
    _refunds_end(talk, DAY)
    said = await talk.say("where is my order")
    button = next(b for b in said[-1].quick_replies if b.entry == "refund-time")
    after = await talk.tap(button, after_s=86400)
    assert after[-1].utter == "utter_clarify"
    assert after[-1].entry == ""


def test_choices_follow_the_day() -> None:
    from talk import ScriptedUnderstander

    entries = tuple(replace(e, valid_from="2026-06-01") for e in CONTENT.entries)
    content = Content(entries, 1)
    reading = ScriptedUnderstander().read("order or refund", Knowledge(content, index=None))  # type: ignore[arg-type]
    assert parse.choices(reading, content, date(2026, 5, 31)) == []
    assert parse.choices(reading, content, date(2026, 6, 1)) == ["order-status", "refund-time"]
