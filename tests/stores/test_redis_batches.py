"""Batches: one round trip for the commands of many tasks, each task its own answer."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from typing import Any

import pytest
import redis.asyncio
import redis.exceptions

from bot.errors import StoreUnavailable
from bot.settings import Settings
from bot.stores.redis_batches import MOST_AT_ONCE, Batches, Script, batches_of
from bot.stores.redis_client import connect, guarded

ADD = Script("return redis.call('INCRBY', KEYS[1], ARGV[1])")


async def test_answers_come_back_to_whom_they_belong(redis: redis.asyncio.Redis) -> None:
    batches = Batches(redis)

    async def use(n: int) -> list[Any]:
        key = f"batch:{n}"
        return await batches.run(("SET", key, n), ("GET", key), ("INCRBY", key, n))

    found = await asyncio.gather(*(use(n) for n in range(MOST_AT_ONCE)))
    assert [answers[1:] for answers in found] == [[str(n), 2 * n] for n in range(MOST_AT_ONCE)]


async def test_what_is_asked_meanwhile_goes_in_one_pipeline(
    redis: redis.asyncio.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Any] = []
    make = redis.pipeline

    def pipeline(transaction: bool = True) -> Any:
        made.append(make(transaction=transaction))
        return made[-1]

    monkeypatch.setattr(redis, "pipeline", pipeline)
    batches = Batches(redis)
    await asyncio.gather(*(batches.run(("INCR", "batch:count")) for _ in range(50)))
    assert len(made) == 1
    assert await redis.get("batch:count") == "50"


async def test_an_error_is_its_askers_alone(redis: redis.asyncio.Redis) -> None:
    await redis.set("batch:text", "words")
    batches = Batches(redis)
    found: list[Any] = await asyncio.gather(
        batches.run(("INCR", "batch:text")),
        batches.run(("GET", "batch:text")),
        return_exceptions=True,
    )
    assert "not an integer" in str(found[0])
    assert found[1] == ["words"]


async def test_a_script_is_loaded_when_the_server_forgot_it(redis: redis.asyncio.Redis) -> None:
    batches = Batches(redis)
    assert await batches.script(ADD, ["batch:sum"], 2) == 2
    await redis.script_flush()
    assert await batches.script(ADD, ["batch:sum"], 3) == 5


async def test_with_redis_away_all_who_wait_are_told(settings: Settings) -> None:
    batches = Batches(connect(replace(settings, redis_url="unix:///nonexistent/valkey.sock")))
    found = await asyncio.gather(
        *(guarded(batches.run(("GET", "a"))) for _ in range(3)), return_exceptions=True
    )
    assert all(isinstance(error, StoreUnavailable) for error in found)


async def test_one_who_no_longer_waits_holds_up_nobody(redis: redis.asyncio.Redis) -> None:
    batches = Batches(redis)
    gone = asyncio.create_task(batches.run(("GET", "a")))
    stays = asyncio.create_task(batches.run(("INCR", "batch:stays")))
    await asyncio.sleep(0)
    gone.cancel()
    assert await stays == [1]
    with contextlib.suppress(asyncio.CancelledError):
        await gone
    assert await batches.run(("GET", "batch:stays")) == ["1"]


def test_users_of_a_client_share_its_batches(redis: redis.asyncio.Redis) -> None:
    assert batches_of(redis) is batches_of(redis)
