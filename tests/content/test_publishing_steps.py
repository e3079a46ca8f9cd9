"""Publishing as a page or a command calls it: values come back, faults are errors."""

from __future__ import annotations

import ast
import json
import time
from pathlib import Path

import builders
import pytest
import redis.asyncio

from bot.content import publishing, versions
from bot.content.models import Content
from bot.errors import ContentError, StoreUnavailable, VersionConflict
from bot.stores import redis_keys
from bot.stores.database import Database

ROOT = Path(__file__).parents[2]
FIRST = Content((builders.entry(answers={"en": "first"}),))
SECOND = Content((builders.entry(answers={"en": "second"}),))


async def _engine(client: redis.asyncio.Redis, version: int) -> None:
    await client.zadd(redis_keys.holders("engine"), {"e1": time.time() + 60})
    await client.hset(redis_keys.CONTENT_READY, "e1", json.dumps({"version": version}))


async def test_where_nothing_runs_the_version_waits_in_sql(database: Database) -> None:
    done = await publishing.publish(database, None, FIRST, based_on=None)
    assert (done.number, done.before, done.engines, done.differs) == (1, 0, None, True)
    again = await publishing.publish(database, None, FIRST, based_on=1)
    assert (again.number, again.differs) == (1, False)


async def test_engines_that_answer_from_it_are_counted(
    database: Database, redis: redis.asyncio.Redis
) -> None:
    await _engine(redis, version=1)
    done = await publishing.publish(database, redis, FIRST, based_on=None)
    assert done.engines == 1
    assert await redis.get(redis_keys.CONTENT_LIVE) == "1"


async def test_an_engine_that_stays_behind_is_named_and_the_folder_is_in_step(
    database: Database, redis: redis.asyncio.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "LIVE_TIMEOUT_S", 0.05)
    await _engine(redis, version=0)
    told: list[int] = []
    with pytest.raises(StoreUnavailable, match="e1 still answer from an older version"):
        await publishing.publish(database, redis, FIRST, based_on=None, stored=told.append)
    assert told == [1]


async def test_a_conflict_publishes_nothing(database: Database) -> None:
    await publishing.publish(database, None, FIRST, based_on=None)
    with pytest.raises(VersionConflict):
        await publishing.publish(database, None, SECOND, based_on=None)
    assert database.call(versions.live_number) == 1


async def test_a_rollback_is_a_new_version_of_old_content(database: Database) -> None:
    await publishing.publish(database, None, FIRST, based_on=None)
    await publishing.publish(database, None, SECOND, based_on=1)
    done = await publishing.roll_back(database, None, 1, author="ed")
    assert done.number == 3
    newest, *_ = database.call(versions.list_versions)
    assert (newest.number, newest.live, newest.author) == (3, True, "ed")
    assert newest.note == "rollback to version 1"
    with pytest.raises(ContentError, match="no version 9"):
        await publishing.roll_back(database, None, 9)


async def test_a_dry_run_tells_the_changes_and_makes_none(database: Database) -> None:
    await publishing.publish(database, None, FIRST, based_on=None)
    (change,) = database.call(lambda c: publishing.changes_to(c, SECOND))
    assert (change.before, change.after) == ("first", "second")
    assert database.call(versions.live_number) == 1


def test_topics_are_those_of_the_version(database: Database) -> None:
    assert database.call(lambda c: versions.topics(c, 1)) == ()
    content = Content((builders.entry("a", topic="zebra"), builders.entry("b", topic="ant")))
    database.call(lambda c: versions.write(c, content, based_on=None))
    assert database.call(lambda c: versions.topics(c, 1)) == ("ant", "zebra")


def test_content_prints_nothing_and_ends_no_process() -> None:
    for path in (ROOT / "bot/content").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                name = ast.unparse(node.func)
                assert name not in {"print", "exit", "sys.exit", "SystemExit"}, path
