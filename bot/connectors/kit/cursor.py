"""Cursor of a connector: reads the event log and delivers each event at least once, in order.

An event that fails is tried again with growing pauses, and later ones wait; after `MOST_TRIES`, or
at once where the other system refuses it for good, it becomes a dead letter and the next event
follows. Position and tries are in SQL (`rows`), so a restart loses nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import structlog
from sqlalchemy.engine import Connection

from bot.connectors.base import Connector, Deliver
from bot.connectors.kit import rows
from bot.connectors.kit.rows import Position
from bot.errors import DeliveryFailed, StoreUnavailable
from bot.events import StoredEvent
from bot.stores.database import Database

LOG = structlog.get_logger(__name__)
BATCH = 100
MOST_TRIES = 12
"""With doubling pauses an event is tried for a little over half an hour."""
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 600.0


class Cursor:
    """Cursor of one connector; one process at a time may call `step`."""

    def __init__(self, connector: Connector, deliver: Deliver, database: Database) -> None:
        self._connector = connector
        self._deliver = deliver
        self._database = database

    async def step(self, now: float) -> int:
        """Deliver new events; return how many were settled.

        Raises:
            StoreUnavailable: A store is down.
            StaleCursor: Another process has stepped meanwhile; delivered events come again.
        """
        types = self._connector.types
        settled = await self._deliver_replayed()
        position = await self._position(now)
        if position.due_at > now:
            return settled
        limit = 1 if position.stuck_on else BATCH
        batch = await self._database.read(lambda c: rows.unread(c, position, types, limit))
        if not batch:
            return settled
        if await self._try_deliver(batch) is None:
            await self._write(rows.mark_delivered, position, batch, now)
            return settled + len(batch)
        return settled + await self._deliver_singly(batch, now)

    async def _deliver_singly(self, batch: Sequence[StoredEvent], now: float) -> int:
        """Deliver the events of a failed batch singly, up to the first that must be tried again."""
        settled = 0
        for event in batch:
            position = await self._position(now)
            error = await self._try_deliver([event])
            if error is None:
                await self._write(rows.mark_delivered, position, [event], now)
            elif not await self._give_up(position, event, error, now):
                break
            settled += 1
        return settled

    async def _position(self, now: float) -> Position:
        name = self._connector.name
        while (position := await self._database.read(lambda c: rows.position_of(c, name))) is None:
            await self._database.run(lambda c: rows.begin(c, name, now))
        return position

    async def _give_up(
        self, position: Position, event: StoredEvent, error: DeliveryFailed, now: float
    ) -> bool:
        """Note a failed try; tell whether it was the last."""
        tries = position.tries + 1 if position.stuck_on == event.id else 1
        is_last = error.permanent or tries >= MOST_TRIES
        LOG.warning(
            "connector.refused",
            connector=position.connector,
            id=event.id,
            reason=error.reason,
            tries=tries,
            last=is_last,
        )
        if is_last:
            await self._write(rows.give_up, position, event, error.reason, now)
        else:
            pause = error.retry_after_s or min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** (tries - 1))
            await self._write(rows.try_later, position, event, tries, now + pause)
        return is_last

    async def _deliver_replayed(self) -> int:
        name = self._connector.name
        letters = await self._database.read(lambda c: rows.replayed(c, name))
        for letter, event in letters:
            error = await self._try_deliver([event])
            reason = error.reason if error else ""
            await self._database.run(partial(rows.settle, letter=letter, error=reason))
        return len(letters)

    async def _try_deliver(self, batch: Sequence[StoredEvent]) -> DeliveryFailed | None:
        """Deliver a batch; return the error, or None."""
        try:
            await self._deliver(batch)
        except DeliveryFailed as error:
            return error
        except StoreUnavailable:
            raise  # a fault of our store, not of the other system
        except Exception as error:
            # A fault in the connector: one event that fails must not stop the others.
            LOG.exception("connector.failed", connector=self._connector.name)
            return DeliveryFailed(type(error).__name__)
        return None

    async def _write(self, work: Callable[..., None], *arguments: Any) -> None:
        def write(connection: Connection) -> None:
            work(connection, *arguments)

        await self._database.run(write)
