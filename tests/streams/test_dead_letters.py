"""Letters are listed newest first and go on their way again once."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import pytest
import sqlalchemy as sa
from builders import NOW, inbound

from bot.errors import BadRequest
from bot.stores import redis_keys
from bot.stores.database import Database
from bot.stores.tables import dead_letters as table
from bot.streams import dead_letters

SHARDS = 8


def keep(database: Database, direction: str, body: dict[str, object], at: float = NOW) -> str:
    name = f"{direction}-{at}"
    row = {
        "id": name,
        "direction": direction,
        "conversation": "rest-1",
        "error": "failed 3 times",
        "body": body,
        "created_at": at,
        "replayed_at": None,
    }
    database.call(lambda c: c.execute(sa.insert(table).values(**row)))
    return name


def test_letters_are_listed_newest_first(database: Database) -> None:
    old, new = keep(database, "in", {}, NOW), keep(database, "out", {}, NOW + 1)
    assert [letter["id"] for letter in database.look(dead_letters.read_letters)] == [new, old]


async def test_a_reply_goes_back_to_the_outbox_once(database: Database, redis) -> None:
    name = keep(database, "out", {"id": "m1:0", "text": "hello"})
    await dead_letters.replay(database, redis, SHARDS, name)
    with pytest.raises(BadRequest) as refused:
        await dead_letters.replay(database, redis, SHARDS, name)
    assert refused.value.status == 409
    rows = await redis.xrange(redis_keys.outbox(redis_keys.shard_of("rest-1", SHARDS)))
    assert [json.loads(fields["body"])["text"] for _, fields in rows] == ["hello"]


async def test_a_message_goes_back_to_the_inbox_under_a_new_name(database: Database, redis) -> None:
    failed = inbound("why")
    name = keep(database, "in", failed.to_dict())
    await dead_letters.replay(database, redis, SHARDS, name)
    rows = await redis.xrange(redis_keys.inbox(redis_keys.shard_of("rest-1", SHARDS)))
    body = json.loads(rows[0][1]["body"])
    assert body["text"] == "why"
    assert body["id"] != failed.id


@pytest.mark.parametrize(
    ("direction", "time_of", "stream"),
    [("in", "received_at", redis_keys.inbox), ("out", "created_at", redis_keys.outbox)],
)
async def test_what_goes_on_its_way_again_has_the_time_of_now(
    database: Database, redis, direction: str, time_of: str, stream: Callable[[int], str]
) -> None:
    """An old reply that a vendor slows down would be given up at once."""
    began = time.time()
    name = keep(database, direction, {"id": "m1", "text": "hello", time_of: NOW})
    await dead_letters.replay(database, redis, SHARDS, name)
    rows = await redis.xrange(stream(redis_keys.shard_of("rest-1", SHARDS)))
    assert json.loads(rows[0][1]["body"])[time_of] >= began
    [letter] = database.look(dead_letters.read_letters)
    assert letter["body"][time_of] == NOW, "the letter says how it was"


async def test_an_unknown_letter_is_refused(database: Database, redis) -> None:
    with pytest.raises(BadRequest) as refused:
        await dead_letters.replay(database, redis, SHARDS, "nobody")
    assert refused.value.status == 404


def test_all_that_wait_go_in_the_order_they_were_given_up(database: Database) -> None:
    """A customer's replies must not come backwards, and none is too old to be found."""
    names = [keep(database, "out", {}, NOW + n) for n in range(260)]
    sent = sa.update(table).where(table.c.id == names[1]).values(replayed_at=NOW + 900)
    database.call(lambda c: c.execute(sent))
    assert database.look(dead_letters.unreplayed_ids) == [names[0], *names[2:]]
    listed = database.look(lambda c: dead_letters.read_letters(c, limit=260))
    assert listed[-1]["id"] == names[1], "what was sent again is listed last"
