"""Rasa component, second step: the entry or dialogue intent a message asks for."""

from __future__ import annotations

from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.shared.nlu.training_data.message import Message

from bot.nlu.shell import ReadingComponent
from bot.understanding.parse import parse_intent
from bot.understanding.service import Reading


@DefaultV1Recipe.register([DefaultV1Recipe.ComponentType.INTENT_CLASSIFIER], is_trainable=False)
class EntryClassifier(ReadingComponent):
    """Rasa component that adds `intent`, `intent_ranking` and `response_selector`."""

    def add(self, message: Message, reading: Reading) -> None:
        for key, value in parse_intent(reading).items():
            message.set(key, value, add_to_output=True)
