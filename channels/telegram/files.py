"""Customers' files at Telegram, whose messages have ids; the Bot API gives paths for an hour."""

from __future__ import annotations

from bot.errors import DeliveryFailed
from bot.files.addresses import Hosts
from bot.files.fetch import FetchFailed
from bot.settings import Settings
from channels.kit.vendor_http import VendorHttp
from channels.telegram.api import bots
from channels.telegram.settings import TelegramSettings


class TelegramFiles:
    """Finder of files of Telegram's customers."""

    def __init__(self, settings: Settings) -> None:
        self.hosts = Hosts(settings.of(TelegramSettings).api_url)
        self._http = VendorHttp()
        self._bots = bots(settings, self._http)

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
