"""What a connector is: which events another system wants to hear of, and how they reach it.

A connector is a folder beside this file with `client.py` (calls to the system), `mapping.py` (our
events as its objects) and `connector.py` with `CONNECTOR = Connector(…)`, and a row in
`registry.py`. It runs in a process of its own and never inside a turn: what it hears lies in SQL
already, and a system that is away makes no customer wait.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from bot.events import EventData, StoredEvent


class Deliver(Protocol):
    """How events are handed over."""

    async def __call__(self, batch: Sequence[StoredEvent], /) -> None:
        """Hand over a batch, the oldest first; return once the other system has all of it.

        An event may come twice (after a crash, or when a batch failed half way), so the other
        system must know it again by its id.

        Raises:
            DeliveryFailed: `permanent` where trying again cannot help; any other error counts as
                one that may pass.
        """


@dataclass(frozen=True)
class Connector:
    """Another system that hears of events."""

    name: str
    """Lower-case words joined by hyphens, at most 48; names its cursor for ever."""
    title: str
    """The system's own name."""
    wants: tuple[type[EventData], ...]
    """Types of events it gets; no other is read for it."""
    settings: tuple[str, ...]
    """Names in the environment that it needs; while one is not set, it is off."""
    open: Callable[[Mapping[str, str]], AbstractAsyncContextManager[Deliver]]
    """Opens a client with the values of `settings`, and closes it in the end."""

    @property
    def types(self) -> tuple[str, ...]:
        """Names of the types it wants."""
        return tuple(kind.TYPE for kind in self.wants)

    def values(self, environment: Mapping[str, str]) -> dict[str, str] | None:
        """Its settings; None while one is missing."""
        found = {name: environment.get(name, "") for name in self.settings}
        return found if all(found.values()) else None
