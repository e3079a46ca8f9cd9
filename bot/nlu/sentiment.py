"""Rasa component, third step: the mood of a message."""

from __future__ import annotations

from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.shared.nlu.training_data.message import Message

from bot.nlu.shell import ReadingComponent
from bot.understanding.service import Reading


# Registered as a classifier: Rasa would train tokenizers and featurizers.
@DefaultV1Recipe.register([DefaultV1Recipe.ComponentType.INTENT_CLASSIFIER], is_trainable=False)
class SentimentReader(ReadingComponent):
    """Rasa component that adds `sentiment`: label, probability of negative (0–1), score (−1–1)."""

    def add(self, message: Message, reading: Reading) -> None:
        message.set("sentiment", reading.to_dict()["sentiment"], add_to_output=True)
