"""Where each vendor has its customers' files; the sender's process fetches them."""

from __future__ import annotations

from dataclasses import dataclass

import redis.asyncio

from bot.errors import DeliveryFailed
from bot.files.addresses import Hosts
from bot.files.fetch import Fetcher, FetchFailed, Vendor
from bot.files.store import store_of
from bot.handoff.notices import Notices
from bot.settings import Settings
from bot.stores.database import Database
from channels.kit.limits import FACEBOOK, TELEGRAM
from channels.kit.vendor_http import VendorHttp
from channels.registry import off
from channels.telegram.api import BotApi


def make_fetcher(settings: Settings, database: Database, client: redis.asyncio.Redis) -> Fetcher:
    """Make the worker for the channels that are on."""
    vendors: dict[str, Vendor] = {}
    if FACEBOOK not in off(settings):
        vendors[FACEBOOK] = FacebookFiles(Hosts(settings.facebook_graph_url, settings.file_hosts))
    if TELEGRAM not in off(settings):
        vendors[TELEGRAM] = TelegramFiles(settings, VendorHttp())
    tell = Notices(settings, database, client).file_refused
    return Fetcher(settings, database, client, store_of(settings), vendors, tell)


@dataclass(frozen=True)
class FacebookFiles:
    """Messenger's messages name addresses of Meta's content network."""

    hosts: Hosts

    async def address(self, account: str, at: str) -> str:
        return at

    async def aclose(self) -> None:
        """Nothing is open."""


class TelegramFiles:
    """Telegram's messages name file ids; the Bot API gives a path for an hour."""

    def __init__(self, settings: Settings, http: VendorHttp) -> None:
        self.hosts = Hosts(settings.telegram_api_url)
        self._http = http
        self._bots = {name: BotApi(settings, b, http) for name, b in settings.telegram_bots.items()}

    async def address(self, account: str, at: str) -> str:
        api = self._bots.get(account)
        if api is None:
            raise FetchFailed("not-found", permanent=True)
        try:
            return await api.file_address(at)
        except DeliveryFailed as error:
            reasons = {"too-large": "too-large", "refused": "not-found"}
            reason = reasons.get(error.reason, "unreachable")
            raise FetchFailed(reason, permanent=error.permanent) from None

    async def aclose(self) -> None:
        """Close the session to the Bot API."""
        await self._http.aclose()
