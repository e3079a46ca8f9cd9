"""Removal of files: those past their time, uploads never sent, bytes without a row.

Every housekeeper may run it; the others then have nothing left to do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import sqlalchemy as sa
import structlog
from sqlalchemy.engine import Connection

from bot.files.store import FileStore
from bot.settings import Settings
from bot.stores.database import Database
from bot.stores.set_aside import SetAside
from bot.stores.tables import files
from bot.streams.attachments import FAILED, STORED

LOG = structlog.get_logger(__name__)

EVERY_S = 600.0
DAY_S = 86400.0
UNSENT_S = DAY_S
"""An upload that no message names within this time is deleted."""
BATCH = 200


class FileRemover:
    """Remover of files from the store and their rows."""

    def __init__(self, settings: Settings, database: Database, store: FileStore) -> None:
        self._settings = settings
        self._database = database
        self._store = store
        self.aside = SetAside("file-sweep")

    async def step(self, now: float) -> int:
        """Remove what is due at `now` (Unix seconds); return how many files were removed."""
        at, days = files.c.created_at, self._settings.keep_messages_days
        removed = await self._drop(sa.and_(files.c.message == "", at < now - UNSENT_S))
        if days:
            removed += await self._drop(at < now - days * DAY_S)
        if days := self._settings.keep_files_days:
            removed += await self._expire(sa.and_(at < now - days * DAY_S, files.c.state == STORED))
        removed += await self._drop_orphans(now - UNSENT_S)
        if removed:
            LOG.info("files.swept", files=removed)
        return removed

    async def _drop(self, condition: sa.ColumnElement[bool]) -> int:
        """Delete bytes, then rows; a row left by a crash is found again."""
        return await self._work_off(condition, _delete)

    async def _expire(self, condition: sa.ColumnElement[bool]) -> int:
        """Delete bytes; the row stays, so that the thread shows that there was a file."""
        return await self._work_off(condition, _mark_expired)

    async def _work_off(
        self,
        condition: sa.ColumnElement[bool],
        settle: Callable[[Connection, Sequence[str]], None],
    ) -> int:
        async def work(ids: Sequence[str]) -> None:
            await self._store.delete(ids)
            await self._database.run(lambda c: settle(c, ids))

        count = 0
        while ids := await self._database.read(lambda c: _ids(c, condition, self.aside.ids())):
            count += await self.aside.each(ids, work)
        return count

    async def _drop_orphans(self, before: float) -> int:
        """Delete bytes whose row was never written, or was deleted meanwhile."""
        count = 0
        ids = [id_ for id_ in await self._store.older_than(before) if id_ not in self.aside]
        for batch in (ids[n : n + BATCH] for n in range(0, len(ids), BATCH)):
            orphans = await self._database.read(partial(_without_row, ids=batch))
            count += await self.aside.each(orphans, self._store.delete) if orphans else 0
        return count


def _ids(
    connection: Connection, condition: sa.ColumnElement[bool], aside: Sequence[str]
) -> list[str]:
    query = sa.select(files.c.id).where(condition, files.c.id.not_in(aside)).limit(BATCH)
    return list(connection.execute(query).scalars())


def _without_row(connection: Connection, ids: Sequence[str]) -> list[str]:
    """Return those ids that no row needs."""
    query = sa.select(files.c.id).where(files.c.id.in_(ids), files.c.state != FAILED)
    needed = set(connection.execute(query).scalars())
    return [id_ for id_ in ids if id_ not in needed]


def _delete(connection: Connection, ids: Sequence[str]) -> None:
    connection.execute(sa.delete(files).where(files.c.id.in_(ids)))


def _mark_expired(connection: Connection, ids: Sequence[str]) -> None:
    connection.execute(
        sa.update(files)
        .where(files.c.id.in_(ids))
        .values(state=FAILED, reason="expired", size=0, sha256="")
    )
