"""Last step: answer, ask back, or hand off (bot.conversation.escalation)."""

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
    """Turns the intent into `clarify` or `handoff` where the decision says so.

    Without a conversation (`rasa test nlu`, `rasa shell`) there are no earlier failures to count.
    """

    def add(self, message: Message, reading: Reading) -> None:
        content, today = runtime.knowledge().content, datetime.now(UTC).date()
        ended = reading.intent == "faq" and not content.answers(reading.entry, today)
        intent_now = "" if ended else reading.intent
        signs = signals(reading, content, intent=intent_now)
        decision = decide(signs, settings.load().thresholds)
        if decision.kind != "answer":
            intent = {"name": decision.kind, "confidence": reading.prediction.confidence}
            message.set("intent", intent, add_to_output=True)
        offered = choices(reading, content, today)
        told = understanding(reading, content.number, decision, offered)
        message.set("understanding", told, add_to_output=True)
