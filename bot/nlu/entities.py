"""Rasa component, fourth step: order numbers, e-mail, phone numbers, amounts and dates."""

from __future__ import annotations

from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.shared.nlu.training_data.message import Message

from bot.nlu.shell import ReadingComponent
from bot.understanding.service import Reading


@DefaultV1Recipe.register([DefaultV1Recipe.ComponentType.ENTITY_EXTRACTOR], is_trainable=False)
class EntityReader(ReadingComponent):
    """Rasa component that adds `entities` in Rasa's shape."""

    def add(self, message: Message, reading: Reading) -> None:
        entities = [
            {**entity, "extractor": "EntityReader"} for entity in reading.to_dict()["entities"]
        ]
        message.set("entities", entities, add_to_output=True)
