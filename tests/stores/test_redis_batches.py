"""The lane: one round trip for what many tasks ask meanwhile, each task its own answer."""

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
from bot.stores.redis_batches import MOST_AT_ONCE, Lane, Script, lane_of
from bot.stores.redis_client import connect, guarded

ADD = Script("return redis.call('INCRBY', KEYS[1], ARGV[1])")


async def test_answers_come_back_to_whom_they_belong(redis: redis.asyncio.Redis) -> None:
    lane = Lane(redis)

    async def use(n: int) -> list[Any]:
        key = f"lane:{n}"
        return await lane.run(("SET", key, n), ("GET", key), ("INCRBY", key, n))

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
    lane = Lane(redis)
    await asyncio.gather(*(lane.run(("INCR", "lane:count")) for _ in range(50)))
    assert len(made) == 1
    assert await redis.get("lane:count") == "50"


async def test_an_error_is_its_askers_alone(redis: redis.asyncio.Redis) -> None:
    await redis.set("lane:text", "words")
    lane = Lane(redis)
    found: list[Any] = await asyncio.gather(
        lane.run(("INCR", "lane:text")), lane.run(("GET", "lane:text")), return_exceptions=True
    )
    assert "not an integer" in str(found[0])
    assert found[1] == ["words"]


async def test_a_script_is_loaded_when_the_server_forgot_it(redis: redis.asyncio.Redis) -> None:
    lane = Lane(redis)
    assert await lane.script(ADD, ["lane:sum"], 2) == 2
    await redis.script_flush()
    assert await lane.script(ADD, ["lane:sum"], 3) == 5


async def test_with_redis_away_all_who_wait_are_told(settings: Settings) -> None:
    lane = Lane(connect(replace(settings, redis_url="unix:///nonexistent/valkey.sock")))
    found = await asyncio.gather(
        *(guarded(lane.run(("GET", "a"))) for _ in range(3)), return_exceptions=True
    )
    assert all(isinstance(error, StoreUnavailable) for error in found)


async def test_one_who_no_longer_waits_holds_up_nobody(redis: redis.asyncio.Redis) -> None:
    lane = Lane(redis)
    gone = asyncio.create_task(lane.run(("GET", "a")))
    stays = asyncio.create_task(lane.run(("INCR", "lane:stays")))
    await asyncio.sleep(0)
    gone.cancel()
    assert await stays == [1]
    with contextlib.suppress(asyncio.CancelledError):
        await gone
    assert await lane.run(("GET", "lane:stays")) == ["1"]


def test_users_of_a_client_share_its_lane(redis: redis.asyncio.Redis) -> None:
    assert lane_of(redis) is lane_of(redis)
