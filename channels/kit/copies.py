"""Copies of conversations' rows in Redis, for channels that must not read SQL."""

from __future__ import annotations

import json
from typing import Any

import redis.asyncio

from bot.language import codes
from bot.settings import Settings
from bot.stores import redis_keys
from bot.stores.redis_client import guarded


class Copies:
    """Reader of the copies (bot.conversation.changes)."""

    def __init__(self, settings: Settings, client: redis.asyncio.Redis) -> None:
        self._settings = settings
        self._redis = client

    async def of(self, conversation: str) -> dict[str, Any]:
        """Fields of `bot.conversation.store.Conversation`; empty if there is no copy."""
        shard = redis_keys.shard_of(conversation, self._settings.shards)
        copy = await guarded(self._redis.get(redis_keys.owner(shard, conversation)))
        return dict(json.loads(copy)) if copy else {}

    async def language(self, conversation: str, locale: str) -> str:
        """Language to speak on the customer's behalf: the conversation's, else the app's."""
        spoken = str((await self.of(conversation)).get("language", ""))
        reported = spoken or codes.normalise(locale)
        return reported if reported in self._settings.languages else self._settings.default_language
