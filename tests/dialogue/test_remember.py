"""What a turn means for the next one, from values to a value."""

from __future__ import annotations

from typing import Any

import builders
import pytest

from bot.conversation.escalation import Decision
from bot.conversation.states import Cause
from bot.dialogue import parsed, remember
from bot.dialogue.context import Context
from bot.dialogue.decide import Choice
from bot.dialogue.hear import Heard
from bot.dialogue.word import INTRODUCTION
from bot.language.follow import Belief
from bot.streams.messages import QuickReply

MESSAGE = builders.inbound()
FAILED = Decision("clarify", Cause.LOW_CONFIDENCE, failed=True)


def _choice(intent: str, decision: Decision | None = None, **more: Any) -> Choice:
    return Choice(parsed.intent(intent), "en", decision=decision, **more)


@pytest.mark.parametrize(
    ("choice", "failures", "answered"),
    [
        (_choice("faq", Decision("answer"), entry="refund-time"), 0, "refund-time@7"),
        (_choice("greet", Decision("answer")), 0, ""),
        (_choice("greet"), 0, ""),
        (_choice("clarify", FAILED), 2, ""),
        (_choice("clarify", Decision("clarify", Cause.LOW_CONFIDENCE)), 0, ""),
        (_choice("handoff", Decision("handoff", Cause.POLICY, failed=True), entry="x"), 0, ""),
    ],
)
def test_failures_in_a_row_and_the_answer_that_is_open(
    choice: Choice, failures: int, answered: str
) -> None:
    after = remember.answered(Context(failures=1, answered="before@6"), choice, 7)
    assert (after.failures, after.answered) == (failures, answered)


def test_starting_over_keeps_language_and_introduction_alone() -> None:
    before = Context(
        belief=Belief("hi"),
        introduced="e:1",
        episode="e",
        failures=1,
        negative_mean=0.7,
        negative_count=3,
        noticed_at=5.0,
        files_at=6.0,
    ).with_shown("m", (QuickReply("q", "x"),))
    after = remember.answered(before, _choice("start_over", Decision("answer")), 7)
    assert after == Context(belief=Belief("hi"), introduced="e:1", episode="e")


def test_the_bot_introduces_itself_once_a_stint() -> None:
    conversation = builders.conversation(MESSAGE, stint=2)
    context = Context(introduced=f"{MESSAGE.id}:1")
    assert not remember.is_introduced(context, conversation)
    context = remember.replied(context, [builders.outbound(utter="utter_greet")], conversation)
    assert not remember.is_introduced(context, conversation), "another answer is no introduction"
    context = remember.replied(context, [builders.outbound(utter=INTRODUCTION)], conversation)
    assert remember.is_introduced(context, conversation)


def test_buttons_are_kept_with_the_reply_they_stood_under() -> None:
    replies = [
        builders.outbound(n=n, quick_replies=(QuickReply(f"q{n}", f"title {n}"),)) for n in (1, 2)
    ]
    context = remember.replied(Context(), replies, builders.conversation(MESSAGE))
    assert [(s.reply.id, s.message) for s in context.shown] == [
        ("q1", replies[0].id),
        ("q2", replies[1].id),
    ]


def test_mood_and_language_are_those_of_the_choice() -> None:
    choice = _choice("greet", belief=Belief("hi"), negative_mean=0.4, negative_count=2)
    after = remember.chosen(Context(failures=1), choice)
    assert after == Context(belief=Belief("hi"), negative_mean=0.4, negative_count=2, failures=1)


def test_what_an_agent_answers_is_followed_by_its_language_alone() -> None:
    before = Context(belief=Belief("en"), negative_mean=0.2)
    after = remember.heard(before, Heard(MESSAGE, "hi", belief=Belief("hi")))
    assert after == Context(belief=Belief("hi"), negative_mean=0.2)
    assert remember.heard(before, Heard(MESSAGE, "en", belief=before.belief)) is before


def test_notices_and_files_are_kept_by_the_time_of_the_message() -> None:
    assert remember.noticed(Context(), MESSAGE).noticed_at == MESSAGE.received_at
    assert remember.files(Context(), MESSAGE).files_at == MESSAGE.received_at
