"""Rasa component, last step: decides to answer, ask back or hand off."""

from __future__ import annotations

from datetime import UTC, datetime

from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.shared.nlu.training_data.message import Message

from bot import settings
from bot.conversation.escalation import decide
from bot.dialogue import runtime
from bot.nlu.shell import ReadingComponent
from bot.understanding.parse import choices, signals, understanding
from bot.understanding.service import Reading


@DefaultV1Recipe.register([DefaultV1Recipe.ComponentType.INTENT_CLASSIFIER], is_trainable=False)
class EscalationDecider(ReadingComponent):
    """Rasa component that replaces the intent by `clarify` or `handoff` when so decided.

    The decision is bot.conversation.escalation. Without a conversation (`rasa test nlu`, `rasa
    shell`) there are no earlier failures to count.
    """

    def add(self, message: Message, reading: Reading) -> None:
        content, today = runtime.knowledge().content, datetime.now(UTC).date()
        is_out_of_date = reading.intent == "faq" and not content.answers(reading.entry, today)
        intent_now = "" if is_out_of_date else reading.intent
        message_signals = signals(reading, content, intent=intent_now)
        decision = decide(message_signals, settings.load().thresholds)
        if decision.kind != "answer":
            intent = {"name": decision.kind, "confidence": reading.prediction.confidence}
            message.set("intent", intent, add_to_output=True)
        offered = choices(reading, content, today)
        summary = understanding(reading, content.number, decision, offered)
        message.set("understanding", summary, add_to_output=True)
