"""Finding the words for a choice, with an engine that only pretends to be Rasa."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import builders
import pytest
from rasa.core.channels.channel import UserMessage
from talk import CONTENT

from bot.conversation.escalation import Decision
from bot.conversation.states import Cause
from bot.dialogue import parsed, rasa_call
from bot.dialogue.answer import HANDOFF, Answerer, options_of
from bot.dialogue.decide import Choice, answers_second
from bot.dialogue.rasa_call import RasaCall
from bot.errors import StoreUnavailable
from bot.language.follow import Belief

MESSAGE = builders.inbound("where is my order A123456")
SITUATION = builders.situation(MESSAGE, CONTENT)
QUESTION = Choice(parsed.tapped_entry("order-status"), "hi", entry="order-status")
POLICY = Choice(
    parsed.handoff(), "en", decision=Decision("handoff", Cause.POLICY), entry="lost-card"
)
BUTTONS = [{"title": "x", "action": "helped"}]


class Pretending:
    """Says what it is told to say, and keeps what it was asked."""

    def __init__(self, *outputs: dict[str, Any]) -> None:
        self.outputs = outputs
        self.error: Exception | None = None
        self.asked: list[UserMessage] = []
        self.seen: list[RasaCall | None] = []
        self.nlg = self
        self.second: dict[str, Any] | None = {"text": "second", "quick_replies": BUTTONS}

    async def handle_message(self, message: UserMessage) -> None:
        self.asked.append(message)
        self.seen.append(rasa_call.current())
        if self.error:
            raise self.error
        for output in self.outputs:
            await message.output_channel.send_response(message.sender_id, output)

    async def generate(self, utter: str, tracker: Any, channel: str) -> dict[str, Any] | None:
        self.seen.append(rasa_call.current())
        return self.second


def _answerer(engine: Pretending) -> Answerer:
    return Answerer(engine)  # type: ignore[arg-type]


async def test_rasa_gets_an_intent_and_a_voice_for_as_long_as_it_is_asked() -> None:
    engine = Pretending({"text": "one", "utter_action": "utter_greet"})
    answer = await _answerer(engine).answer(QUESTION, MESSAGE, SITUATION)
    assert [output["text"] for output in answer.outputs] == ["one"]
    (message,) = engine.asked
    assert message.parse_data == QUESTION.parsed
    assert (message.sender_id, message.message_id) == (MESSAGE.conversation, MESSAGE.id)
    (seen,) = engine.seen
    assert seen is not None
    assert (seen.options.language, seen.tracker["slots"]) == ("hi", {"language": "hi"})
    assert answer.tracker is seen.tracker
    assert rasa_call.current() is None
    assert SITUATION.tracker["slots"] == {}, "what the turn starts from stays as it was"


async def test_an_engine_that_raises_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    engine = Pretending()
    engine.error = RuntimeError("Rasa is unwell")
    answer = await _answerer(engine).answer(QUESTION, MESSAGE, SITUATION)
    assert answer.has_failed
    assert rasa_call.current() is None


async def test_a_store_that_is_away_is_told_to_whoever_runs_the_turn() -> None:
    engine = Pretending()
    engine.error = StoreUnavailable("database", "locked")
    with pytest.raises(StoreUnavailable):
        await _answerer(engine).answer(QUESTION, MESSAGE, SITUATION)


async def test_without_an_intent_nobody_is_asked() -> None:
    engine = Pretending({"text": "one"})
    nothing = Choice(parsed.intent(""), "en")
    answer = await _answerer(engine).answer(nothing, MESSAGE, SITUATION)
    assert (answer.outputs, engine.asked) == ((), [])
    assert answer.tracker is SITUATION.tracker


async def test_a_handoff_is_a_value_that_changes_nothing() -> None:
    engine = Pretending({"text": "You are number 1.", "utter_action": HANDOFF})
    answer = await _answerer(engine).answer(POLICY, MESSAGE, SITUATION)
    assert answer.hands_off
    assert not answer.has_failed


async def test_a_second_answer_comes_last_and_keeps_the_buttons() -> None:
    engine = Pretending({"text": "first", "quick_replies": BUTTONS})
    both = replace(QUESTION, also="refund-time")
    first, second = (await _answerer(engine).answer(both, MESSAGE, SITUATION)).outputs
    assert (first["text"], first["quick_replies"]) == ("first", [])
    assert (second["utter_action"], second["quick_replies"]) == ("utter_faq/refund-time", BUTTONS)
    assert None not in engine.seen, "both are worded by the same turn"


async def test_a_second_answer_goes_before_a_handoff_without_buttons() -> None:
    engine = Pretending({"text": "A person comes.", "utter_action": HANDOFF})
    both = replace(POLICY, also="refund-time")
    answer = await _answerer(engine).answer(both, MESSAGE, SITUATION)
    assert [output["text"] for output in answer.outputs] == ["second", "A person comes."]
    assert answer.outputs[0]["quick_replies"] == []
    assert answer.second is not None


@pytest.mark.parametrize("second", [None, {"text": "sorry", "failed": True}])
async def test_a_second_answer_that_fails_leaves_the_first(second: Any) -> None:
    engine = Pretending({"text": "first", "quick_replies": BUTTONS})
    engine.second = second
    both = replace(QUESTION, also="refund-time")
    answer = await _answerer(engine).answer(both, MESSAGE, SITUATION)
    assert [output["text"] for output in answer.outputs] == ["first"]
    assert (answer.outputs[0]["quick_replies"], answer.second) == (BUTTONS, None)


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (QUESTION, False),
        (replace(QUESTION, also="refund-time"), True),
        (replace(POLICY, also="refund-time"), True),
        (replace(POLICY, also="lost-card"), False),
        (replace(POLICY, also="refund-time", decision=Decision("handoff", Cause.ASKED)), False),
        (Choice(parsed.intent("clarify"), "en", also="refund-time"), False),
    ],
)
def test_which_second_questions_are_answered(choice: Choice, expected: bool) -> None:
    assert answers_second(choice, SITUATION) is expected


def test_the_voice_is_of_the_choice_and_of_the_day() -> None:
    choice = replace(QUESTION, belief=Belief("hi"), language_name="हिन्दी")
    options = options_of(choice, MESSAGE, SITUATION)
    assert (options.language, options.content, options.today) == ("hi", CONTENT, SITUATION.today)
    assert (options.text, options.belief) == (MESSAGE.text, Belief("hi"))
    assert options.values == {"language_name": "हिन्दी"}
    assert options_of(QUESTION, MESSAGE, SITUATION).values == {}
