"""Decide what the bot does about a message: which intent Rasa acts on, and why.

Pure functions over values; the numbers are weighed in bot/conversation/escalation.py.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from bot.content.models import PERSON
from bot.conversation import escalation
from bot.conversation.escalation import Decision, Signals
from bot.conversation.states import Cause
from bot.dialogue import parsed as parse_data
from bot.dialogue.hear import Heard
from bot.dialogue.parsed import Parsed
from bot.dialogue.situation import Situation
from bot.handoff.waiting import LEAVE
from bot.language import codes
from bot.language.follow import Belief, choose
from bot.settings import Settings
from bot.streams.messages import QuickReply
from bot.understanding import parse
from bot.understanding.mood.sentiment import running_mean
from bot.understanding.service import Reading

INTENTS = {"helped": "helped", "not-helped": "not_helped", "cancel": "cancel"}
"""Action of a button → intent Rasa acts on."""


@dataclass(frozen=True)
class Choice:
    """What the bot does about a message."""

    parsed: Parsed
    """What Rasa is asked."""
    language: str
    """Language to answer in."""
    decision: Decision | None = None
    """Answer, ask back or hand off, and why; None where there was nothing to decide."""
    weighed: Decision | None = None
    """What the numbers of the reading alone say."""
    belief: Belief | None = None
    """Which language the customer is taken to speak, or has chosen."""
    entry: str = ""
    """Entry the message was taken for."""
    also: str = ""
    """Entry of a second question in the same message."""
    not_helped: bool = False
    """The customer said that the last answer did not help."""
    understanding: Mapping[str, Any] | None = None
    """Short form of the reading, kept with the message for the desk."""
    negative_mean: float = 0.0
    """Running mean of negativity in this episode, this message included."""
    negative_count: int = 0
    language_name: str = ""
    """Name of the language that was asked for."""
    is_new_language: bool = False
    """The customer asked for the language that is answered in from here on."""
    leaves: bool = False
    """An old notice's button: the customer waits for an answer, not for a chat."""

    @property
    def intent(self) -> str:
        """What Rasa's rules act on; empty when nothing can be asked."""
        return parse_data.name_of(self.parsed)

    @property
    def starts_over(self) -> bool:
        """Tell whether the customer wants all forgotten that was said."""
        return self.intent == "start_over"

    @property
    def hands_off(self) -> bool:
        return self.decision is not None and self.decision.kind == "handoff"

    @property
    def asks_back(self) -> bool:
        return self.decision is not None and self.decision.kind == "clarify"

    @property
    def cause(self) -> Cause | None:
        """Why it is handed off or asked back."""
        return self.decision.cause if self.decision else None

    @property
    def answers_first(self) -> bool:
        """Tell whether the entry that needs a person is answered all the same."""
        return bool(self.entry) and self.hands_off and self.cause == Cause.POLICY


def decide(heard: Heard, situation: Situation, settings: Settings) -> Choice:
    """Choose what to do about a message that the bot answers."""
    context = situation.context
    start = Choice(
        parse_data.intent(""),
        heard.language,
        belief=heard.belief,
        negative_mean=context.negative_mean,
        negative_count=context.negative_count,
    )
    if heard.inbound.kind == "start":
        return replace(start, parsed=parse_data.intent("greet"))
    if heard.button:
        return _tapped(start, heard.button, situation, settings)
    if heard.is_unknown_tap:
        # Forged, or from another conversation: there is nothing to act on.
        decision = Decision("clarify", Cause.LOW_CONFIDENCE, failed=True)
        return replace(start, parsed=parse_data.intent("clarify"), decision=decision)
    if heard.reading is None:
        return start
    return _said(start, heard, heard.reading, situation, settings)


def bot_failed(choice: Choice | None, situation: Situation, settings: Settings) -> Choice:
    """Hand off because the bot has no answer; what it understood stays known."""
    decision = escalation.decide(Signals(bot_failed=True), settings.thresholds)
    if choice is None:
        context = situation.context
        choice = Choice(
            parse_data.intent(""),
            situation.language,
            belief=context.belief,
            negative_mean=context.negative_mean,
            negative_count=context.negative_count,
        )
    return replace(choice, decision=decision)


# — words —


