"""Our Facebook pages, by id."""

from __future__ import annotations

from bot.settings import Settings
from channels.facebook.settings import FacebookSettings
from channels.kit.meta.graph import Account
from channels.kit.vendor_http import VendorHttp


def pages(settings: Settings, http: VendorHttp) -> dict[str, Account]:
    """Make an account of the Graph API for each page of the settings."""
    own = settings.of(FacebookSettings)
    return {
        page: Account(page, token, own.app_secret, own.graph_url, http)
        for page, token in own.page_tokens.items()
    }
