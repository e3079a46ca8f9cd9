"""Typed keys of the application's shared objects."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

import redis.asyncio
from aiohttp import web

from bot.conversation.changes import Changes
from bot.desk.conversation.suggestions import Suggester
from bot.desk.conversation.translating import DeskTranslator
from bot.desk.live.hub import Hub
from bot.desk.topics import Topics
from bot.files.store import FileStore
from bot.handoff.service import HandoffService
from bot.handoff.snooze import Snoozer
from bot.settings import Settings
from bot.stores.database import Database

SETTINGS = web.AppKey("SETTINGS", Settings)
DATABASE = web.AppKey("DATABASE", Database)
REDIS = web.AppKey("REDIS", redis.asyncio.Redis)
SERVICE = web.AppKey("SERVICE", HandoffService)
CHANGES = web.AppKey("CHANGES", Changes)
SECRET = web.AppKey("SECRET", bytes)
HUB = web.AppKey("HUB", Hub)
SNOOZER = web.AppKey("SNOOZER", Snoozer)
SUGGESTER = web.AppKey("SUGGESTER", Suggester)
TRANSLATOR = web.AppKey("TRANSLATOR", DeskTranslator)
FILES = web.AppKey[FileStore]("FILES")
TOPICS = web.AppKey("TOPICS", Topics)
"""What an agent may resolve a conversation as."""
ASSETS = web.AppKey("ASSETS", str)
"""Address of the static files; changes whenever one of them does."""
CHANNELS: web.AppKey[Mapping[str, str]] = web.AppKey("CHANNELS")
"""Channels that customers write by, and what people call them."""
Replay = Callable[[str], Awaitable[None]]
REPLAY: web.AppKey[Replay] = web.AppKey("REPLAY")
"""Puts a dead letter back on its way; without it the list has no button."""