def _said(
    start: Choice, heard: Heard, reading: Reading, situation: Situation, settings: Settings
) -> Choice:
    context, content = situation.context, situation.content
    mean = running_mean(context.negative_mean, reading.sentiment.negative)
    # A word we told the customer to write means what we said it means.
    intent = _after_answer(heard.command or reading.intent, context.answered)
    not_helped = intent == "not_helped"
    named = codes.language_named_in(heard.inbound.text)
    if intent == "faq" and not content.answers(reading.entry, situation.today):
        intent = ""  # out of its dates: there is nothing to answer with
    second = intent == "faq" and content.answers(reading.also, situation.today)
    also = reading.also if second else ""
    signals = parse.signals(
        reading,
        content,
        also=also,
        intent="change_language" if named else intent,
        asked_for_person=intent == "ask_human"
        or (named is not None and codes.person_named_in(heard.inbound.text)),
        not_helped=not_helped,
        negative_mean=mean,
        negative_count=context.negative_count + 1,
        failures=context.failures,
        wordless=_is_wordless(heard.inbound.text),
    )
    decision = escalation.decide(signals, settings.thresholds)
    offered = parse.choices(reading, content, situation.today)
    entry = signals.entry if intent == "faq" else ""
    choice = replace(
        start,
        decision=decision,
        weighed=decision,
        # The one that needs a person is what the message is about, wherever it stands.
        entry=entry,
        also=(also if entry == reading.entry else reading.entry) if intent == "faq" else "",
        not_helped=not_helped,
        understanding=parse.understanding(reading, content.number, decision, offered),
        negative_mean=mean,
        negative_count=context.negative_count + 1,
    )
    if named and decision.kind != "handoff":
        return _in_language(choice, named, settings)
    return _with_intent(choice, decision, reading, intent, offered)


def _with_intent(
    choice: Choice, decision: Decision, reading: Reading, intent: str, offered: list[str]
) -> Choice:
    """Name the intent Rasa's rules act on."""
    understanding = choice.understanding
    if decision.kind == "handoff":
        first = choice.entry if choice.answers_first else ""
        return replace(choice, parsed=parse_data.handoff(reading, understanding, first))
    if decision.kind == "clarify":
        if intent == "not_helped":
            return replace(choice, parsed=parse_data.intent("not_helped", reading))
        if not decision.failed and reading.sentiment.label != "negative":
            # A thumb or a sticker asks nothing: neither do we ask what it meant.
            affirmed = parse_data.intent("affirm", reading)
            return replace(choice, parsed=affirmed, decision=Decision("answer"))
        outside = intent == "out_of_scope" and not offered
        name = "out_of_scope" if outside else "clarify"
        return replace(choice, parsed=parse_data.intent(name, reading, understanding))
    if intent == "faq":
        return replace(choice, parsed=parse_data.question(reading, understanding))
    return replace(choice, parsed=parse_data.intent(intent, reading, understanding))


# — buttons —


def _tapped(start: Choice, button: QuickReply, situation: Situation, settings: Settings) -> Choice:
    content, action = situation.content, button.action
    entry = content.by_id[button.entry] if _is_answered(button.entry, situation) else None
    leaves, not_helped = action == LEAVE, action == "not-helped"
    signals = Signals(
        intent="faq" if button.entry else "",
        entry=button.entry,
        entry_needs_person=entry is not None and entry.policy == PERSON,
        confidence=1.0,
        asked_for_person=leaves or action == "person",
        not_helped=not_helped,
        failures=0 if leaves else situation.context.failures,
        tapped=True,
    )
    decision = escalation.decide(signals, settings.thresholds)
    choice = replace(
        start,
        decision=decision,
        not_helped=not_helped,
        leaves=leaves,
        understanding={"language": start.language, "tapped": button.entry or action},
    )
    if decision.kind == "handoff":
        choice = replace(choice, entry=button.entry)
        first = choice.entry if choice.answers_first else ""
        return replace(choice, parsed=parse_data.handoff(answer_first=first))
    if action.startswith("language:"):
        return _in_language(choice, action.removeprefix("language:"), settings)
    if entry is not None:
        return replace(choice, entry=entry.id, parsed=parse_data.tapped_entry(entry.id))
    if button.entry:
        # The entry has gone or ended since the button was shown.
        choice = replace(choice, decision=Decision("clarify", Cause.LOW_CONFIDENCE))
    return replace(choice, parsed=parse_data.intent(INTENTS.get(action, "clarify")))


def _is_answered(entry: str, situation: Situation) -> bool:
    return situation.content.answers(entry, situation.today)


# — both —


def _in_language(choice: Choice, language: str, settings: Settings) -> Choice:
    """Go on in the language that was asked for, or say that we cannot."""
    name, answer = codes.name(language), Decision("answer")
    if language not in settings.languages:
        parsed = parse_data.intent("language_unsupported")
        return replace(choice, parsed=parsed, decision=answer, language_name=name)
    return replace(
        choice,
        parsed=parse_data.intent("change_language"),
        decision=answer,
        language=language,
        language_name=name,
        belief=choose(choice.belief, language),
        is_new_language=True,
    )


def _after_answer(intent: str, answered: str) -> str:
    """Read yes and no as the reply to "did that help?" while that is open."""
    return {"affirm": "helped", "deny": "not_helped"}.get(intent, intent) if answered else intent


def _is_wordless(text: str) -> bool:
    """Tell whether a text is signs alone: emoji with their modifiers, no letter and no number."""
    kinds = [unicodedata.category(c) for c in text if not c.isspace()]
    return "So" in kinds and all(kind in ("So", "Sk", "Mn", "Cf", "Me") for kind in kinds)
