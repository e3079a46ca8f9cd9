"""Retention: deletes customers' words and facts older than the settings allow; docs/storage.md.

On PostgreSQL whole months are dropped (bot.stores.partitions) and the rest of a month is deleted
row by row, as everything is on SQLite. Without a limit nothing is deleted, but partitions are still
created.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import sqlalchemy as sa
import structlog
from sqlalchemy.engine import Connection

from bot.desk.tables import notes, translations
from bot.errors import StoreUnavailable
from bot.routing.tables import sla_clocks
from bot.settings import Settings
from bot.stores import partitions
from bot.stores.database import Database
from bot.stores.set_aside import SetAside
from bot.stores.tables import dead_letters, events, messages, survey_answers, trackers

LOG = structlog.get_logger(__name__)
EVERY_S = 3600.0
DAY_S = 86400
BATCH = 1000
"""Rows deleted in one transaction; writers wait some 20 ms for it."""

_WORDS = (
    (messages, messages.c.created_at),
    (dead_letters, dead_letters.c.created_at),
    (notes, notes.c.created_at),
)


class Retention:
    """Deleter of old rows; every housekeeper may run it, the others then find none."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings = settings
        self._database = database
        self.aside = SetAside("retention")

    async def step(self, now: float) -> int:
        """Create partitions and delete what is too old; return the rows and partitions deleted."""
        with self.aside.row("partitions"):
            # Such as a role that may not create tables. Rows go to the default partition.
            await self._database.run(lambda c: partitions.create_missing(c, now))
        deleted = 0
        words, facts = self._settings.keep_messages_days, self._settings.keep_events_days
        if words:
            before = now - words * DAY_S
            deleted += await self._drop("messages", before)
            for table, column in _WORDS:
                deleted += await self._delete(table, column, before)
            deleted += await self._delete(
                trackers, trackers.c.updated_at, before, trackers.c.conversation
            )
            # Their `created_at` is the message's.
            message_time = translations.c.created_at
            deleted += await self._delete(
                translations, message_time, before, translations.c.message
            )
            answer_time = survey_answers.c.answered_at
            deleted += await self._delete(
                survey_answers, answer_time, before, survey_answers.c.episode_id
            )
        if facts:
            before = now - facts * DAY_S
            deleted += await self._drop("events", before)
            deleted += await self._delete(events, events.c.occurred_at, before)
            clock_start = sla_clocks.c.started_at
            deleted += await self._delete(
                sla_clocks, clock_start, before, sla_clocks.c.conversation
            )
        if deleted:
            LOG.info("retention.forgot", count=deleted)
        return deleted

    async def _drop(self, table: str, before: float) -> int:
        dropped = 0
        with self.aside.row(f"partitions of {table}"):
            dropped = await self._database.run(lambda c: partitions.drop_before(c, table, before))
        return dropped

    async def _delete(
        self,
        table: sa.Table,
        column: sa.Column[float],
        before: float,
        key: sa.Column[str] | None = None,
    ) -> int:
        """Delete a table's rows from before a moment, one batch per transaction."""
        name: sa.Column[str] = table.c.id if key is None else key
        deleted = 0
        with self.aside.row(table.name):
            while count := await self._delete_some(table, name, column < before, column):
                deleted += count
        return deleted

    async def _delete_some(
        self,
        table: sa.Table,
        name: sa.Column[str],
        is_old: sa.ColumnElement[bool],
        order: sa.Column[float],
    ) -> int:
        odd = [
            row.partition("/")[2] for row in self.aside.ids() if row.startswith(f"{table.name}/")
        ]
        old = sa.select(name).where(is_old, name.not_in(odd)).order_by(order).limit(BATCH)

        def delete(connection: Connection) -> int:
            return connection.execute(sa.delete(table).where(name.in_(old), is_old)).rowcount

        try:
            return await self._database.run(delete)
        except StoreUnavailable:
            raise
        except Exception:
            # One of them cannot be deleted; it must not stop the others.
            keys = await self._database.read(lambda c: c.execute(old).scalars().all())
            return await self._delete_singly(table, name, is_old, sorted(set(keys)))

    async def _delete_singly(
        self,
        table: sa.Table,
        name: sa.Column[str],
        is_old: sa.ColumnElement[bool],
        keys: Sequence[str],
    ) -> int:
        def delete(connection: Connection, key: str) -> int:
            return connection.execute(sa.delete(table).where(name == key, is_old)).rowcount

        deleted = 0
        for key in keys:
            with self.aside.row(f"{table.name}/{key}"):
                deleted += await self._database.run(partial(delete, key=key))
        return deleted
