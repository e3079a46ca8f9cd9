"""What nobody typed: worded for the customer, said once, and not to those who are blocked."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import builders
import pytest
import redis.asyncio
import sqlalchemy as sa

from bot.conversation.states import State
from bot.conversation.store import Conversation
from bot.handoff.notices import Notices
from bot.settings import Settings
from bot.stores import redis_keys
from bot.stores.database import Database
from bot.stores.tables import conversations

FILE = {"id": "f1", "conversation": "", "name": "map.png", "message": "m1"}


@pytest.fixture
def notices(settings: Settings, database: Database, redis: redis.asyncio.Redis) -> Notices:
    return Notices(settings, database, redis)


async def sent(client: redis.asyncio.Redis, conversation: Conversation) -> list[dict[str, Any]]:
    shard = redis_keys.shard_of(conversation.id, 8)
    return [json.loads(f["body"]) for _, f in await client.xrange(redis_keys.outbox(shard))]


async def test_a_notice_is_said_once_in_the_customers_language(
    notices: Notices, database: Database, redis: redis.asyncio.Redis
) -> None:
    found = builders.brought_to(database, State.WAITING, language="hi")
    for _ in range(2):
        await notices.say(found, "utter_waiting", "k" * 200, {"place": 3}, actions=("cancel",))
    (told,) = await sent(redis, found)
    assert (told["id"], told["language"], told["state"]) == ("k" * 96, "hi", "waiting")
    assert (told["author"], told["agent"], told["utter"]) == ("automatic", "", "utter_waiting")
    assert told["text"] == notices.texts.render("utter_waiting", "hi", place=3)
    (button,) = told["quick_replies"]
    assert button["title"] == notices.texts.render("utter_title_cancel", "hi")


async def test_a_language_without_the_text_is_told_as_what_it_is(
    notices: Notices, database: Database, redis: redis.asyncio.Redis
) -> None:
    found = builders.opened(database, language="fr")
    await notices.say(found, "utter_resolved", "k", {})
    (told,) = await sent(redis, found)
    assert told["language"] == notices.texts.language_for("utter_resolved", "fr") != "fr"


async def test_who_is_blocked_is_told_nothing(
    notices: Notices, database: Database, redis: redis.asyncio.Redis
) -> None:
    found = builders.opened(database)
    await notices.say(replace(found, blocked=True), "utter_resolved", "k", {})
    assert await sent(redis, found) == []


async def test_a_file_that_reached_nobody_is_told_under_its_message(
    notices: Notices, database: Database, redis: redis.asyncio.Redis
) -> None:
    found = builders.opened(database)
    await notices.file_refused({**FILE, "conversation": "nobody"})
    for _ in range(2):
        await notices.file_refused({**FILE, "conversation": found.id})
    (told,) = await sent(redis, found)
    assert (told["id"], told["in_reply_to"], told["quick_replies"]) == ("f1-refused", "m1", [])
    assert "map.png" in told["text"]
    mark = sa.update(conversations).values(blocked=True)
    database.call(lambda c: c.execute(mark))
    await notices.file_refused({**FILE, "id": "f2", "conversation": found.id})
    assert len(await sent(redis, found)) == 1
