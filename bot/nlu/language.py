"""Rasa component, first step: the language of a message."""

from __future__ import annotations

from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.shared.nlu.training_data.message import Message

from bot.nlu.shell import ReadingComponent
from bot.understanding.service import Reading


# Registered as a classifier: Rasa would train tokenizers and featurizers.
@DefaultV1Recipe.register([DefaultV1Recipe.ComponentType.INTENT_CLASSIFIER], is_trainable=False)
class LanguageDetector(ReadingComponent):
    """Rasa component that adds `language`: `LanguageReading` as a dict."""

    def add(self, message: Message, reading: Reading) -> None:
        message.set("language", reading.language.to_dict(), add_to_output=True)
