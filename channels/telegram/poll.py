"""`python -m bot telegram poll`: fetches updates where Telegram cannot reach us.

An update is confirmed to Telegram only after it is in the inbox, so none is lost; one fetched
twice is kept once.
"""

from __future__ import annotations

import argparse
import asyncio
from typing import Any

import redis.asyncio
import structlog

from bot.errors import ConfigurationError, DeliveryFailed, SamvadError, StoreUnavailable
from bot.settings import Settings
from bot.stores import redis_client
from bot.stores.tasks import not_cancelled
from bot.streams.inbox import Inbox
from channels.kit.reading import number_at, objects_at, text_at
from channels.kit.vendor_http import VendorHttp
from channels.telegram.api import BotApi
from channels.telegram.payload import ALLOWED_UPDATES
from channels.telegram.receive import TelegramReceiver
from channels.telegram.settings import TelegramBot, TelegramSettings

LOG = structlog.get_logger(__name__)
WAIT_S = 25
"""Seconds Telegram holds a request open while there is nothing new."""
PAUSE_S = 2.0


class Poller:
    """Fetches one bot's updates."""

    def __init__(
        self, name: str, bot: TelegramBot, api: BotApi, receiver: TelegramReceiver
    ) -> None:
        self._name = name
        self._bot = bot
        self._api = api
        self._receiver = receiver
        self._next = 0

    async def step(self, wait_s: int = WAIT_S) -> int:
        """Fetch once; return how many updates were kept.

        Raises:
            DeliveryFailed: Telegram did not answer, or a webhook is set (`conflict`).
            StoreUnavailable: The inbox is away; what is not kept is fetched again.
        """
        answer: Any = await self._api.call(
            "getUpdates",
            offset=self._next,
            timeout=wait_s,
            allowed_updates=list(ALLOWED_UPDATES),
            timeout_s=wait_s + 10.0,
        )
        updates = objects_at({"updates": answer}, "updates")
        for update in updates:
            callback = await self._receiver.handle(self._name, self._bot, update)
            self._next = max(self._next, (number_at(update, "update_id") or 0) + 1)
            if callback:
                await self._answer(callback)
        return len(updates)

    async def run(self) -> None:
        """Fetch until cancelled."""
        while not_cancelled():
            try:
                await self.step()
            except (DeliveryFailed, StoreUnavailable) as error:
                LOG.warning("telegram.poll", bot=self._name, reason=str(error))
                after = getattr(error, "retry_after_s", None)
                await asyncio.sleep(after or PAUSE_S)

    async def _answer(self, callback: str) -> None:
        """Stop the button's spinning; an old one may no longer be answered."""
        try:
            await self._api.call("answerCallbackQuery", callback_query_id=callback)
        except DeliveryFailed as error:
            LOG.info("telegram.callback", reason=error.reason)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add `--replace-webhook`."""
    parser.add_argument(
        "--replace-webhook", action="store_true", help="take updates from a webhook"
    )


async def run(settings: Settings, *, replace_webhook: bool = False) -> list[str]:
    """Fetch updates of all bots until cancelled.

    Raises:
        ConfigurationError: There is no bot.
        SamvadError: A webhook is set, and we were not told to take its place.
    """
    own = settings.of(TelegramSettings)
    if not own.bots:
        raise ConfigurationError("TELEGRAM_BOTS", "is empty, so Telegram is off")
    client: redis.asyncio.Redis = redis_client.connect(settings)
    http = VendorHttp()
    receiver = TelegramReceiver(settings, client, Inbox(client, settings.shards))
    try:
        pollers = []
        for name, bot in own.bots.items():
            api = BotApi(own.api_url, bot, http)
            await _free(name, api, replace_webhook)
            pollers.append(Poller(name, bot, api, receiver))
        await asyncio.gather(*(poller.run() for poller in pollers))
        return []
    finally:
        await http.aclose()
        await client.aclose()


async def _free(name: str, api: BotApi, replace_webhook: bool) -> None:
    """Make sure no webhook takes the updates, without taking them from a running service."""
    try:
        info = await api.call("getWebhookInfo")
        url = text_at(info if isinstance(info, dict) else {}, "url", 300)
        if url and not replace_webhook:
            raise SamvadError(
                f"bot {name} delivers to {url}; `--replace-webhook` takes its updates from there"
            )
        if url:
            await api.call("deleteWebhook")
    except DeliveryFailed as error:
        raise SamvadError(f"bot {name}: the Bot API answered “{error.reason}”") from None
