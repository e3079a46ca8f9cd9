"""Events of a turn, for the event log (docs/events.md)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.dialogue.answer import Answer
from bot.dialogue.decide import Choice
from bot.dialogue.hear import Heard
from bot.dialogue.situation import Situation
from bot.dialogue.turn import Turn
from bot.events import (
    AnswerRated,
    AnswerSent,
    ClarificationAsked,
    IntentClassified,
    LanguageDetected,
    LanguageSwitched,
    MessageReceived,
    MessageRefused,
    QuickReplyShown,
    QuickReplyTapped,
    ShownReply,
    TurnFailed,
)
from bot.streams.messages import Inbound


def received(turn: Turn, inbound: Inbound) -> None:
    """Note that a message came from a customer who is not blocked."""
    if inbound.kind != "message":
        return
    data = MessageReceived(_kind_of(inbound), len(inbound.text), len(inbound.attachments))
    turn.event(data, actor="customer")


def refused(turn: Turn, reason: str) -> None:
    """Note that a message is not acted on."""
    turn.event(MessageRefused(reason), actor="customer")


def heard(turn: Turn, message: Heard, situation: Situation) -> None:
    """Note that a text was read, and its language followed."""
    if message.reading is None or message.belief is None:
        return
    language, before = message.reading.language, situation.context.belief
    turn.event(
        LanguageDetected(
            language=language.language,
            script=language.script,
            confidence=round(language.confidence, 3),
            romanised=language.romanised,
        )
    )
    if message.switched and before is not None:
        turn.event(LanguageSwitched(to=message.belief.language, was=before.language))


def chosen(turn: Turn, message: Heard, choice: Choice) -> None:
    """Note what was decided about a message."""
    if message.button:
        _tapped(turn, message)
    elif message.is_unknown_tap:
        refused(turn, "unknown-quick-reply")
    elif message.failed:
        turn.event(TurnFailed("understanding"), ordinal=":understanding")
    elif message.reading and choice.weighed:
        _classified(turn, message, choice)
    if choice.is_new_language:
        turn.event(LanguageSwitched(to=choice.language, explicit=True), ordinal=":explicit")


def answered(turn: Turn, choice: Choice) -> None:
    """Note that the customer was answered or asked back; the replies are in the turn."""
    if choice.hands_off:
        return
    if choice.intent == "faq":
        reply = next((vars(r) for r in turn.replies if r.entry == choice.entry), {})
        turn.event(_answer(choice.entry, turn.content_version, reply))
    elif choice.asks_back and choice.intent != "not_helped":
        turn.event(ClarificationAsked(choice.cause))


def answered_second(turn: Turn, choice: Choice, answer: Answer) -> None:
    """Note that a second question of the message was answered."""
    if answer.second is not None:
        data = _answer(choice.also, turn.content_version, answer.second)
        turn.event(data, ordinal=":also")


def shown(turn: Turn, first: int) -> None:
    """Note that buttons were shown, from this reply of the turn on."""
    for ordinal, reply in enumerate(turn.replies[first:], start=first):
        if reply.quick_replies:
            buttons: list[ShownReply] = [
                {"entry": q.entry, "action": q.action, "position": q.position}
                for q in reply.quick_replies
            ]
            turn.event(QuickReplyShown(buttons, turn.content_version), ordinal=f":{ordinal}")


def rated(turn: Turn, choice: Choice) -> None:
    """Note that the customer rated the last answer."""
    helped = choice.intent == "helped"
    if turn.context.answered and (helped or choice.not_helped):
        entry, _, version = turn.context.answered.rpartition("@")
        turn.event(AnswerRated(entry, int(version), helped), actor="customer")


def failed(turn: Turn) -> None:
    """Note that the bot had no answer."""
    turn.event(TurnFailed("no-output"))


def _tapped(turn: Turn, message: Heard) -> None:
    button = message.button
    if button:
        turn.event(
            QuickReplyTapped(
                entry=button.entry,
                action=button.action,
                position=button.position,
                version=button.content_version,
                typed=not message.inbound.tap,
            ),
            actor="customer",
        )


def _classified(turn: Turn, message: Heard, choice: Choice) -> None:
    reading, weighed = message.reading, choice.weighed
    if reading is None or weighed is None:
        return
    prediction, mood = reading.prediction, reading.sentiment
    turn.event(
        IntentClassified(
            intent=prediction.best,
            confidence=round(prediction.confidence, 3),
            margin=round(prediction.margin, 3),
            threshold=round(prediction.threshold, 3),
            sentiment=mood.label,
            negative=round(mood.negative, 3),
            decision=weighed.kind,
            cause=weighed.cause.value if weighed.cause else None,
        )
    )


def _kind_of(inbound: Inbound) -> str:
    if inbound.tap:
        return "tap"
    return "file" if inbound.attachments and not inbound.text else "text"


def _answer(entry: str, version: int, output: Mapping[str, Any]) -> AnswerSent:
    """Build the event of an answer, with a machine's part in its text."""
    metadata = output.get("metadata") or {}
    if metadata.get("machine"):
        return AnswerSent(entry, version, machine=True, to=output["language"])
    return AnswerSent(entry, version, untranslated=metadata.get("untranslated") or None)
