"""A connector that writes down what it hears; it follows docs/extending.md."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from bot.connectors.base import Connector, Deliver
from bot.errors import DeliveryFailed
from bot.events import AnswerSent, ConversationResolved, StoredEvent


@dataclass
class Elsewhere:
    """The other system."""

    heard: list[str] = field(default_factory=list)
    """Ids of events, in the order in which they were taken."""
    away: bool = False
    poisoned: frozenset[str] = frozenset()
    """Ids of events on which its client stumbles."""
    refused: frozenset[str] = frozenset()
    """Ids of events that it will never take."""
    calls: int = 0
    open: bool = False

    async def take(self, batch: Sequence[StoredEvent], /) -> None:
        self.calls += 1
        if self.away:
            raise DeliveryFailed("away")
        for event in batch:
            if event.id in self.poisoned:
                raise KeyError(event.id)
            if event.id in self.refused:
                raise DeliveryFailed("unknown-field", permanent=True)
            self.heard.append(event.id)

    def connector(self) -> Connector:
        @asynccontextmanager
        async def opened(values: Mapping[str, str]) -> AsyncIterator[Deliver]:
            assert values == {"ELSEWHERE_KEY": "secret"}
            self.open = True
            try:
                yield self.take
            finally:
                self.open = False

        return Connector(
            name="elsewhere",
            title="Elsewhere",
            wants=(AnswerSent, ConversationResolved),
            settings=("ELSEWHERE_KEY",),
            open=opened,
        )
