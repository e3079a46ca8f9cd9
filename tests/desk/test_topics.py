"""What a conversation may be resolved as follows the published content, without a restart."""

from __future__ import annotations

import builders
import desk_seed as seed
import pytest
from desk_world import Desk

from bot.content import publishing
from bot.content.models import Content
from bot.desk.app_keys import TOPICS
from bot.desk.topics import OTHER, Topics
from bot.errors import StoreUnavailable
from bot.stores import redis_keys
from bot.stores.database import Database

GARDEN = Content((builders.entry("roses", topic="garden"),))


async def test_a_new_topic_is_at_the_desk_without_a_restart(desk: Desk) -> None:
    desk.database.call(lambda c: seed.conversation(c, "w", state="assigned", owner="u-asha"))
    asha = await desk.browser("asha")
    path = "/conversations/w/resolve"
    assert 'value="garden"' not in await asha.text("/inbox/mine/w")
    assert (await asha.act(path, topic="garden", outcome="solved"))[0] == 400

    await publishing.publish(desk.database, desk.redis, GARDEN, based_on=1)

    # What the desk's process does every second (bot.processes.desk).
    await desk.server.app[TOPICS].refresh()
    page = await asha.text("/inbox/mine/w")
    assert 'value="garden"' in page
    assert 'value="refunds"' not in page
    assert 'value="other"' in page
    assert (await asha.act(path, topic="garden", outcome="solved"))[0] == 200


async def test_other_is_always_there_and_last(desk: Desk) -> None:
    known = Topics(desk.database, desk.redis)
    assert list(known) == [OTHER]
    await known.refresh()
    assert list(known) == ["orders", "refunds", "returns", OTHER]
    assert known[-1] == OTHER


async def test_while_nothing_was_published_sql_is_not_read(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = Topics(desk.database, desk.redis)
    await known.refresh()
    await desk.redis.set(redis_keys.CONTENT_LIVE, 1)

    async def away(*_: object) -> None:
        raise StoreUnavailable("database", "must not be asked")

    monkeypatch.setattr(Database, "read", away)
    await known.refresh()
    await desk.redis.set(redis_keys.CONTENT_LIVE, 2)
    with pytest.raises(StoreUnavailable):
        await known.refresh()
    assert len(known) == 4
