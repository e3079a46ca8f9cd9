"""A bot, its local Bot API, and the ingress's own routes in front of a real Redis."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace

import aiohttp
import pytest
import redis.asyncio
from aiohttp.test_utils import TestClient, TestServer
from vendors.serving import serving
from vendors.telegram_server import TOKEN, BotApiServer

from bot.processes.ingress import make_app
from bot.settings import Settings
from bot.stores import redis_keys
from bot.stores.redis_client import EmbeddedServer
from bot.streams.messages import Inbound
from channels.telegram.routes import SECRET_HEADER
from channels.telegram.settings import TelegramBot, TelegramSettings

SECRET = "s3cret_-A"
WEBHOOK = "/webhooks/telegram/MelaBot/webhook"


@pytest.fixture
async def bot_api() -> AsyncIterator[BotApiServer]:
    server = BotApiServer()
    async with serving(server):
        yield server


@pytest.fixture
def telegram_settings(
    settings: Settings, bot_api: BotApiServer, redis_server: EmbeddedServer
) -> Settings:
    return replace(
        settings,
        redis_url=f"unix://{redis_server.socket}",
        max_body_bytes=4096,
    ).with_parts(TelegramSettings(bot_api.url, {"MelaBot": TelegramBot(TOKEN, SECRET)}))


@dataclass
class Hook:
    """Delivers updates to the webhook, as Telegram does."""

    http: TestClient  # type: ignore[type-arg]
    redis: redis.asyncio.Redis
    shards: int
    bot_api: BotApiServer
    path: str = WEBHOOK
    headers: dict[str, str] = field(default_factory=lambda: {SECRET_HEADER: SECRET})

    async def deliver(self, update: object) -> aiohttp.ClientResponse:
        body = update if isinstance(update, bytes) else json.dumps(update).encode()
        answer = await self.http.post(self.path, data=body, headers=self.headers)
        if answer.status == 200:
            self.bot_api.run_answer(await answer.read())
        return answer

    async def kept(self) -> list[Inbound]:
        """What the inbox holds, oldest first within a conversation."""
        rows = []
        for shard in range(self.shards):
            rows += await self.redis.xrange(redis_keys.inbox(shard))
        rows.sort(key=lambda row: [int(part) for part in row[0].split("-")])
        return [Inbound.from_dict(json.loads(fields["body"])) for _, fields in rows]


@pytest.fixture
async def hook(
    telegram_settings: Settings, redis: redis.asyncio.Redis, bot_api: BotApiServer
) -> AsyncIterator[Hook]:
    async with TestClient(TestServer(make_app(telegram_settings))) as http:
        yield Hook(http, redis, telegram_settings.shards, bot_api)
