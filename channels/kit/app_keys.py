"""Typed keys of objects that all our aiohttp applications have.

Whoever builds the application (bot/processes/ingress.py, a test) puts these in; routes only
read them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
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


Erase = Callable[[str, str], Awaitable[tuple[int, int]]]
"""Erases what is kept about one conversation, given its id and the vendor's name of the customer.

Returns how many rows and entries went. Raises StoreUnavailable: a store is away, or is not done;
nothing or a part is erased, and repeating is safe.
"""

SETTINGS = web.AppKey("settings", Settings)
REDIS = web.AppKey("redis", redis.asyncio.Redis)
DATABASE = web.AppKey("database", Database)
INBOX: web.AppKey[TakesMessages] = web.AppKey("inbox", TakesMessages)
ERASE: web.AppKey[Erase] = web.AppKey("erase")
