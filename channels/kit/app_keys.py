"""What every aiohttp application of ours carries, under typed keys.

Whoever builds the application (bot/processes/ingress.py, a test) puts these in; routes only
read them.
"""

from __future__ import annotations

from typing import Protocol

import redis.asyncio
from aiohttp import web

from bot.settings import Settings
from bot.stores.database import Database
from bot.streams.messages import Inbound


class TakesMessages(Protocol):
    """The part of `bot.streams.inbox.Inbox` that routes need."""

    async def accept(self, inbound: Inbound) -> bool:
        """Keep a message; False when it was taken before.

        Raises:
            StoreUnavailable: Nothing was kept.
        """
        ...


SETTINGS = web.AppKey("settings", Settings)
REDIS = web.AppKey("redis", redis.asyncio.Redis)
DATABASE = web.AppKey("database", Database)
INBOX: web.AppKey[TakesMessages] = web.AppKey("inbox", TakesMessages)
