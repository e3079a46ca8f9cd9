"""Hearing: which button was meant, what was read, which language is followed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import builders
import pytest
from talk import CONTENT, ScriptedUnderstander

from bot.dialogue.context import Context
from bot.dialogue.hear import Heard, Listener
from bot.dialogue.situation import Situation, answer_language, first_language, in_language
from bot.language.follow import Belief
from bot.settings import Settings
from bot.streams.attachments import Attachment
from bot.streams.messages import QuickReply

REFUND = QuickReply("q1", "Refund time", entry="refund-time", position=0)
PHOTO = Attachment("f1", "image")


class NoDatabase:
    """Has no old messages."""

    def __init__(self) -> None:
        self.asked = 0

    async def read(self, work: Any) -> None:
        self.asked += 1


@pytest.fixture
def understander() -> ScriptedUnderstander:
    return ScriptedUnderstander()


@pytest.fixture
def listener(understander: ScriptedUnderstander) -> Listener:
    return Listener(Settings(), NoDatabase(), understander)  # type: ignore[arg-type]


def _situation(text: str = "", *, shown: bool = False, **more: Any) -> Situation:
    situation = builders.situation(builders.inbound(text, **more), CONTENT)
    context = Context().with_shown("m", (REFUND,)) if shown else Context()
    return replace(situation, context=context)


async def test_words_are_read_and_their_language_followed(listener: Listener) -> None:
    heard = await listener.hear(_situation("मेरा ऑर्डर अभी तक क्यों नहीं आया है"))
    assert heard.reading is not None
    assert (heard.language, heard.reading.entry) == ("hi", "order-status")
    assert heard.belief is not None
    assert (heard.belief.language, heard.switched) == ("hi", False), "the first is no switch"


@pytest.mark.parametrize("text", ["Refund time", "refund time?", "1"])
async def test_a_title_or_number_that_is_typed_is_a_tap(listener: Listener, text: str) -> None:
    heard = await listener.hear(_situation(text, shown=True))
    assert (heard.button, heard.reading) == (REFUND, None)


async def test_a_tap_without_words_has_those_of_its_title(listener: Listener) -> None:
    heard = await listener.hear(_situation(tap="q1", shown=True))
    assert (heard.button, heard.inbound.text) == (REFUND, "Refund time")


async def test_a_tap_nobody_knows_is_not_read(listener: Listener) -> None:
    heard = await listener.hear(_situation(tap="forged"))
    assert heard.is_unknown_tap
    assert (heard.reading, heard.is_files_alone) == (None, False)
    titled = await listener.hear(_situation("hello", tap="forged"))
    assert titled.reading is not None, "the vendor's title of it is read as words"


async def test_files_alone_are_told_from_files_with_words(listener: Listener) -> None:
    alone = await listener.hear(_situation(attachments=(PHOTO,)))
    assert (alone.is_files_alone, alone.reading) == (True, None)
    words = await listener.hear(_situation("hello", attachments=(PHOTO,)))
    assert not words.is_files_alone
    assert words.reading is not None


async def test_an_understanding_that_raises_is_heard_as_such(
    listener: Listener, understander: ScriptedUnderstander
) -> None:
    understander.broken = True
    heard = await listener.hear(_situation("hello"))
    assert (heard.failed, heard.reading, heard.language) == (True, None, "en")


async def test_in_the_queue_a_button_is_read_as_well_and_words_may_command(
    listener: Listener,
) -> None:
    tapped = await listener.hear_waiting(_situation(tap="q1", shown=True))
    assert tapped.button == REFUND
    assert tapped.reading is not None
    assert (await listener.hear_waiting(_situation("Cancel"))).command == "cancel"


async def test_a_command_counts_where_the_words_cannot_be_read(
    listener: Listener, understander: ScriptedUnderstander
) -> None:
    understander.broken = True
    heard = await listener.hear_waiting(_situation("cancel"))
    assert (heard.failed, heard.command) == (True, "cancel")


async def test_for_an_agent_words_are_read_and_buttons_left_alone(listener: Listener) -> None:
    tapped = await listener.hear_for_agent(_situation(tap="q1", shown=True))
    assert tapped == Heard(tapped.inbound, "en")
    assert (await listener.hear_for_agent(_situation("hello"))).reading is not None


async def test_opening_the_chat_says_nothing(listener: Listener) -> None:
    assert (await listener.hear(_situation(kind="start"))).reading is None


async def test_what_was_believed_stays_where_nothing_was_read(listener: Listener) -> None:
    situation = _situation(tap="q1", shown=True)
    context = replace(situation.context, belief=Belief("hi"))
    heard = await listener.hear(replace(situation, context=context))
    assert heard.belief == Belief("hi")


def test_we_answer_in_our_languages_alone() -> None:
    settings = Settings()
    assert (answer_language("hi", settings), answer_language("ja", settings)) == ("hi", "en")
    assert first_language("hi-IN", settings) == "hi"
    assert first_language("ja-JP", settings) == first_language("", settings) == "en"


def test_a_conversation_in_its_language_is_left_as_it_is() -> None:
    conversation = builders.conversation(builders.inbound())
    assert in_language(conversation, "en") is conversation
    assert in_language(conversation, "hi").language == "hi"
