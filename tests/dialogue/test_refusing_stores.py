"""A store that says "not now": the message stays, no try counts, and the answer comes late."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import builders
import postgresql_server
import redis.asyncio
import sqlalchemy as sa
from structlog.testing import capture_logs
from talk import LEASE, Talk

from bot.dialogue.engine import Engine
from bot.settings import Settings
from bot.stores import redis_keys
from bot.stores.database import Database
from bot.stores.redis_client import guarded
from bot.stores.tables import dead_letters
from bot.streams import attempts
from bot.streams.inbox import InboxReader
from bot.streams.lease import Leases
from bot.streams.messages import Inbound
from bot.streams.shards import Row
from bot.streams.ticket import Ticket

LOOKS = 4
TRIES = 8
"""More than a message that fails by itself gets before it is given up."""


@asynccontextmanager
async def _answering(talk: Talk) -> AsyncIterator[list[int]]:
    """Work off the inbox as an engine does; yields how often messages were tried."""
    leases = Leases(talk.redis, "engine", "engine-0", talk.settings.shards, 60.0)
    leases.held = {shard: LEASE for shard in range(talk.settings.shards)}
    tried: list[int] = []

    async def handle(inbound: Inbound, ticket: object) -> None:
        tried.append(1)
        await talk.handler.handle(inbound, ticket)  # type: ignore[arg-type]

    reading = asyncio.ensure_future(InboxReader(talk.redis, leases, handle).run())
    try:
        yield tried
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


async def _tried(tried: list[int], at_least: int) -> None:
    await builders.until(lambda: len(tried) >= at_least, 60)


async def _answered(talk: Talk, *messages: Inbound) -> None:
    async def all_are() -> bool:
        return all([await talk.replies(message) for message in messages])

    await builders.until(all_are, 60)


async def _untouched(talk: Talk, *messages: Inbound) -> None:
    for message in messages:
        assert await talk.replies(message) == [], "nobody is told"
        shard = redis_keys.shard_of(message.conversation, talk.settings.shards)
        counts = await talk.redis.hvals(redis_keys.attempts(shard))
        assert {int(n) for n in counts} <= {0, 1}, "the one under way at most"
        assert await talk.redis.xlen(redis_keys.inbox(shard))


async def test_a_database_that_only_reads_costs_only_time(
    settings: Settings,
    postgresql: postgresql_server.Server,
    redis: redis.asyncio.Redis,
    engine: Engine,
) -> None:
    name = postgresql.create(postgresql_server.TEMPLATE)
    database = Database(postgresql.url(name))
    talk = Talk(settings, database, redis, engine)
    await talk.prepare()
    await talk.say("hello", user="known")
    _do(postgresql, f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    _do(
        postgresql,
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'",
    )
    new = talk.message("where is my order", user="new")
    known = talk.message("talk to a person", user="known")
    async with _answering(talk) as tried:
        for message in (new, known):
            await talk.arrive(message)
        await _tried(tried, TRIES)
        await _untouched(talk, new, known)
        _do(postgresql, f"ALTER DATABASE {name} RESET default_transaction_read_only")
        await _answered(talk, new, known)
    assert (await talk.replies(new))[-1].text == "It is on its way."
    await talk.recorded()
    assert database.call(lambda c: c.execute(sa.select(dead_letters)).all()) == []
    database.close()
    postgresql.drop(name)


async def test_a_redis_that_takes_no_writes_costs_only_time(talk: Talk) -> None:
    message = talk.message("where is my order")
    await talk.arrive(message)
    await talk.redis.config_set("maxmemory", "1")
    try:
        async with _answering(talk):
            with capture_logs() as logs:
                await builders.until(
                    lambda: [line["event"] for line in logs].count("message.delayed") >= LOOKS
                )
            await _untouched(talk, message)
            await talk.redis.config_set("maxmemory", "0")
            await _answered(talk, message)
    finally:
        await talk.redis.config_set("maxmemory", "0")
    assert (await talk.replies(message))[-1].text == "It is on its way."
    await talk.recorded()
    assert talk.database.call(lambda c: c.execute(sa.select(dead_letters)).all()) == []


async def test_a_redis_that_fills_up_in_the_midst_of_tries_counts_none_of_them(talk: Talk) -> None:
    message = talk.message("where is my order")
    ticket = await talk.arrive(message)
    rounds = talk.settings.attempts + 2
    full: list[int] = []

    async def handle(inbound: Inbound, ticket: Ticket) -> None:
        # Full between the count of the try and the commit, as long as this test says.
        situation = await talk.handler._situations.read(inbound, ticket)
        assert situation is not None
        assert situation.attempt == 1, "none before counted"
        if len(full) < rounds:
            full.append(1)
            await talk.redis.config_set("maxmemory", "1")
            await guarded(talk.redis.set("full", "1"))
        await talk.redis.eval(attempts.COUNT, 2, *_counted(ticket), ticket.row, -1)
        await talk.handler.handle(inbound, ticket)

    leases = Leases(talk.redis, "engine", "engine-0", talk.settings.shards, 60.0)
    leases.held = {shard: LEASE for shard in range(talk.settings.shards)}
    reader = InboxReader(talk.redis, leases, handle)
    work = asyncio.ensure_future(
        reader._work(Row(ticket.shard, ticket.row, LEASE, message.to_dict()))
    )
    try:
        while not work.done():
            await asyncio.sleep(0.3)
            await talk.redis.config_set("maxmemory", "0")
        await work
    finally:
        await talk.redis.config_set("maxmemory", "0")
    assert (await talk.replies(message))[-1].text == "It is on its way."


def _counted(ticket: Ticket) -> tuple[str, str]:
    return redis_keys.attempts(ticket.shard), redis_keys.inbox(ticket.shard)


def _do(server: postgresql_server.Server, statement: str) -> None:
    other = Database(server.url("postgres"), threads=1)
    with other.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("SET default_transaction_read_only = off")
        connection.exec_driver_sql(statement)
    other.close()
