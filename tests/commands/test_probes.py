"""What a container platform asks an engine, sender or recorder."""

from __future__ import annotations

import time
from dataclasses import replace

import aiohttp
import pytest
import redis.asyncio
from running import free_port

from bot import health
from bot.errors import ConfigurationError
from bot.processes.probes import serve_probes
from bot.settings import Settings
from bot.stores import redis_keys
from bot.stores.database import Database
from bot.stores.redis_client import connect


async def _status(port: int, path: str) -> int:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{port}{path}") as answer,
    ):
        assert (await answer.json())["process"] == "engine-a"
        return answer.status


async def test_ready_while_it_renews_its_leases_and_live_all_the_time(
    redis: redis.asyncio.Redis,
    settings: Settings,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(health, "KEPT_S", 0.0)
    asked = replace(settings, health_port=free_port())
    async with serve_probes(asked, redis, "engine", "engine-a", database):
        assert await _status(asked.health_port, "/live") == 200
        assert await _status(asked.health_port, "/ready") == 503, "it has not asked for work yet"
        holders = redis_keys.holders("engine")
        await redis.zadd(holders, {"engine-a": time.time() + 60})
        assert await _status(asked.health_port, "/ready") == 200
        await redis.zadd(holders, {"engine-a": time.time() - 1})
        assert await _status(asked.health_port, "/ready") == 503, "it stopped renewing"
        await redis.zadd(holders, {"engine-a": time.time() + 60})
        await redis.config_set("maxmemory", "1")
        try:
            assert await _status(asked.health_port, "/ready") == 503, "Redis takes nothing in"
        finally:
            await redis.config_set("maxmemory", "0")
        assert await _status(asked.health_port, "/ready") == 200
    with pytest.raises(aiohttp.ClientConnectionError):
        await _status(asked.health_port, "/live")


async def test_who_asks_again_and_again_does_not_keep_the_stores_busy(
    redis: redis.asyncio.Redis,
    settings: Settings,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(health, "KEPT_S", 3600.0)
    asked = replace(settings, health_port=free_port())
    await redis.zadd(redis_keys.holders("engine"), {"engine-a": time.time() + 60})
    async with serve_probes(asked, redis, "engine", "engine-a", database):
        assert await _status(asked.health_port, "/ready") == 200
        await redis.delete(redis_keys.HEALTH)
        for _ in range(5):
            assert await _status(asked.health_port, "/ready") == 200
    assert not await redis.exists(redis_keys.HEALTH), "asked for a write once"


async def test_an_outage_of_redis_is_no_reason_to_restart_us(
    settings: Settings, database: Database
) -> None:
    asked = replace(
        settings, health_port=free_port(), redis_url=f"redis://127.0.0.1:{free_port()}/0"
    )
    client = connect(asked)
    async with serve_probes(asked, client, "engine", "engine-a", database):
        assert await _status(asked.health_port, "/live") == 200
        assert await _status(asked.health_port, "/ready") == 503
    await client.aclose()


async def test_two_on_one_port_are_told_apart_by_the_setting(
    redis: redis.asyncio.Redis, settings: Settings, database: Database
) -> None:
    asked = replace(settings, health_port=free_port())
    async with serve_probes(asked, redis, "engine", "engine-a", database):
        with pytest.raises(ConfigurationError, match="HEALTH_PORT"):
            async with serve_probes(asked, redis, "sender", "sender-a", database):
                pass


async def test_without_a_port_nothing_listens(
    redis: redis.asyncio.Redis, settings: Settings, database: Database
) -> None:
    assert settings.health_port == 0
    async with serve_probes(settings, redis, "engine", "engine-a", database):
        pass
