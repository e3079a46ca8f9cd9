from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from aiohttp.test_utils import TestClient, TestServer
from playwright.async_api import Browser
from webchat_shop import Shop, open_shop
from webchat_visit import Visit, answer, visiting

from bot.stores.redis_client import EmbeddedServer


@pytest.fixture(scope="session")
def redis_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("webchat")


@pytest.fixture(scope="session")
def redis_server(redis_dir: Path) -> Iterator[EmbeddedServer]:
    server = EmbeddedServer(redis_dir)
    assert server.acquire()
    server.start()
    yield server
    server.stop()


@pytest.fixture
async def shop(redis_dir: Path, redis_server: EmbeddedServer) -> AsyncIterator[Shop]:
    made = open_shop(redis_dir, redis_server)
    await made.redis.flushall()
    yield made
    await made.redis.aclose()
    made.engine.database.close()
    (redis_dir / "samvad.sqlite3").unlink()


@pytest.fixture
async def client(shop: Shop) -> AsyncIterator[TestClient]:
    async with TestClient(TestServer(shop.app)) as client:
        yield client


@pytest.fixture
async def visit(shop: Shop, browser: Browser) -> AsyncIterator[Visit]:
    """The shop in English, the chat not opened yet."""
    shop.engine.script = answer
    async with visiting(shop, browser) as visit:
        yield visit
