"""Base class of our Rasa components; they are not trained and store nothing in the model."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.shared.nlu.training_data.message import Message

from bot.dialogue import runtime
from bot.understanding.service import Reading

READING = "samvad_reading"
"""Message property with the reading, for the components that follow."""


class ReadingComponent(GraphComponent):
    """Rasa component that adds one part of a reading to each message."""

    @classmethod
    def create(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
    ) -> ReadingComponent:
        return cls()

    def process(self, messages: list[Message]) -> list[Message]:
        for message in messages:
            text = message.get("text")
            if text:
                self.add(message, reading_of(message))
        return messages

    @abstractmethod
    def add(self, message: Message, reading: Reading) -> None:
        """Add this component's part to the message."""


def reading_of(message: Message) -> Reading:
    """Read a message once; later components get the same reading."""
    reading = message.get(READING)
    if not isinstance(reading, Reading):
        reading = runtime.understander().read(message.get("text"), runtime.knowledge())
        message.set(READING, reading)
    return reading
