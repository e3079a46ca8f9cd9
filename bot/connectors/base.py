"""Definition of a connector: the events another system gets, and how they are delivered.

A connector is a folder beside this file with `client.py` (calls to the system), `mapping.py` (our
events as its objects) and `connector.py` with `CONNECTOR = Connector(…)`, and a row in
`registry.py`. It runs in a process of its own and never inside a turn: its events are in SQL
already, and a system that is down delays no customer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from bot.events import EventData, StoredEvent


class Deliver(Protocol):
    """Function that delivers events to the other system."""

    async def __call__(self, batch: Sequence[StoredEvent], /) -> None:
        """Deliver a batch, oldest first; return once the other system has all of it.

        An event may come twice (after a crash, or when part of a batch failed), so the other system
        must recognise it by its id.

        Raises:
            DeliveryFailed: `permanent` where trying again cannot help; any other error counts as
                temporary.
        """


@dataclass(frozen=True)
class Connector:
    """Another system that gets events."""

    name: str
    """Lower-case words joined by hyphens, at most 48 characters; its cursor is stored under it."""
    title: str
    """Name of the system."""
    wants: tuple[type[EventData], ...]
    """Types of events it gets."""
    settings: tuple[str, ...]
    """Environment variables it needs; while one is not set, it is off."""
    open: Callable[[Mapping[str, str]], AbstractAsyncContextManager[Deliver]]
    """Opens a client with the values of `settings`, and closes it at the end."""

    @property
    def types(self) -> tuple[str, ...]:
        """Return the names of the event types it gets."""
        return tuple(kind.TYPE for kind in self.wants)

    def values(self, environment: Mapping[str, str]) -> dict[str, str] | None:
        """Return the values of its settings; None while one is missing."""
        values_by_name = {name: environment.get(name, "") for name in self.settings}
        return values_by_name if all(values_by_name.values()) else None
