"""Lock store without locks: the inbox already gives each conversation to one engine.

Rasa's own polls once a second: four quick messages of one customer took three seconds.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from rasa.core.lock import TicketLock
from rasa.core.lock_store import LockStore


class InboxLock(LockStore):
    """Lock store whose locks are always free."""

    def __init__(self, endpoint_config: Any = None) -> None:
        super().__init__()

    @asynccontextmanager
    async def lock(
        self, conversation_id: str, lock_lifetime: float = 60, wait_time_in_seconds: float = 1
    ) -> AsyncIterator[TicketLock]:
        yield TicketLock(conversation_id)

    def get_lock(self, conversation_id: str) -> TicketLock | None:
        return None

    def save_lock(self, lock: TicketLock) -> None:
        """Nothing to save."""

    def delete_lock(self, conversation_id: str) -> None:
        """Nothing to delete."""
