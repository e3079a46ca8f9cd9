"""From outputs to replies: texts, buttons with their ids, and the notice of the queue."""

from __future__ import annotations

from typing import Any

import builders
import pytest

from bot.content.texts import SystemTexts
from bot.conversation.states import State
from bot.dialogue.answer import HANDOFF, Answer
from bot.dialogue.move import QueueStatus
from bot.dialogue.word import ReplyFields, Wording
from bot.handoff.opening import Attendance
from bot.handoff.waiting import button_id
from bot.routing.queue import QueuePlace
from bot.settings import Settings

MESSAGE = builders.inbound()
TEXTS = SystemTexts.load()


@pytest.fixture
def wording() -> Wording:
    return Wording(Settings())


def _letterhead(**more: Any) -> ReplyFields:
    return ReplyFields(MESSAGE, builders.conversation(MESSAGE, **more), "en", 7)


def _standing(place: int = 2, estimate_s: float | None = None, agents: int = 1) -> QueueStatus:
    return QueueStatus(QueuePlace(place, estimate_s, agents), Attendance())


def test_a_reply_is_addressed_and_numbered(wording: Wording) -> None:
    outputs = [{"text": "one"}, {"text": "two", "language": "hi", "entry": "x"}]
    first, second = wording.replies(outputs, _letterhead(state=State.WAITING), first_ordinal=1)
    assert (first.id, second.id) == (f"{MESSAGE.id}:1", f"{MESSAGE.id}:2")
    assert (first.language, second.language) == ("en", "hi")
    assert (first.in_reply_to, first.state, second.entry) == (MESSAGE.id, "waiting", "x")
    assert (first.conversation, first.vendor_user) == (MESSAGE.conversation, "ann")


def test_buttons_have_ids_that_a_turn_run_again_gives_them_again(wording: Wording) -> None:
    output = {"text": "x", "quick_replies": [{"title": "A", "entry": "a"}, {"title": "B"}]}
    (reply,) = wording.replies([output], _letterhead(), first_ordinal=3)
    assert [(q.id, q.title, q.position) for q in reply.quick_replies] == [
        (button_id(MESSAGE.id, 3, 0), "A", 0),
        (button_id(MESSAGE.id, 3, 1), "B", 1),
    ]
    assert {q.content_version for q in reply.quick_replies} == {7}
    assert wording.replies([output], _letterhead(), first_ordinal=3)[0].quick_replies == (
        reply.quick_replies
    )


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ({}, {}),
        ({"metadata": {"machine": True}}, {"machine": True}),
        ({"custom": {"cards": [1], "other": 2}}, {"cards": [1]}),
        ({"custom": "text"}, {}),
    ],
)
def test_what_goes_along_with_the_words(
    wording: Wording, output: dict[str, Any], expected: dict[str, Any]
) -> None:
    (reply,) = wording.replies([{"text": "x", **output}], _letterhead())
    assert reply.metadata == expected


def test_a_system_answer_is_in_the_language_it_says(wording: Wording) -> None:
    output = wording.system("utter_bot_intro", "hi")
    assert output["text"] == TEXTS.render("utter_bot_intro", "hi", business="Mela")
    assert (output["language"], output["quick_replies"]) == ("hi", [])


def test_a_person_is_offered_by_a_button(wording: Wording) -> None:
    output = wording.offer_person("utter_cannot_open", "en")
    assert output["quick_replies"] == [
        {"title": TEXTS.render("utter_title_person", "en"), "action": "person"}
    ]


@pytest.mark.parametrize(
    ("queue_status", "name", "actions"),
    [
        (_standing(), "utter_handoff", ["cancel"]),
        (_standing(estimate_s=90.0), "utter_handoff_estimate", ["cancel"]),
        (_standing(agents=0), "utter_handoff_nobody", ["leave", "cancel"]),
    ],
)
def test_a_handoff_tells_place_and_estimate_and_the_ways_out(
    wording: Wording, queue_status: QueueStatus, name: str, actions: list[str]
) -> None:
    output = wording.queue_status("handoff", queue_status, MESSAGE, "en")
    assert output["utter_action"] == name
    hours = TEXTS.render("utter_hours", "en")
    assert output["text"] == TEXTS.render(name, "en", place=2, minutes=2, hours=hours)
    assert [button["action"] for button in output["quick_replies"]] == actions


def test_the_notice_stands_where_the_action_asked_for_a_person() -> None:
    first = {"text": "Block it."}
    asked = {"text": "…", "utter_action": HANDOFF, "custom": {"cards": [1]}}
    answer = Answer((first, asked), {})
    assert answer.hands_off
    notice = {"text": "You are next.", "utter_action": "utter_handoff_nobody"}
    assert answer.with_notice(notice) == (first, {**notice, "custom": {"cards": [1]}})
    assert not Answer((first,), {}).hands_off


def test_silence_and_an_answer_that_failed_are_failures() -> None:
    assert Answer((), {}).has_failed
    assert Answer(({"text": "a"}, {"text": "sorry", "failed": True}), {}).has_failed
    assert not Answer(({"text": "a"},), {}).has_failed
