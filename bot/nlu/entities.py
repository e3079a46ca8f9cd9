"""Fourth step: order numbers, e-mail addresses, phones, amounts and dates."""

from __future__ import annotations

from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.shared.nlu.training_data.message import Message

from bot.nlu.shell import ReadingComponent
from bot.understanding.service import Reading


@DefaultV1Recipe.register([DefaultV1Recipe.ComponentType.ENTITY_EXTRACTOR], is_trainable=False)
class EntityReader(ReadingComponent):
    """Adds `entities` in Rasa's shape."""

    def add(self, message: Message, reading: Reading) -> None:
        found = [
            {**entity, "extractor": "EntityReader"} for entity in reading.to_dict()["entities"]
        ]
        message.set("entities", found, add_to_output=True)
