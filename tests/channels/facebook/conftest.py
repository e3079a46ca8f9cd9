"""A page, its local Graph API, and the ingress's own routes in front of a real Redis and SQL."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import aiohttp
import pytest
import redis.asyncio
from aiohttp.test_utils import TestClient, TestServer
from vendors.graph_server import APP_SECRET, PAGE, TOKEN, GraphServer, delivery, signed
from vendors.serving import serving

from bot.processes.ingress import make_app
from bot.settings import Settings
from bot.stores import redis_keys
from bot.stores.database import Database
from bot.stores.redis_client import EmbeddedServer
from bot.streams.messages import Inbound
from channels.facebook.receive import FacebookReceiver
from channels.facebook.routes import PATH, RECEIVER
from channels.facebook.settings import FacebookSettings


@pytest.fixture
async def graph() -> AsyncIterator[GraphServer]:
    server = GraphServer()
    async with serving(server):
        yield server


@pytest.fixture
def facebook_settings(
    settings: Settings, graph: GraphServer, redis_server: EmbeddedServer, database: Database
) -> Settings:
    return replace(
        settings,
        database_url=database.engine.url.render_as_string(hide_password=False),
        redis_url=f"unix://{redis_server.socket}",
        max_body_bytes=4096,
    ).with_parts(FacebookSettings(graph.graph_url, APP_SECRET, "verify-me", {PAGE: TOKEN}))


@dataclass
class Hook:
    """Delivers events to the webhook, as Meta does."""

    http: TestClient  # type: ignore[type-arg]
    redis: redis.asyncio.Redis
    shards: int
    receiver: FacebookReceiver

    async def deliver(self, *events: Any) -> aiohttp.ClientResponse:
        return await self.post(delivery(*events))

    async def post(
        self, body: bytes, headers: dict[str, str] | None = None
    ) -> aiohttp.ClientResponse:
        return await self.http.post(
            PATH, data=body, headers=signed(body) if headers is None else headers
        )

    async def kept(self) -> list[Inbound]:
        """What the inbox holds, oldest first."""
        rows = []
        for shard in range(self.shards):
            rows += await self.redis.xrange(redis_keys.inbox(shard))
        rows.sort(key=lambda row: [int(part) for part in row[0].split("-")])
        return [Inbound.from_dict(json.loads(fields["body"])) for _, fields in rows]

    async def recorded(self, kind: str) -> list[dict[str, Any]]:
        """Rows for the recorder of one kind."""
        rows = []
        for shard in range(self.shards):
            for _, fields in await self.redis.xrange(redis_keys.record(shard)):
                rows.append(json.loads(fields["body"]))
        return [row["body"] for row in rows if row["kind"] == kind]


@pytest.fixture
async def hook(
    facebook_settings: Settings, redis: redis.asyncio.Redis, database: Database
) -> AsyncIterator[Hook]:
    app = make_app(facebook_settings)
    async with TestClient(TestServer(app)) as http:
        yield Hook(http, redis, facebook_settings.shards, app[RECEIVER])
