"""Leases of an engine go on while its loop computes, and end with a process that is stuck."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import builders
import redis.asyncio
import structlog

from bot.processes import lease_thread
from bot.processes.lease_thread import keep_on_thread
from bot.settings import Settings
from bot.stores import redis_keys
from bot.stores.redis_client import connect
from bot.streams.lease import Leases

SHARDS = 4
LEASE_S = 0.6


def _leases(settings: Settings, redis_url: str) -> tuple[Leases, redis.asyncio.Redis]:
    client = connect(replace(settings, redis_url=redis_url))
    return Leases(client, "engine", "engine-a", SHARDS, LEASE_S), client


async def test_a_computation_that_holds_the_loop_up_loses_no_lease(
    settings: Settings, redis: redis.asyncio.Redis, redis_url: str
) -> None:
    leases, client = _leases(settings, redis_url)
    async with keep_on_thread(leases, client, lambda: None):
        await builders.until(lambda: len(leases.held) == SHARDS)
        grants = dict(leases.held)
        time.sleep(3 * LEASE_S)  # noqa: ASYNC251 - this is what holds the loop up
        assert leases.held == grants
        for shard, text in grants.items():
            assert leases.surely_holds(shard, text)
            assert await redis.get(redis_keys.lease(shard, "engine")) == text
    assert leases.held == {}
    for shard in range(SHARDS):
        assert await redis.get(redis_keys.lease(shard, "engine")) is None, "given back at the end"


async def test_a_process_that_understands_one_message_for_ever_gives_up(
    settings: Settings, redis: redis.asyncio.Redis, redis_url: str, monkeypatch
) -> None:
    monkeypatch.setattr(lease_thread, "STUCK_TICKS", 5)
    leases, client = _leases(settings, redis_url)
    ended: list[bool] = []
    sign = ["the same"]
    async with keep_on_thread(
        leases, client, lambda: sign[0], give_up=lambda: ended.append(True), tick_s=0.05
    ):
        await builders.until(lambda: bool(ended))


async def test_a_process_whose_loop_turns_and_whose_messages_differ_goes_on(
    settings: Settings, redis: redis.asyncio.Redis, redis_url: str, monkeypatch
) -> None:
    monkeypatch.setattr(lease_thread, "STUCK_TICKS", 5)
    leases, client = _leases(settings, redis_url)
    ended: list[bool] = []
    looks = iter(range(1_000_000))
    asked: list[int] = []

    def current_work() -> int:
        asked.append(next(looks))
        return asked[-1]

    async with keep_on_thread(
        leases, client, current_work, give_up=lambda: ended.append(True), tick_s=0.05
    ):
        await builders.until(lambda: len(asked) > 20)
    assert not ended


async def test_redis_away_for_a_while_costs_the_leases_and_nothing_else(
    settings: Settings, redis: redis.asyncio.Redis, redis_url: str
) -> None:
    leases, client = _leases(settings, redis_url)
    async with keep_on_thread(leases, client, lambda: None):
        await builders.until(lambda: len(leases.held) == SHARDS)
        await redis.config_set("maxmemory", "1")
        try:
            await builders.until(lambda: not leases.held)
        finally:
            await redis.config_set("maxmemory", "0")
        await builders.until(lambda: len(leases.held) == SHARDS)
        await asyncio.sleep(0)


async def test_what_the_thread_logs_names_the_process(
    settings: Settings, redis: redis.asyncio.Redis, redis_url: str
) -> None:
    leases, client = _leases(settings, redis_url)
    names: list[object] = []

    def note() -> None:
        """Called on the thread."""
        names.append(structlog.contextvars.get_contextvars().get("process"))

    with structlog.contextvars.bound_contextvars(process="engine-a@here"):
        async with keep_on_thread(leases, client, note, tick_s=0.05):
            await builders.until(lambda: bool(names))
    assert names[0] == "engine-a@here"
