"""The live version as a process knows it: followed within a moment, replaced as a whole."""

from __future__ import annotations

import asyncio
import contextlib
import json

import builders
import pytest
import redis.asyncio
import sqlalchemy as sa

from bot.content import versions
from bot.content.models import Content
from bot.dialogue.catalog import Catalog
from bot.errors import ContentError
from bot.processes.every import every
from bot.stores import redis_keys
from bot.stores.database import Database
from bot.stores.tables import content_pointer
from bot.understanding.service import Knowledge


class Learner:
    """Understands nothing, but remembers what it was told to learn."""

    def __init__(self) -> None:
        self.learned: list[int] = []

    def learn(self, content: Content, previous: Knowledge | None = None) -> Knowledge:
        self.learned.append(content.number)
        return Knowledge(content, index=None)  # type: ignore[arg-type]


@pytest.fixture
def learner() -> Learner:
    return Learner()


@pytest.fixture
def catalog(learner: Learner, database: Database, redis: redis.asyncio.Redis) -> Catalog:
    return Catalog(learner, database, redis, "engine-0", "model.tar.gz")  # type: ignore[arg-type]


def _publish(database: Database, answer: str, based_on: int | None = None) -> int:
    content = Content((builders.entry(answers={"en": answer}),))
    written = database.call(lambda c: versions.write(c, content, based_on=based_on))
    return written.number


async def test_before_anything_is_published_it_says_what_to_do(catalog: Catalog) -> None:
    assert await catalog.refresh() is False
    with pytest.raises(ContentError, match="content publish"):
        _ = catalog.knowledge


async def test_the_live_version_is_loaded_and_told(
    catalog: Catalog, database: Database, redis: redis.asyncio.Redis
) -> None:
    _publish(database, "one")
    assert await catalog.refresh() is True
    assert catalog.knowledge.content.number == 1
    told = json.loads(await redis.hget(redis_keys.CONTENT_READY, "engine-0"))
    assert told == {"version": 1, "model": "model.tar.gz"}
    assert await redis.get(redis_keys.CONTENT_LIVE) == "1", "the mirror is rebuilt from SQL"


async def test_the_same_version_is_not_learned_again(
    catalog: Catalog, database: Database, learner: Learner
) -> None:
    _publish(database, "one")
    assert [await catalog.refresh() for _ in range(3)] == [True, False, False]
    assert learner.learned == [1]


async def test_a_new_version_replaces_the_old_one_as_a_whole(
    catalog: Catalog, database: Database, redis: redis.asyncio.Redis
) -> None:
    _publish(database, "one")
    await catalog.refresh()
    before = catalog.knowledge
    await versions.announce(redis, _publish(database, "two", 1))
    assert await catalog.refresh() is True
    assert catalog.knowledge.content.by_id["order-status"].answers == {"en": "two"}
    assert before.content.by_id["order-status"].answers == {"en": "one"}, "a turn keeps its own"


async def test_after_a_loss_of_redis_sql_says_which_is_live(
    catalog: Catalog, database: Database, redis: redis.asyncio.Redis
) -> None:
    _publish(database, "one")
    await catalog.refresh()
    _publish(database, "two", 1)
    await redis.flushdb()
    assert await catalog.refresh() is True
    assert catalog.knowledge.content.number == 2


async def test_what_was_published_while_nothing_ran_is_found_at_the_start(
    catalog: Catalog, database: Database, redis: redis.asyncio.Redis
) -> None:
    await versions.announce(redis, _publish(database, "one"))
    _publish(database, "two", 1)
    assert await catalog.refresh() is True
    assert catalog.knowledge.content.number == 2
    assert await redis.get(redis_keys.CONTENT_LIVE) == "2"


async def test_a_pointer_of_another_database_is_corrected_at_the_start(
    catalog: Catalog, database: Database, redis: redis.asyncio.Redis
) -> None:
    await redis.set(redis_keys.CONTENT_LIVE, "9")
    assert await catalog.refresh() is False, "nothing is published here"
    await versions.announce(redis, _publish(database, "one"))
    assert await catalog.refresh() is True
    assert catalog.knowledge.content.number == 1
    await versions.announce(redis, _publish(database, "two", 1))
    assert await catalog.refresh() is True
    assert catalog.knowledge.content.number == 2


async def test_what_is_told_between_two_looks_is_not_taken_back(redis: redis.asyncio.Redis) -> None:
    await redis.set(redis_keys.CONTENT_LIVE, "6")
    assert await versions.correct(redis, 5, "4") == 6
    assert await versions.correct(redis, 5, "6") == 5


async def test_a_pointer_to_nothing_keeps_the_version_in_use(
    catalog: Catalog, database: Database, redis: redis.asyncio.Redis
) -> None:
    _publish(database, "one")
    await catalog.refresh()
    await redis.set(redis_keys.CONTENT_LIVE, "9")
    with pytest.raises(ContentError, match="version 9"):
        await catalog.refresh()
    assert catalog.knowledge.content.number == 1


async def test_a_version_that_cannot_be_used_is_left_alone_and_the_next_one_taken(
    catalog: Catalog,
    learner: Learner,
    database: Database,
    redis: redis.asyncio.Redis,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tried: list[int] = []
    learn = learner.learn

    def fails_at_two(content: Content, previous: Knowledge | None = None) -> Knowledge:
        tried.append(content.number)
        if content.number == 2:
            raise ZeroDivisionError
        return learn(content, previous)

    monkeypatch.setattr(learner, "learn", fails_at_two)
    _publish(database, "one")
    await catalog.refresh()
    await redis.set(redis_keys.CONTENT_LIVE, _publish(database, "two", 1))
    for _ in range(3):
        await catalog.refresh_safely()
    assert (catalog.knowledge.content.number, len(catalog.aside)) == (1, 1)
    await redis.set(redis_keys.CONTENT_LIVE, 99)
    await catalog.refresh_safely()
    assert (catalog.knowledge.content.number, len(catalog.aside)) == (1, 2), "not stored"
    await redis.set(redis_keys.CONTENT_LIVE, _publish(database, "three", 2))
    await catalog.refresh_safely()
    assert catalog.knowledge.content.number == 3
    assert tried == [1, 2, 3]


async def test_following_notices_a_version_without_being_told(
    catalog: Catalog, database: Database, redis: redis.asyncio.Redis
) -> None:
    _publish(database, "one")
    await catalog.refresh()
    task = asyncio.create_task(every(0.001, catalog.refresh_safely, name="content"))
    number = _publish(database, "two", 1)
    await redis.set(redis_keys.CONTENT_LIVE, number)
    await builders.until(lambda: catalog.knowledge.content.number == 2)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    count = sa.select(sa.func.count()).select_from(content_pointer)
    assert database.call(lambda c: c.execute(count).scalar()) == 1
