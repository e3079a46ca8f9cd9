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
"""Another version is noticed within this time."""


class Catalog:
    """Holds one `Knowledge` and replaces it as a whole when another version goes live.

    Args:
        holder: Name of this process, under which it reports what it answers from.
        model: Name of the dialogue model in use, reported beside the version.
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
        """The version to use for a whole turn; take it once at the turn's start."""
        if self._knowledge is None:
            raise ContentError(["no content is published yet; run `python -m bot content publish`"])
        return self._knowledge

    async def refresh(self) -> bool:
        """Load the live version if it is another one; return whether it was."""
        number = await self._live()
        if number == 0 or (self._knowledge and self._knowledge.content.number == number):
            return False
        return await self._load(number)

    async def look(self) -> None:
        """Keep up with the pointer; a version that cannot be used leaves the one in use."""
        # Asking for a local key costs less than the care a subscription needs when Redis dies.
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
        """Return once there is a version to answer from; without one no message may be touched."""
        while self._knowledge is None:
            if not await self.refresh():
                LOG.warning("content.none", advice="run `python -m bot content publish`")
                await asyncio.sleep(WAIT_S)

    async def report(self) -> None:
        """Tell `content publish` and the health page which version we answer from."""
        if self._knowledge:
            report = json.dumps({"version": self._knowledge.content.number, "model": self._model})
            await guarded(self._redis.hset(redis_keys.CONTENT_READY, self._holder, report))

    async def _live(self) -> int:
        mirrored: Any = await guarded(self._redis.get(redis_keys.CONTENT_LIVE))
        if mirrored is not None and self._knowledge is not None:
            return int(mirrored)
        # At the start SQL is asked as well: nobody heard of a version published while nothing ran.
        number = await self._database.read(versions.live_number)
        return await versions.correct(self._redis, number, mirrored or "") if number else 0
