"""What the bot does about a message, from values to a value: no Rasa, no store."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import builders
import pytest
from talk import CONTENT, LIMITS, ScriptedUnderstander

from bot.conversation.states import Cause
from bot.dialogue.decide import Choice, bot_failed, decide
from bot.dialogue.hear import Heard
from bot.dialogue.parsed import ANSWER_FIRST
from bot.dialogue.situation import Situation
from bot.language.follow import Belief
from bot.settings import Settings
from bot.streams.messages import QuickReply
from bot.understanding.service import Knowledge

SETTINGS = Settings(thresholds=LIMITS)
KNOWLEDGE = Knowledge(CONTENT, index=None)  # type: ignore[arg-type]


def _situation(**context: Any) -> Situation:
    return builders.situation(builders.inbound(), CONTENT, **context)


def _said(text: str, **context: Any) -> Choice:
    """Decide about words, as the scripted understanding reads them."""
    understander = ScriptedUnderstander()
    heard = Heard(
        builders.inbound(text),
        "en",
        reading=understander.read(text, KNOWLEDGE),
        command=understander.command(text),
        belief=Belief("en"),
    )
    return decide(heard, _situation(**context), SETTINGS)


def _tapped(entry: str = "", action: str = "", **context: Any) -> Choice:
    button = QuickReply("q1", "title", entry=entry, action=action)
    heard = Heard(builders.inbound("title"), "en", button=button)
    return decide(heard, _situation(**context), SETTINGS)


def _summary(choice: Choice) -> tuple[str, str, Cause | None]:
    assert choice.decision is not None
    return choice.intent, choice.decision.kind, choice.decision.cause


# — words —


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("where is my order", ("faq", "answer", None)),
        ("hello", ("greet", "answer", None)),
        ("order or refund", ("clarify", "clarify", Cause.NARROW_MARGIN)),
        ("qwertz asdf", ("clarify", "clarify", Cause.LOW_CONFIDENCE)),
        ("talk to a person", ("handoff", "handoff", Cause.ASKED)),
        ("person", ("handoff", "handoff", Cause.ASKED)),
        ("this is a disgrace", ("handoff", "handoff", Cause.NEGATIVE_SENTIMENT)),
        ("my card is lost", ("handoff", "handoff", Cause.POLICY)),
        ("👍", ("affirm", "answer", None)),
        ("please speak Hindi", ("change_language", "answer", None)),
        ("change language", ("which_language", "answer", None)),
        ("please speak Japanese", ("language_unsupported", "answer", None)),
        ("talk to a person in Hindi", ("handoff", "handoff", Cause.ASKED)),
    ],
)
def test_words_become_an_intent_and_a_reason(
    text: str, expected: tuple[str, str, Cause | None]
) -> None:
    assert _summary(_said(text)) == expected


def test_a_question_names_its_entry_to_rasa() -> None:
    choice = _said("where is my order")
    assert choice.entry == "order-status"
    response = choice.parsed["response_selector"]["faq"]["response"]
    assert response["utter_action"] == "utter_faq/order-status"
    assert choice.parsed["text"] == "", "words of the customer are never interpreted"


@pytest.mark.parametrize(
    ("text", "entry", "also"),
    [
        ("where is my order? when is my refund", "order-status", "refund-time"),
        ("where is my order? my card is lost", "lost-card", "order-status"),
        ("my card is lost. where is my order", "lost-card", "order-status"),
    ],
)
def test_the_question_that_needs_a_person_is_what_the_message_is_about(
    text: str, entry: str, also: str
) -> None:
    choice = _said(text)
    assert (choice.entry, choice.also) == (entry, also)


def test_only_an_answer_that_must_not_wait_goes_before_a_handoff() -> None:
    assert _said("my card is lost").parsed[ANSWER_FIRST] == "lost-card"
    assert ANSWER_FIRST not in _said("talk to a person").parsed


@pytest.mark.parametrize(("text", "intent"), [("yes", "helped"), ("no", "not_helped")])
def test_yes_and_no_answer_whether_it_helped_while_that_is_asked(text: str, intent: str) -> None:
    choice = _said(text, answered="order-status@7")
    assert (choice.intent, choice.not_helped) == (intent, intent == "not_helped")
    assert _said(text).intent in ("affirm", "deny")


def test_failures_in_a_row_are_counted_from_what_is_remembered() -> None:
    first, second = _said("qwertz"), _said("qwertz", failures=1)
    assert (first.asks_back, second.hands_off) == (True, True)
    assert second.cause == Cause.REPEATED_FALLBACK


def test_the_mood_is_the_running_mean_of_the_episode() -> None:
    choice = _said("hello", negative_mean=0.5, negative_count=3)
    assert choice.negative_count == 4
    assert 0.1 < choice.negative_mean < 0.5


def test_what_the_numbers_said_stays_beside_what_is_done() -> None:
    choice = _said("👍")
    assert choice.weighed is not None
    assert (choice.weighed.kind, choice.decision and choice.decision.kind) == ("clarify", "answer")
    assert choice.understanding is not None
    assert choice.understanding["decision"] == "clarify"


def test_an_entry_that_has_gone_is_asked_back() -> None:
    left = replace(CONTENT, entries=CONTENT.entries[1:], number=8)
    reading = ScriptedUnderstander().read("where is my order", KNOWLEDGE)
    heard = Heard(builders.inbound("where is my order"), "en", reading=reading)
    choice = decide(heard, builders.situation(builders.inbound(), left), SETTINGS)
    assert _summary(choice) == ("clarify", "clarify", Cause.LOW_CONFIDENCE)
    assert choice.entry == ""


# — buttons, and what is neither —


@pytest.mark.parametrize(
    ("entry", "action", "expected"),
    [
        ("refund-time", "", ("faq", "answer", None)),
        ("lost-card", "", ("handoff", "handoff", Cause.POLICY)),
        ("gone", "", ("clarify", "clarify", Cause.LOW_CONFIDENCE)),
        ("", "person", ("handoff", "handoff", Cause.ASKED)),
        ("", "leave", ("handoff", "handoff", Cause.ASKED)),
        ("", "helped", ("helped", "answer", None)),
        ("", "not-helped", ("not_helped", "clarify", Cause.REPEATED_FALLBACK)),
        ("", "cancel", ("cancel", "answer", None)),
        ("", "language:hi", ("change_language", "answer", None)),
        ("", "language:ja", ("language_unsupported", "answer", None)),
    ],
)
def test_a_button_leaves_nothing_to_doubt(
    entry: str, action: str, expected: tuple[str, str, Cause | None]
) -> None:
    choice = _tapped(entry, action)
    assert _summary(choice) == expected
    assert choice.leaves == (action == "leave")
    assert choice.understanding == {"language": "en", "tapped": entry or action}


def test_a_language_that_is_chosen_is_spoken_and_believed() -> None:
    choice = _tapped(action="language:hi")
    assert (choice.language, choice.language_name) == ("hi", "हिन्दी")
    assert choice.belief is not None
    assert (choice.belief.explicit, choice.is_new_language) == ("hi", True)
    refused = _tapped(action="language:ja")
    assert (refused.language, refused.is_new_language) == ("en", False)


def test_opening_the_chat_is_greeted_and_nothing_is_decided() -> None:
    heard = Heard(builders.inbound("", kind="start"), "en")
    choice = decide(heard, _situation(), SETTINGS)
    assert (choice.intent, choice.decision) == ("greet", None)


def test_a_forged_tap_is_asked_back_and_counts_as_a_failure() -> None:
    heard = Heard(builders.inbound("", tap="f" * 16), "en")
    choice = decide(heard, _situation(), SETTINGS)
    assert _summary(choice) == ("clarify", "clarify", Cause.LOW_CONFIDENCE)
    assert choice.decision is not None
    assert choice.decision.failed


def test_what_could_not_be_read_is_not_asked_about() -> None:
    choice = decide(Heard(builders.inbound("hello"), "en", failed=True), _situation(), SETTINGS)
    assert (choice.intent, choice.decision) == ("", None)


def test_a_bot_that_failed_hands_off_and_keeps_what_it_understood() -> None:
    choice = bot_failed(_said("where is my order"), _situation(), SETTINGS)
    assert (choice.cause, choice.entry) == (Cause.BOT_FAILURE, "order-status")
    nothing = bot_failed(None, _situation(negative_mean=0.3, negative_count=2), SETTINGS)
    assert (nothing.cause, nothing.entry) == (Cause.BOT_FAILURE, "")
    assert (nothing.negative_mean, nothing.negative_count) == (0.3, 2)
