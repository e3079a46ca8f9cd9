from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
import redis.asyncio
from files_bench import AnyVendor, Bench, Cdn
from vendors.serving import serving

from bot.files.addresses import Hosts
from bot.files.fetch import Fetcher
from bot.files.store import store_of
from bot.settings import Settings
from bot.stores.database import Database


@pytest.fixture
async def cdn() -> AsyncIterator[Cdn]:
    server = Cdn()
    async with serving(server):
        yield server
        server.over.set()


@pytest.fixture
async def bench(
    settings: Settings, database: Database, redis: redis.asyncio.Redis, cdn: Cdn
) -> AsyncIterator[Bench]:
    chosen = replace(settings, max_file_bytes=1_000_000)
    store, told = store_of(chosen), []
    vendor = AnyVendor(Hosts(cdn.url))

    async def tell(row: Mapping[str, Any]) -> None:
        told.append(row)

    fetcher = Fetcher(chosen, database, redis, store, {"rest": vendor}, tell)
    yield Bench(chosen, database, store, fetcher, vendor, told)
    await fetcher.aclose()
