"""Names and locales of customers, requested beside their messages, where the page may.

The name goes to SQL, where a customer's data is erased in one place; Redis holds the locale.
"""

from __future__ import annotations

import asyncio
import contextlib
import re

import redis.asyncio
import sqlalchemy as sa
import structlog

from bot.errors import DeliveryFailed, StoreUnavailable
from bot.settings import Settings
from bot.stores import redis_keys
from bot.stores.database import Database
from bot.stores.redis_client import guarded
from bot.stores.tables import customers
from channels.facebook.pages import pages
from channels.facebook.payload import Event
from channels.kit.meta.graph import Account
from channels.kit.reading import NAME_CHARS, id_at, text_at
from channels.kit.vendor_http import VendorHttp

LOG = structlog.get_logger(__name__)
AT_ONCE = 8
"""Profiles asked for at the same time; others are asked for with their next message."""
TIMEOUT_S = 5.0
AGAIN_S = 600
"""Seconds before a profile is asked for again that could not be had."""
UNKNOWN = "-"
_LOCALE = re.compile(r"[a-z]{2,3}_[A-Z]{2}")


class Profiles:
    """Requests profiles in tasks of its own; close it to end them."""

    def __init__(
        self,
        settings: Settings,
        client: redis.asyncio.Redis,
        database: Database,
        http: VendorHttp,
    ) -> None:
        self._shards = settings.shards
        self._redis = client
        self._database = database
        self._pages = pages(settings, http)
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def key(self, conversation: str) -> str:
        """Where the locale stands; `-` when it cannot be known."""
        return redis_keys.seen(
            redis_keys.shard_of(conversation, self._shards), f"profile-{conversation}"
        )

    def ask(self, event: Event) -> None:
        """Ask for a profile, without waiting for it."""
        if event.conversation in self._tasks or len(self._tasks) >= AT_ONCE:
            return
        task = asyncio.create_task(self._ask(event))
        self._tasks[event.conversation] = task
        task.add_done_callback(lambda _: self._tasks.pop(event.conversation, None))

    async def settled(self) -> None:
        """Wait for what is under way."""
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def aclose(self) -> None:
        """End what is under way."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _ask(self, event: Event) -> None:
        try:
            name, locale = await self._read(self._pages[event.page], event.user)
            if name or locale:
                changed = await self._database.run(
                    lambda c: (
                        c.execute(
                            sa.update(customers)
                            .where(customers.c.id == f"c-{event.conversation}")
                            .values(name=name, locale=locale)
                        ).rowcount
                    )
                )
                if not changed:
                    return  # their first message is not handled yet; the next one asks again
            await self._keep(event, locale or UNKNOWN, redis_keys.SEEN_TTL_S)
        except DeliveryFailed as error:
            LOG.info("profile.unknown", conversation=event.conversation, reason=error.reason)
            with contextlib.suppress(StoreUnavailable):
                await self._keep(event, UNKNOWN, AGAIN_S)
        except StoreUnavailable as error:
            LOG.info("profile.unknown", conversation=event.conversation, reason=str(error))

    async def _keep(self, event: Event, locale: str, for_s: int) -> None:
        await guarded(self._redis.set(self.key(event.conversation), locale, ex=for_s))

    @staticmethod
    async def _read(page: Account, user: str) -> tuple[str, str]:
        """Name and locale; what the page may not know is empty."""
        for fields in ("first_name,last_name,locale", "first_name,last_name"):
            try:
                answer = await page.get(user, {"fields": fields}, TIMEOUT_S)
            except DeliveryFailed as error:
                if not error.permanent:
                    raise
                continue
            parts = (text_at(answer, part, NAME_CHARS) for part in ("first_name", "last_name"))
            locale = id_at(answer, "locale")
            return " ".join(filter(None, parts))[:256], (
                locale if _LOCALE.fullmatch(locale) else ""
            )
        return "", ""
