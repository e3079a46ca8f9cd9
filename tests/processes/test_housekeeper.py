"""What happens by time happens without a desk, once however many housekeepers there are."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import builders
import pytest
import redis.asyncio
import sqlalchemy as sa

from bot import health
from bot.conversation.states import State
from bot.desk.search import index as search_index
from bot.processes import aside_report, housekeeper
from bot.processes.roles import ROLES
from bot.routing import presence, teams
from bot.settings import Settings
from bot.stores import redis_keys
from bot.stores.database import Database
from bot.stores.redis_client import address
from bot.stores.set_aside import SetAside
from bot.stores.tables import conversations, events, snoozes, users


@asynccontextmanager
async def keeping(settings: Settings, *names: str) -> AsyncIterator[None]:
    """Housekeepers of these names while the context lasts."""
    tasks = [asyncio.create_task(housekeeper.run(settings, name)) for name in names]
    try:
        yield
        assert not any(task.done() for task in tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture
def automatic(settings: Settings, database: Database, redis_url: str) -> Settings:
    url = database.engine.url.render_as_string(hide_password=False)
    return replace(settings, redis_url=redis_url, database_url=url, routing_mode="automatic")


def states(database: Database) -> dict[str, str]:
    query = sa.select(conversations.c.vendor_user, conversations.c.state)
    return dict(database.call(lambda c: c.execute(query).tuples().all()))


def add_agent(database: Database) -> None:
    row = {
        "id": "asha",
        "login": "asha",
        "name": "Asha",
        "role": "agent",
        "password_hash": "x",
        "failed_logins": 0,
        "locked_until": 0.0,
        "created_at": 0.0,
    }
    database.call(lambda c: c.execute(sa.insert(users).values(**row)))
    database.call(lambda c: teams.save_profile(c, "asha", levels={}, capacity=9))


async def test_without_a_desk_who_waits_is_given_and_who_sleeps_is_woken_once(
    automatic: Settings, database: Database, redis: redis.asyncio.Redis
) -> None:
    assert address(automatic) == automatic.redis_url
    add_agent(database)
    await presence.mark_online(redis, "asha")
    for number in range(4):
        builders.brought_to(database, State.WAITING, user=f"waits-{number}")
        asleep = builders.brought_to(database, State.SNOOZED, user=f"sleeps-{number}")
        row = {"conversation": asleep.id, "user_id": "asha", "until": 10.0, "created_at": 1.0}
        database.call(lambda c, row=row: c.execute(sa.insert(snoozes).values(**row)))
    async with keeping(automatic, "one", "two"):
        await builders.until(lambda: set(states(database).values()) == {"assigned"}, 30)
        place = await redis.zrange(redis_keys.holders("housekeeper"), 0, -1)
        assert sorted(place) == ["one", "two"]
    query = sa.select(events.c.conversation).where(events.c.type == "handoff.assigned")
    given = list(database.call(lambda c: c.execute(query).scalars()))
    assert len(given) == len(set(given)) == 4
    assert await redis.zcard(redis_keys.holders("housekeeper")) == 0, "given back at once"
    for role in ("router", "sla"):
        assert await redis.get(redis_keys.lease(0, role)) is None, "for the next to take over"


async def test_what_is_said_is_found_without_a_desk(
    automatic: Settings, database: Database
) -> None:
    if database.engine.dialect.name != "sqlite":
        pytest.skip("PostgreSQL keeps its indexes itself")
    async with keeping(automatic, "one"):
        builders.opened(database)

        def is_indexed() -> bool:
            tables = sa.inspect(database.engine).get_table_names()
            return "desk_search_rows" in tables and not database.call(search_index.behind)

        await builders.until(is_indexed)


async def test_the_health_page_counts_what_is_set_aside(
    settings: Settings, database: Database, redis: redis.asyncio.Redis
) -> None:
    for name in ("one", "two"):
        await redis.zadd(redis_keys.holders("housekeeper"), {name: time.time() + 60})
    await redis.hset(redis_keys.SET_ASIDE, "dead", '{"closing": 9}')
    asides = [SetAside("closing"), SetAside("closing")]
    tasks = [
        asyncio.create_task(
            aside_report.report_set_aside(redis, name, {"closing": aside, "snooze": ()})
        )
        for name, aside in zip(("one", "two"), asides, strict=True)
    ]
    assert "set_aside" not in await health.check(settings, redis, database)
    for aside in asides:
        aside.put("odd", ValueError())
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    tasks = [
        asyncio.create_task(
            aside_report.report_set_aside(redis, name, {"closing": aside, "snooze": ()})
        )
        for name, aside in zip(("one", "two"), asides, strict=True)
    ]

    async def is_told() -> bool:
        report = await health.check(settings, redis, database)
        return bool(report.get("set_aside") == {"closing": 2})

    await builders.until(is_told)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def test_the_health_page_counts_every_process_that_has_a_place() -> None:
    assert set(health.ROLES) == set(ROLES) - {"ingress", "desk"}
