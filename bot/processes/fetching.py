"""Fetcher of customers' files, run in the sender's process."""

from __future__ import annotations

import redis.asyncio

from bot.files.fetch import Fetcher
from bot.files.store import store_of
from bot.handoff.notices import Notices
from bot.settings import Settings
from bot.stores.database import Database
from channels import registry


def make_fetcher(settings: Settings, database: Database, client: redis.asyncio.Redis) -> Fetcher:
    """Create the fetcher for the channels that are on."""
    tell = Notices(settings, database, client).file_refused
    vendors = registry.make_files(settings)
    return Fetcher(settings, database, client, store_of(settings), vendors, tell)
