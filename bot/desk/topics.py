"""Topics that agents choose from: those of the live content version, and `other`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, overload

import redis.asyncio
from sqlalchemy.engine import Connection

from bot.content import versions
from bot.stores import redis_keys
from bot.stores.database import Database
from bot.stores.redis_client import guarded

OTHER = "other"
EVERY_S = 1.0
"""Between looks at what editors published."""


class Topics(Sequence[str]):
    """The topics in order, `other` last; changes as a whole when another version goes live."""

    def __init__(self, database: Database, client: redis.asyncio.Redis) -> None:
        self._database = database
        self._redis = client
        self._number = 0
        self._names: tuple[str, ...] = (OTHER,)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...
    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        return self._names[index]

    def __len__(self) -> int:
        return len(self._names)

    async def refresh(self) -> None:
        """Read the topics again if another version is live.

        Raises:
            StoreUnavailable: A store is away; the topics stay as they are.
        """
        mirrored: Any = await guarded(self._redis.get(redis_keys.CONTENT_LIVE))
        # At the start SQL is asked as well: who published while nothing ran told nobody.
        if mirrored is not None and int(mirrored) == self._number:
            return

        def work(connection: Connection) -> tuple[int, tuple[str, ...]]:
            number = versions.live_number(connection)
            return number, versions.topics(connection, number) if number != self._number else ()

        number, names = await self._database.read(work)
        if number != self._number:
            self._number = number
            self._names = (*(name for name in names if name != OTHER), OTHER)
