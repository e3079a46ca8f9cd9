"""The live content version, as this process knows it, with its index; follows the pointer."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import redis.asyncio
import structlog

from bot.content import versions
from bot.errors import ContentError
from bot.stores import redis_keys
from bot.stores.database import Database
from bot.stores.redis_client import guarded
from bot.stores.set_aside import SetAside
from bot.understanding.service import Knowledge, Understander

LOG = structlog.get_logger(__name__)
WAIT_S = 2.0
POLL_S = 0.25
"""Pause between two checks for another version."""


class Catalog:
    """Holder of one `Knowledge`, replaced as a whole when another version goes live.

    Args:
        holder: Name of this process, under which it reports its content version.
        model: Name of the dialogue model, reported with the version.
    """

    def __init__(
        self,
        understander: Understander,
        database: Database,
        client: redis.asyncio.Redis,
        holder: str,
        model: str = "",
    ) -> None:
        self._understander = understander
        self._database = database
        self._redis = client
        self._holder = holder
        self._model = model
        self._knowledge: Knowledge | None = None
        self.aside = SetAside("content")

    @property
    def knowledge(self) -> Knowledge:
        """Return the knowledge for a whole turn; read it once at the turn's start."""
        if self._knowledge is None:
            raise ContentError(["no content is published yet; run `python -m bot content publish`"])
        return self._knowledge

    async def refresh(self) -> bool:
        """Load the live version if it is another one; return whether it was."""
        number = await self._live()
        if number == 0 or (self._knowledge and self._knowledge.content.number == number):
            return False
        return await self._load(number)

    async def refresh_safely(self) -> None:
        """Load a new live version; keep the present one where it cannot be used."""
        # Reading a key costs less than a subscription, which must survive when Redis dies.
        number = await self._live()
        if number in (0, self._knowledge and self._knowledge.content.number):
            return
        version = f"version {number}"
        if version not in self.aside:
            with self.aside.row(version):
                await self._try(number)

    async def _try(self, number: int) -> None:
        try:
            await self._load(number)
        except ContentError as error:
            LOG.error("content.unreadable", problems=error.problems)
            raise

    async def _load(self, number: int) -> bool:
        content = await self._database.read(lambda c: versions.read(c, number))
        if content is None:
            raise ContentError([f"version {number} is named as live but not stored"])
        self._knowledge = await asyncio.to_thread(
            self._understander.learn, content, self._knowledge
        )
        await self.report()
        LOG.info("content.live", version=number, entries=len(content.entries))
        return True

    async def wait(self) -> None:
        """Return once a version is loaded; without one no message may be handled."""
        while self._knowledge is None:
            if not await self.refresh():
                LOG.warning("content.none", advice="run `python -m bot content publish`")
                await asyncio.sleep(WAIT_S)

    async def report(self) -> None:
        """Report the content version in use, for `content publish` and the health page."""
        if self._knowledge:
            report = json.dumps({"version": self._knowledge.content.number, "model": self._model})
            await guarded(self._redis.hset(redis_keys.CONTENT_READY, self._holder, report))

    async def _live(self) -> int:
        copy: Any = await guarded(self._redis.get(redis_keys.CONTENT_LIVE))
        if copy is not None and self._knowledge is not None:
            return int(copy)
        # At the start SQL is read as well: no process noticed a version published while none ran.
        number = await self._database.read(versions.live_number)
        return await versions.correct(self._redis, number, copy or "") if number else 0
