"""Reads that do not take the writers' lock.

`Database.run` begins as a writer, which on SQLite lets one transaction run at a time; the desk
reads far more than it writes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from bot.database import Database
from bot.errors import StoreUnavailable

Result = TypeVar("Result")


async def read(database: Database, work: Callable[[Connection], Result]) -> Result:
    """Run `work` on a thread in one read-only transaction.

    Raises:
        StoreUnavailable: The database is away.
    """
    return await asyncio.to_thread(_call, database, work)


def _call(database: Database, work: Callable[[Connection], Result]) -> Result:
    try:
        with database.engine.execution_options(read_only=True).begin() as connection:
            return work(connection)
    except sa.exc.OperationalError as error:
        raise StoreUnavailable("database", str(error.orig)) from error
