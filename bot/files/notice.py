"""Tell a customer that a file of theirs did not reach anybody: they think an agent has it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import redis.asyncio

from bot.content.texts import SystemTexts
from bot.conversation import store
from bot.settings import Settings
from bot.stores.database import Database
from bot.streams import delivery
from bot.streams.messages import Outbound

UTTER = "utter_file_refused"


class Notice:
    """Says it through the outbox, once for each file."""

    def __init__(self, settings: Settings, database: Database, client: redis.asyncio.Redis) -> None:
        self._settings = settings
        self._database = database
        self._redis = client
        self._texts = SystemTexts.load(settings.default_language)

    async def refused(self, row: Mapping[str, Any]) -> None:
        """Say it.

        Args:
            row: Of the table `files`.

        Raises:
            StoreUnavailable: It was not said; saying it again is safe.
        """
        found = await self._database.read(lambda c: store.get(c, row["conversation"]))
        if found is None or found.blocked:
            return
        limit = self._settings.max_file_bytes // (1024 * 1024) or 1
        words = Outbound(
            id=f"{row['id']}-refused",
            conversation=found.id,
            channel=found.channel,
            account=found.account,
            vendor_user=found.vendor_user,
            text=self._texts.render(UTTER, found.language, file=row["name"], limit=limit),
            author="automatic",
            language=self._texts.language_for(UTTER, found.language),
            utter=UTTER,
            in_reply_to=row["message"],
            created_at=time.time(),
            state=found.state.value,
        )
        await delivery.send(self._redis, self._settings.shards, words, episode_id=found.episode_id)
