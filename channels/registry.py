"""Which channels this installation can send on."""

from __future__ import annotations

import redis.asyncio

from bot.settings import Settings
from bot.streams.outbox import Client
from channels.facebook.client import FacebookClient
from channels.kit.limits import FACEBOOK, TELEGRAM
from channels.kit.vendor_http import VendorHttp
from channels.rest.client import RestClient
from channels.rest.receive import CHANNEL as REST
from channels.telegram.client import TelegramClient
from channels.webchat.server.client import WebchatClient


def make_clients(settings: Settings, client: redis.asyncio.Redis) -> dict[str, Client]:
    """Make a client for each channel that is on, by the channel's name."""
    clients: dict[str, Client] = {
        "webchat": WebchatClient(client, settings),
        REST: RestClient(settings, client),
    }
    http = VendorHttp()  # one session for all vendors; no connection is made before the first call
    if FACEBOOK not in off(settings):
        clients[FACEBOOK] = FacebookClient(settings, client, http)
    if TELEGRAM not in off(settings):
        clients[TELEGRAM] = TelegramClient(settings, client, http)
    return clients


def off(settings: Settings) -> dict[str, list[str]]:
    """Vendor channels that are off, with the settings they miss."""
    needed: dict[str, dict[str, object]] = {
        FACEBOOK: {
            "FACEBOOK_APP_SECRET": settings.facebook_app_secret,
            "FACEBOOK_VERIFY_TOKEN": settings.facebook_verify_token,
            "FACEBOOK_PAGE_TOKENS": settings.facebook_page_tokens,
        },
        TELEGRAM: {"TELEGRAM_BOTS": settings.telegram_bots},
    }
    missing = {
        channel: [name for name, value in given.items() if not value]
        for channel, given in needed.items()
    }
    return {channel: names for channel, names in missing.items() if names}
