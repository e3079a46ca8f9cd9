"""The ingress and the desk on loopback, for strangers to send bytes to."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest
import redis.asyncio
import uvloop
from aiohttp.test_utils import TestServer
from edge_wire import APP_SECRET, BOT_SECRET, Served

from bot.desk.app import make_app as make_desk
from bot.handoff.service import HandoffService
from bot.processes.ingress import make_app as make_ingress
from bot.settings import Settings
from bot.stores.database import Database
from channels.facebook.settings import FacebookSettings
from channels.telegram.settings import TelegramBot, TelegramSettings


def pytest_asyncio_loop_factories(
    item: pytest.Item,
) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Connections are tested on uvloop too, on which processes run: its transports are others."""
    factories = {"asyncio": asyncio.new_event_loop}
    if item.path.name == "test_connections.py":
        factories["uvloop"] = uvloop.new_event_loop
    return factories


@pytest.fixture
def edge_settings(settings: Settings, redis_url: str, migrated: Path) -> Settings:
    settings.state_dir.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(migrated, settings.state_dir / "samvad.sqlite3")
    return replace(settings, redis_url=redis_url).with_parts(
        FacebookSettings(app_secret=APP_SECRET, verify_token="v", page_tokens={"1": "t"}),
        TelegramSettings(bots={"MelaBot": TelegramBot("1:x", BOT_SECRET)}),
    )


@pytest.fixture
async def ingress(edge_settings: Settings, redis: redis.asyncio.Redis) -> AsyncIterator[Served]:
    app = make_ingress(edge_settings)
    async with TestServer(app) as server:
        yield Served(app, int(server.port or 0))


@pytest.fixture
async def desk(edge_settings: Settings, redis: redis.asyncio.Redis) -> AsyncIterator[Served]:
    database = Database.of(edge_settings)
    service = HandoffService(edge_settings, database, redis)
    app = make_desk(edge_settings, database, redis, service)
    async with TestServer(app) as server:
        yield Served(app, int(server.port or 0))
    database.close()
