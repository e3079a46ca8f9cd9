"""Forgetting by time: customers' words and facts older than the settings allow; docs/storage.md.

On PostgreSQL whole months are dropped (bot.stores.partitions), the rest of a month is deleted row
by row, and so is everything on SQLite. Without a limit nothing is deleted, but partitions are
still made.
"""

from __future__ import annotations

import asyncio
import time

import sqlalchemy as sa
import structlog
from sqlalchemy.engine import Connection

from bot.desk.tables import notes, translations
from bot.errors import StoreUnavailable
from bot.routing.tables import sla_clocks
from bot.settings import Settings
from bot.stores import partitions
from bot.stores.database import Database
from bot.stores.tables import dead_letters, events, messages, survey_answers, trackers
from bot.stores.tasks import goes_on

LOG = structlog.get_logger(__name__)
EVERY_S = 3600
DAY_S = 86400
BATCH = 1000
"""Rows deleted in one transaction: writers wait some 20 ms for it."""

_WORDS = (
    (messages, messages.c.created_at),
    (dead_letters, dead_letters.c.created_at),
    (notes, notes.c.created_at),
)


class Retention:
    """Forgets by time; every housekeeper may, the others find nothing left to do."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings = settings
        self._database = database

    async def run(self) -> None:
        """Look after it until cancelled."""
        while goes_on():
            try:
                await self.step(time.time())
            except StoreUnavailable as error:
                LOG.warning("retention.delayed", reason=str(error))
            except sa.exc.DBAPIError:
                # Such as a role that may not create tables. Rows go to the default partition.
                LOG.exception("retention.failed")
            await asyncio.sleep(EVERY_S)

    async def step(self, now: float) -> int:
        """Prepare partitions and forget what is too old; return the rows and partitions gone."""
        await self._database.run(lambda c: partitions.ensure(c, now))
        gone = 0
        words, facts = self._settings.keep_messages_days, self._settings.keep_events_days
        if words:
            before = now - words * DAY_S
            gone += await self._drop("messages", before)
            for table, column in _WORDS:
                gone += await self._delete(table, column, before)
            gone += await self._delete(
                trackers, trackers.c.updated_at, before, trackers.c.conversation
            )
            # Times of their messages.
            said = translations.c.created_at
            gone += await self._delete(translations, said, before, translations.c.message)
            answered = survey_answers.c.answered_at
            gone += await self._delete(
                survey_answers, answered, before, survey_answers.c.episode_id
            )
        if facts:
            before = now - facts * DAY_S
            gone += await self._drop("events", before)
            gone += await self._delete(events, events.c.occurred_at, before)
            began = sla_clocks.c.started_at
            gone += await self._delete(sla_clocks, began, before, sla_clocks.c.conversation)
        if gone:
            LOG.info("retention.forgot", count=gone)
        return gone

    async def _drop(self, table: str, before: float) -> int:
        return await self._database.run(lambda c: partitions.drop_before(c, table, before))

    async def _delete(
        self,
        table: sa.Table,
        column: sa.Column[float],
        before: float,
        key: sa.Column[str] | None = None,
    ) -> int:
        name = table.c.id if key is None else key

        def work(connection: Connection) -> int:
            old = sa.select(name).where(column < before).order_by(column).limit(BATCH)
            found = connection.execute(sa.delete(table).where(name.in_(old), column < before))
            return found.rowcount

        gone = 0
        while count := await self._database.run(work):
            gone += count
        return gone
