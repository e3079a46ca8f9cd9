"""Reads the log of events for one connector and hands it over: each event at least once, in order.

What fails is tried again with growing pauses, and holds up what comes after it; after `MOST_TRIES`,
or at once where the other system says that it never will, it becomes a dead letter and the next one
has its turn. Place and tries are in SQL (`rows`), so a restart forgets nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import structlog
from sqlalchemy.engine import Connection

from bot.connectors.base import Connector, Deliver
from bot.connectors.kit import rows
from bot.connectors.kit.rows import Place
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
    """One connector's way through the log; one process at a time may step."""

    def __init__(self, connector: Connector, deliver: Deliver, database: Database) -> None:
        self._connector = connector
        self._deliver = deliver
        self._database = database

    async def step(self, now: float) -> int:
        """Hand over what is new; return how many events were settled.

        Raises:
            StoreUnavailable: A store is away.
            StaleCursor: Another process has stepped meanwhile; what was handed over comes again.
        """
        types = self._connector.types
        settled = await self._deliver_replayed()
        place = await self._place(now)
        if place.due_at > now:
            return settled
        limit = 1 if place.stuck_on else BATCH
        batch = await self._database.read(lambda c: rows.unread(c, place, types, limit))
        if not batch:
            return settled
        if await self._fault(batch) is None:
            await self._write(rows.pass_by, place, batch, now)
            return settled + len(batch)
        return settled + await self._one_by_one(batch, now)

    async def _one_by_one(self, batch: Sequence[StoredEvent], now: float) -> int:
        """Hand over a batch that failed, as far as it goes: one event must not hide another."""
        settled = 0
        for event in batch:
            place = await self._place(now)
            error = await self._fault([event])
            if error is None:
                await self._write(rows.pass_by, place, [event], now)
            elif not await self._give_up(place, event, error, now):
                break
            settled += 1
        return settled

    async def _place(self, now: float) -> Place:
        name = self._connector.name
        while (place := await self._database.read(lambda c: rows.place_of(c, name))) is None:
            await self._database.run(lambda c: rows.begin(c, name, now))
        return place

    async def _give_up(
        self, place: Place, event: StoredEvent, error: DeliveryFailed, now: float
    ) -> bool:
        """Note a failed try; tell whether it was the last."""
        tries = place.tries + 1 if place.stuck_on == event.id else 1
        is_last = error.permanent or tries >= MOST_TRIES
        LOG.warning(
            "connector.refused",
            connector=place.connector,
            id=event.id,
            reason=error.reason,
            tries=tries,
            last=is_last,
        )
        if is_last:
            await self._write(rows.give_up, place, event, error.reason, now)
        else:
            pause = error.retry_after_s or min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** (tries - 1))
            await self._write(rows.try_later, place, event, tries, now + pause)
        return is_last

    async def _deliver_replayed(self) -> int:
        name = self._connector.name
        letters = await self._database.read(lambda c: rows.replayed(c, name))
        for letter, event in letters:
            error = await self._fault([event])
            reason = error.reason if error else ""
            await self._database.run(partial(rows.settle, letter=letter, error=reason))
        return len(letters)

    async def _fault(self, batch: Sequence[StoredEvent]) -> DeliveryFailed | None:
        """Hand a batch over; return what went wrong."""
        try:
            await self._deliver(batch)
        except DeliveryFailed as error:
            return error
        except StoreUnavailable:
            raise  # ours, not theirs
        except Exception as error:
            # A fault in the connector: one event it stumbles over must not stop all others.
            LOG.exception("connector.failed", connector=self._connector.name)
            return DeliveryFailed(type(error).__name__)
        return None

    async def _write(self, work: Callable[..., None], *arguments: Any) -> None:
        def write(connection: Connection) -> None:
            work(connection, *arguments)

        await self._database.run(write)
