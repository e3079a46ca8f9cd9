"""First step: which language is this?"""

from __future__ import annotations

from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.shared.nlu.training_data.message import Message

from bot.nlu.shell import ReadingComponent
from bot.understanding.service import Reading


# Registered as a classifier: Rasa asks tokenizers and featurizers to take part in training.
@DefaultV1Recipe.register([DefaultV1Recipe.ComponentType.INTENT_CLASSIFIER], is_trainable=False)
class LanguageDetector(ReadingComponent):
    """Adds `language`: `bot.language.detect.LanguageReading` as a dict."""

    def add(self, message: Message, reading: Reading) -> None:
        message.set("language", reading.language.to_dict(), add_to_output=True)
