"""The bot's choice for a message: which intent Rasa acts on, and why.

Pure functions; the decision from the numbers is in bot/conversation/escalation.py.
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
    """The bot's choice for a message."""

    parsed: Parsed
    """Parse data for Rasa."""
    language: str
    """Language to answer in."""
    decision: Decision | None = None
    """Decision and cause; None where there was nothing to decide."""
    weighed: Decision | None = None
    """Decision from the reading's numbers alone."""
    belief: Belief | None = None
    """The customer's language, concluded or chosen."""
    entry: str = ""
    """Entry the message is about."""
    also: str = ""
    """Entry of a second question in the same message."""
    not_helped: bool = False
    """Whether the customer said that the last answer did not help."""
    understanding: Mapping[str, Any] | None = None
    """Short form of the reading, kept with the message for the desk."""
    negative_mean: float = 0.0
    """Running mean of negativity in this episode, including this message."""
    negative_count: int = 0
    language_name: str = ""
    """Name of the requested language."""
    is_new_language: bool = False
    """Whether the customer requested `language`."""
    leaves: bool = False
    """Whether the button of an old notice was tapped: the customer waits for an answer later."""

    @property
    def intent(self) -> str:
        """Return the intent Rasa's rules act on; empty when there is none."""
        return parse_data.name_of(self.parsed)

    @property
    def starts_over(self) -> bool:
        """Tell whether the customer wants the conversation so far forgotten."""
        return self.intent == "start_over"

    @property
    def hands_off(self) -> bool:
        return self.decision is not None and self.decision.kind == "handoff"

    @property
    def asks_back(self) -> bool:
        return self.decision is not None and self.decision.kind == "clarify"

    @property
    def cause(self) -> Cause | None:
        """Return why it is handed off or asked back."""
        return self.decision.cause if self.decision else None

    @property
    def answers_first(self) -> bool:
        """Tell whether the entry that needs a person is answered before the handoff."""
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
        return _choose_for_button(start, heard.button, situation, settings)
    if heard.is_unknown_tap:
        # Forged, or from another conversation: there is no button to act on.
        decision = Decision("clarify", Cause.LOW_CONFIDENCE, failed=True)
        return replace(start, parsed=parse_data.intent("clarify"), decision=decision)
    if heard.reading is None:
        return start
    return _choose_for_text(start, heard, heard.reading, situation, settings)


def bot_failed(choice: Choice | None, situation: Situation, settings: Settings) -> Choice:
    """Return a handoff because the bot failed; keeps what it understood."""
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


def answers_second(choice: Choice, situation: Situation) -> bool:
    """Tell whether the second question of a message is answered as well.

    With a handoff, only an entry that the bot may answer by itself is answered first.
    """
    if not choice.also or choice.intent == "faq":
        return bool(choice.also)
    by_bot = situation.content.by_id[choice.also].policy != PERSON
    return choice.intent == "handoff" and choice.answers_first and by_bot


# — text —


def _choose_for_text(
    start: Choice, heard: Heard, reading: Reading, situation: Situation, settings: Settings
) -> Choice:
    context, content = situation.context, situation.content
    mean = running_mean(context.negative_mean, parse.negative_about_us(reading))
    # A word the bot told the customer to write has the meaning the bot gave it.
    intent = _after_answer(heard.command or reading.intent, context.answered)
    not_helped = intent == "not_helped"
    requested_language = codes.language_named_in(heard.inbound.text)
    if intent == "faq" and not content.answers(reading.entry, situation.today):
        intent = ""  # outside its dates: it has no answer today
    second = intent == "faq" and content.answers(reading.also, situation.today)
    also = reading.also if second else ""
    signals = parse.signals(
        reading,
        content,
        also=also,
        intent="change_language" if requested_language else intent,
        asked_for_person=intent == "ask_human"
        or reading.asks_for_person
        or (requested_language is not None and codes.person_named_in(heard.inbound.text)),
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
        # The message counts as about the entry that needs a person, first or second.
        entry=entry,
        also=(also if entry == reading.entry else reading.entry) if intent == "faq" else "",
        not_helped=not_helped,
        understanding=parse.understanding(reading, content.number, decision, offered),
        negative_mean=mean,
        negative_count=context.negative_count + 1,
    )
    if requested_language and decision.kind != "handoff":
        return _in_language(choice, requested_language, settings)
    return _with_intent(choice, decision, reading, intent, offered)


def _with_intent(
    choice: Choice, decision: Decision, reading: Reading, intent: str, offered: list[str]
) -> Choice:
    """Set the intent Rasa's rules act on."""
    understanding = choice.understanding
    if decision.kind == "handoff":
        answer_first = choice.entry if choice.answers_first else ""
        return replace(choice, parsed=parse_data.handoff(reading, understanding, answer_first))
    if decision.kind == "clarify":
        if intent == "not_helped":
            return replace(choice, parsed=parse_data.intent("not_helped", reading))
        if not decision.failed and reading.sentiment.label != "negative":
            # A thumb or a sticker asks nothing, so the bot does not ask back.
            affirmed = parse_data.intent("affirm", reading)
            return replace(choice, parsed=affirmed, decision=Decision("answer"))
        outside = intent == "out_of_scope" and not offered
        name = "out_of_scope" if outside else "clarify"
        return replace(choice, parsed=parse_data.intent(name, reading, understanding))
    if intent == "faq":
        return replace(choice, parsed=parse_data.question(reading, understanding))
    if intent == "change_language":
        intent = "which_language"  # no language is named in the text, or it was changed already
    return replace(choice, parsed=parse_data.intent(intent, reading, understanding))


# — buttons —


def _choose_for_button(
    start: Choice, button: QuickReply, situation: Situation, settings: Settings
) -> Choice:
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
        answer_first = choice.entry if choice.answers_first else ""
        return replace(choice, parsed=parse_data.handoff(answer_first=answer_first))
    if action.startswith("language:"):
        return _in_language(choice, action.removeprefix("language:"), settings)
    if entry is not None:
        return replace(choice, entry=entry.id, parsed=parse_data.tapped_entry(entry.id))
    if button.entry:
        # The entry was removed or has ended since the button was shown.
        choice = replace(choice, decision=Decision("clarify", Cause.LOW_CONFIDENCE))
    return replace(choice, parsed=parse_data.intent(INTENTS.get(action, "clarify")))


def _is_answered(entry: str, situation: Situation) -> bool:
    return situation.content.answers(entry, situation.today)


# — both —


def _in_language(choice: Choice, language: str, settings: Settings) -> Choice:
    """Continue in the requested language, or reply that the bot cannot."""
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
    """Treat yes and no as the reply to "did that help?" while that is open."""
    return {"affirm": "helped", "deny": "not_helped"}.get(intent, intent) if answered else intent


def _is_wordless(text: str) -> bool:
    """Tell whether a text has only emoji with their modifiers, no letter and no number."""
    kinds = [unicodedata.category(c) for c in text if not c.isspace()]
    return "So" in kinds and all(kind in ("So", "Sk", "Mn", "Cf", "Me") for kind in kinds)
