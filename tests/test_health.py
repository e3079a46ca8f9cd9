"""The health page: ok when all parts are there, and which one is missing when not."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

import builders
import pytest
import redis.asyncio

from bot import health
from bot.content import versions
from bot.content.models import Content
from bot.settings import Settings
from bot.stores import redis_keys
from bot.stores.database import Database
from bot.stores.redis_client import connect


@pytest.fixture
async def up(redis: redis.asyncio.Redis, database: Database) -> None:
    """Everything a running system leaves behind."""
    for role in health.ROLES:
        await redis.zadd(redis_keys.holders(role), {f"{role}-0": time.time() + 60})
    content = Content((builders.entry(),))
    database.call(lambda c: versions.write(c, content, based_on=None))
    told = json.dumps({"version": 1, "model": "m.tar.gz"})
    await redis.hset(redis_keys.CONTENT_READY, "engine-0", told)


async def test_all_parts_up_is_ok(
    up: None, settings: Settings, redis: redis.asyncio.Redis, database: Database
) -> None:
    await redis.hset(redis_keys.CONTENT_READY, "engine-dead", '{"version": 9, "model": "old"}')
    await redis.xadd(redis_keys.inbox(3), {"body": "{}"})
    await redis.xadd(redis_keys.outbox(1), {"body": "{}"})
    await redis.xadd(redis_keys.outbox(2), {"body": "{}"})
    await redis.xadd(redis_keys.record(0), {"body": "{}"})
    report = await health.check(settings, redis, database)
    assert report["ok"] is True
    assert (report["redis"], report["database"]) == (True, True)
    assert [report[role] for role in health.ROLES] == [1, 1, 1, 1]
    assert report["content"] == {"live": 1, "engines": {"engine-0": 1}}
    assert report["model"] == "m.tar.gz"
    assert (report["inbox"], report["outbox"], report["record"]) == (1, 2, 1)


@pytest.mark.parametrize("role", health.ROLES)
async def test_a_process_that_is_gone_is_down(
    up: None, settings: Settings, redis: redis.asyncio.Redis, database: Database, role: str
) -> None:
    await redis.zadd(redis_keys.holders(role), {f"{role}-0": time.time() - 1})
    report = await health.check(settings, redis, database)
    assert (report["ok"], report[role]) == (False, 0)


async def test_nothing_published_is_down(
    settings: Settings, redis: redis.asyncio.Redis, database: Database
) -> None:
    for role in health.ROLES:
        await redis.zadd(redis_keys.holders(role), {f"{role}-0": time.time() + 60})
    report = await health.check(settings, redis, database)
    assert report["content"]["live"] == 0
    assert report["ok"] is False


async def test_redis_away_is_told_and_the_database_still_looked_at(
    up: None, settings: Settings, database: Database
) -> None:
    client = connect(replace(settings, redis_url="unix:///nonexistent/valkey.sock"))
    report = await health.check(settings, client, database)
    await client.aclose()
    assert (report["ok"], report["redis"], report["database"]) == (False, False, True)


async def test_a_database_without_tables_is_told(
    up: None, settings: Settings, redis: redis.asyncio.Redis
) -> None:
    empty = Database("sqlite://", threads=1)
    report = await health.check(settings, redis, empty)
    empty.close()
    assert (report["ok"], report["redis"], report["database"]) == (False, True, False)


async def test_a_translation_provider_is_shown_and_its_pause_hinders_nobody(
    up: None, settings: Settings, redis: redis.asyncio.Redis, database: Database
) -> None:
    assert "translation" not in await health.check(settings, redis, database)
    figures = {"hits": 3, "misses": 2, "failures": 1, "last_failure": "timeout"}
    told = {**figures, "paused_until": time.time() + 60}
    await redis.hset(redis_keys.TRANSLATION_FIGURES, mapping=told)
    report = await health.check(replace(settings, translation_provider="libre"), redis, database)
    assert report["translation"] == {"provider": "libre", "state": "paused", **figures}
    assert report["ok"] is True


async def test_a_redis_that_hangs_is_told_within_a_second(
    redis: redis.asyncio.Redis, database: Database
) -> None:
    """Whoever asks `/ready` waits little longer, and must not take us for dead."""
    assert health.WRITE_S <= 1.0
    await redis.execute_command("CLIENT", "PAUSE", "60000", "WRITE")
    try:
        assert await health.refusals(redis, database) == {"redis": "timed-out"}
    finally:
        await redis.execute_command("CLIENT", "UNPAUSE")


async def test_stores_are_asked_at_the_same_time(
    redis: redis.asyncio.Redis, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "WRITE_S", 30.0)
    both, begun = asyncio.Event(), []

    def after_both(write: Callable[..., Awaitable[object]]) -> Callable[..., Awaitable[object]]:
        async def written(*told: object, **more: object) -> object:
            begun.append(write)
            if len(begun) == 2:
                both.set()
            await both.wait()
            return await write(*told, **more)

        return written

    monkeypatch.setattr(redis, "set", after_both(redis.set))
    monkeypatch.setattr(database, "check_writes", after_both(database.check_writes))
    assert await health.refusals(redis, database) == {}
