"""Export and erasure: afterwards no store and no file has the customer's words or names."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis.asyncio
import sqlalchemy as sa
from builders import NOW, inbound, outbound
from redis.exceptions import ResponseError
from sqlalchemy.engine import Connection

from bot.__main__ import main
from bot.conversation import store
from bot.conversation.states import State
from bot.desk.conversation import notes
from bot.desk.people import audit
from bot.desk.search import find, index
from bot.desk.tables import labels
from bot.errors import BadRequest
from bot.events import Event
from bot.files.store import store_of
from bot.housekeeping import erasure, redis_eraser
from bot.settings import Settings
from bot.stores import redis_keys
from bot.stores.database import Database
from bot.stores.redis_client import EmbeddedServer
from bot.stores.tables import METADATA, conversations, customers, events
from bot.streams import delivery
from bot.streams.inbox import Inbox
from bot.streams.messages import Inbound
from bot.streams.recorder import store_rows
from channels.webchat.server.client import WebchatClient

USER = "visitor-zyx4711"
WORDS = ("Quarkblume", "ज़र्राफ़ा", "Wolkentee", "Nebelhorn", "Fuchsschwanz", "Moosgeist")
"""Said, said again, remembered, noted, given up, on its way."""
NAME = "Xanthippe Ölzweig"
MESSAGE: Inbound = inbound(f"where is my {WORDS[0]} {WORDS[1]}", user=USER, name=NAME)
OTHER: Inbound = inbound("Heidekraut, please", user="someone-else")


def _event(id_: str, kind: str, **data: Any) -> dict[str, Any]:
    return Event(
        id=id_,
        type=kind,
        conversation=MESSAGE.conversation,
        episode_id=MESSAGE.id,
        channel="rest",
        language="en",
        data=data,
        occurred_at=NOW,
    ).to_dict()


def _record(message: Inbound) -> list[dict[str, Any]]:
    row = delivery.message_row(outbound(message.text, id=message.id, user=message.vendor_user), "e")
    body = {**row, "author": "customer", "conversation": message.conversation}
    return [{"kind": "message", "body": body}]


def _rows(connection: Connection) -> None:
    index.prepare(connection)
    for message in (MESSAGE, OTHER):
        store.open_for(connection, message, "en")
        store_rows(connection, _record(message))
    letter = {
        "id": "letter-1",
        "direction": "in",
        "conversation": MESSAGE.conversation,
        "error": "boom",
        "body": {**MESSAGE.to_dict(), "text": WORDS[4]},
        "created_at": NOW,
        "replayed_at": None,
    }
    tracker = {"conversation": MESSAGE.conversation, "body": json.dumps({"latest": WORDS[2]})}
    store_rows(
        connection,
        [
            {"kind": "dead", "body": letter},
            {"kind": "tracker", "body": {**tracker, "body": f"{WORDS[2]} before", "language": ""}},
            {"kind": "tracker", "body": {**tracker, "language": "en"}},
            {"kind": "event", "body": _event("ev-1", "message.sent", vendor_id="mid.zyx4711")},
            {"kind": "event", "body": _event("ev-2", "answer.sent", entry="refund", version=3)},
        ],
    )
    waiting = store.get(connection, MESSAGE.conversation)
    assert waiting is not None
    store.change(connection, waiting, State.WAITING, key="w", cause="asked")
    notes.add(connection, MESSAGE.conversation, "u-asha", f"wants {WORDS[3]}", key="n" * 8)
    connection.execute(
        sa.insert(labels).values(conversation=MESSAGE.conversation, label="vip", created_at=NOW)
    )
    audit.write(connection, "u-asha", "transcript.exported", MESSAGE.conversation)
    audit.write(connection, "u-boss", "dead-letter.replayed", "letter-1", why=WORDS[4])
    if index.supported(connection):
        index.catch_up(connection)


@pytest.fixture
async def filled(settings: Settings, database: Database, redis: redis.asyncio.Redis) -> Database:
    """Both customers in every store, as the parts that write there would leave them."""
    database.call(_rows)
    shard = redis_keys.shard_of(MESSAGE.conversation, settings.shards)
    copy = database.call(lambda c: store.get(c, MESSAGE.conversation))
    assert copy is not None
    await redis.set(redis_keys.tracker(shard, copy.id), json.dumps({"latest": WORDS[2]}))
    await redis.set(redis_keys.owner(shard, copy.id), copy.to_json())
    await redis.set(redis_keys.seen(shard, f"profile-{copy.id}"), "de-AT")
    await redis.set(redis_keys.seen(shard, f"moved-to-bot-{USER}"), USER)
    await redis.set(redis_keys.seen(shard, f"parts-{MESSAGE.id}"), WORDS[0])
    reply = outbound(WORDS[0], user=MESSAGE.vendor_user, n=4)
    await redis.xadd(redis_keys.replies(shard), {"body": json.dumps(reply.to_dict())})
    rows = [("message", {"id": "m-in-turn", "text": WORDS[0]})]
    turn = delivery.turn_row(MESSAGE.conversation, rows)
    await redis.xadd(redis_keys.record(shard), {"body": turn})
    await redis.set(redis_keys.seen(shard, "parts-m-in-turn"), WORDS[0])
    for message in (MESSAGE, OTHER):
        await WebchatClient(redis, settings).echo(message, "client-1")
        on_its_way = inbound(WORDS[5], user=message.vendor_user, n=2)
        if message is OTHER:
            on_its_way = inbound("Heidekraut again", user=message.vendor_user, n=2)
        assert await Inbox(redis, settings.shards).accept(on_its_way)
        reply = outbound(on_its_way.text, user=message.vendor_user, n=3)
        await delivery.send(redis, settings.shards, reply, episode_id="e")
    row = await redis.xrange(redis_keys.inbox(shard))
    await redis.hset(redis_keys.attempts(shard), row[0][0], "1")
    return database


@pytest.fixture
async def uncompressed(redis: redis.asyncio.Redis) -> AsyncIterator[None]:
    """What the server writes can be searched for words."""
    await redis.config_set("rdbcompression", "no")
    yield
    await redis.config_set("rdbcompression", "yes")


async def _in_redis(client: redis.asyncio.Redis) -> str:
    """Every key with its value, whatever its type."""
    told = []
    async for key in client.scan_iter():
        kind = await client.type(key)
        read = {
            "string": client.get,
            "hash": client.hgetall,
            "stream": client.xrange,
            "zset": lambda k: client.zrange(k, 0, -1),
            "set": client.smembers,
            "list": lambda k: client.lrange(k, 0, -1),
        }[kind]
        told.append(f"{key} {await read(key)}")
    return "\n".join(told)


def _in_sql(connection: Connection) -> str:
    """Every row of every table, those of the search index as well."""
    names = sa.inspect(connection).get_table_names()
    assert set(METADATA.tables) <= set(names)
    told = []
    for name in names:
        for row in connection.execute(sa.text(f'SELECT * FROM "{name}"')):
            told.append(f"{name} {tuple(row)}")
    return "\n".join(told)


def _in_files(*folders: Path) -> Iterator[tuple[Path, bytes]]:
    for folder in folders:
        for path in folder.rglob("*"):
            if path.is_file():
                yield path, path.read_bytes()


def _spellings(word: str) -> set[str]:
    return {word, json.dumps(word)[1:-1]}


SECRETS = [*WORDS, NAME, "zyx4711", MESSAGE.conversation]


async def _erase(settings: Settings, database: Database, client: redis.asyncio.Redis) -> None:
    found = database.look(lambda c: erasure.find_customer(c, f"rest:{USER}"))
    await erasure.erase(
        database, client, settings.shards, found, by="test", files=store_of(settings)
    )


@pytest.mark.usefixtures("uncompressed")
async def test_no_store_and_no_file_has_a_word_of_them(
    settings: Settings, filled: Database, redis: redis.asyncio.Redis, redis_server: EmbeddedServer
) -> None:
    before = await _in_redis(redis) + filled.call(_in_sql)
    assert [word for word in SECRETS if not any(s in before for s in _spellings(word))] == []
    await _erase(settings, filled, redis)
    after = await _in_redis(redis) + filled.call(_in_sql)
    left = [word for word in SECRETS for spelling in _spellings(word) if spelling in after]
    assert left == []
    found = [
        f"{word} in {path}"
        for path, content in _in_files(settings.state_dir, redis_server.folder)
        for word in SECRETS
        for spelling in _spellings(word)
        if spelling.encode() in content
    ]
    assert found == []


@pytest.mark.usefixtures("uncompressed")
async def test_a_row_among_living_ones_leaves_no_trace(
    settings: Settings, filled: Database, redis: redis.asyncio.Redis, redis_server: EmbeddedServer
) -> None:
    """The server keeps a deleted row's words for as long as rows beside it live."""
    stream = redis_keys.replies(redis_keys.shard_of(MESSAGE.conversation, settings.shards))
    ours = outbound("Dotterblume", user=USER, n=7).to_dict()
    others = outbound("Heidekraut", user="someone-else", n=8).to_dict()
    await redis.delete(stream)
    done = ""
    for body in (others, ours, others, ours, others):
        done = await redis.xadd(stream, {"body": json.dumps(body)})
    own = [row for row, fields in await redis.xrange(stream) if "Dotter" in fields["body"]]
    await redis.xdel(stream, own[0])
    await redis.xdel(stream, done)
    await redis.expire(stream, 3600)
    before = await redis.xrange(stream)
    assert b"Dotterblume" in await _dump(redis, stream)

    await _erase(settings, filled, redis)
    assert b"Dotterblume" not in await _dump(redis, stream)
    files = _in_files(redis_server.folder)
    assert not [path for path, content in files if b"Dotterblume" in content]
    assert await redis.xrange(stream) == [row for row in before if row[0] != own[1]]
    told: Any = await redis.xinfo_stream(stream)
    assert told["last-generated-id"] == done, "readers go on behind what they have read"
    assert 0 < await redis.ttl(stream) <= 3600


async def _dump(client: redis.asyncio.Redis, key: str) -> bytes:
    options = {**client.connection_pool.connection_kwargs, "decode_responses": False}
    pool = redis.asyncio.ConnectionPool(client.connection_pool.connection_class, **options)
    async with redis.asyncio.Redis(connection_pool=pool) as raw:
        return bytes(await raw.dump(key))


async def test_others_stay_as_they_were(
    settings: Settings, filled: Database, redis: redis.asyncio.Redis
) -> None:
    def of_other(connection: Connection) -> dict[str, Any]:
        return erasure.export(connection, erasure.find_customer(connection, OTHER.conversation))

    before, words = filled.call(of_other), (await _in_redis(redis)).count("Heidekraut")
    await _erase(settings, filled, redis)
    assert filled.call(of_other) == before
    assert (await _in_redis(redis)).count("Heidekraut") == words > 0


async def test_counts_stay_and_lead_to_nobody(
    settings: Settings, filled: Database, redis: redis.asyncio.Redis
) -> None:
    def kinds(connection: Connection) -> list[str]:
        return list(connection.execute(sa.select(events.c.type).order_by(events.c.type)).scalars())

    before = filled.call(kinds)
    await _erase(settings, filled, redis)
    assert filled.call(kinds) == sorted([*before, "episode.closed"])
    row = filled.call(
        lambda c: c.execute(sa.select(events).where(events.c.id == "ev-2")).mappings().one()
    )
    assert row["data"] == {"entry": "refund", "version": 3}
    left = filled.call(lambda c: store.get(c, row["conversation"]))
    assert left is not None
    assert left.id.startswith("erased-")
    assert (left.state, left.owner, left.vendor_user) == (State.CLOSED, None, left.id)


async def test_who_writes_again_is_new(
    settings: Settings, filled: Database, redis: redis.asyncio.Redis
) -> None:
    await _erase(settings, filled, redis)
    assert await Inbox(redis, settings.shards).accept(MESSAGE), "no mark says it was taken before"
    opened = filled.call(lambda c: store.open_for(c, MESSAGE, "en"))
    assert (opened.version, opened.stint, opened.vendor_user) == (1, 1, USER)
    await _erase(settings, filled, redis)
    count = filled.call(
        lambda c: c.execute(sa.select(sa.func.count()).select_from(conversations)).scalar_one()
    )
    assert count == 3


async def test_what_arrives_while_we_erase_goes_too(
    settings: Settings,
    filled: Database,
    redis: redis.asyncio.Redis,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A recorder that has read its rows before we delete them writes them afterwards."""
    erase_rows, late = erasure._erase_rows, iter([True])

    def and_then_the_recorder(connection: Connection, **rest: Any) -> int:
        count = erase_rows(connection, **rest)
        if next(late, False):
            store.open_for(connection, MESSAGE, "en")
            store_rows(connection, _record(MESSAGE))
        return count

    monkeypatch.setattr(erasure, "_erase_rows", and_then_the_recorder)
    await _erase(settings, filled, redis)
    told = filled.call(_in_sql)
    assert WORDS[0] not in told
    assert USER not in told


async def test_nothing_is_found_by_search(
    settings: Settings, filled: Database, redis: redis.asyncio.Redis
) -> None:
    def finds(connection: Connection) -> list[str]:
        asked = ("quarkblume", "Nebelhorn", "Xanthippe", MESSAGE.conversation)
        return [one for query in asked for one in find.conversations(connection, query)]

    assert len(filled.call(finds)) == 4
    await _erase(settings, filled, redis)
    if filled.engine.dialect.name == "sqlite":
        filled.call(index.catch_up)
    assert filled.call(finds) == []


@pytest.mark.parametrize(
    "name", [f"rest:{USER}", MESSAGE.conversation, f"c-{MESSAGE.conversation}"]
)
def test_a_customer_has_three_names(
    settings: Settings,
    database: Database,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    database.call(_rows)
    monkeypatch.setenv("SAMVAD_STATE_DIR", str(settings.state_dir))
    monkeypatch.setenv("DATABASE_URL", database.engine.url.render_as_string(hide_password=False))
    assert main(["customer", "export", name]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [one["name"] for one in told["customers"]] == [NAME]
    (conversation,) = told["conversations"]
    assert [one["text"] for one in conversation["messages"]] == [MESSAGE.text]
    assert {one["type"] for one in conversation["events"]} >= {"answer.sent", "episode.started"}
    assert [one["text"] for one in conversation["notes"]] == [f"wants {WORDS[3]}"]
    assert "Heidekraut" not in json.dumps(told)


def test_erasing_from_the_command_line(
    settings: Settings,
    database: Database,
    redis_url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    database.call(_rows)
    monkeypatch.setenv("SAMVAD_STATE_DIR", str(settings.state_dir))
    monkeypatch.setenv("REDIS_URL", redis_url)
    monkeypatch.setenv("DATABASE_URL", database.engine.url.render_as_string(hide_password=False))
    assert main(["customer", "erase", f"rest:{USER}"]) == 0
    assert "1 conversations" in capsys.readouterr().out
    assert main(["customer", "erase", f"rest:{USER}"]) == 1
    assert "no customer matches" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["", ":", "rest:", "rest:nobody", "%", "c-", "webchat-1"])
def test_nobody_is_found_by_chance(database: Database, name: str) -> None:
    database.call(_rows)
    with pytest.raises(BadRequest) as refused:
        database.call(lambda c: erasure.find_customer(c, name))
    assert refused.value.status == 404


def test_erased_customers_have_no_name(database: Database) -> None:
    """The row a conversation points at is there, and empty."""
    database.call(_rows)
    found = database.call(lambda c: erasure.find_customer(c, MESSAGE.conversation))
    names = {one: "erased-1" for one in found.conversations}
    database.call(lambda c: erasure._erase_rows(c, found, names, "test"))
    row = database.call(
        lambda c: (
            c.execute(sa.select(customers).where(customers.c.id == "c-erased-1")).mappings().one()
        )
    )
    assert (row["name"], row["locale"]) == ("", "")


async def test_a_rewrite_under_way_does_not_count(
    redis: redis.asyncio.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may have read what was deleted since; another one must follow."""
    asked: list[str] = []

    async def answer(_: Any, command: str) -> list[Any]:
        asked.append(command)
        if command == "BGREWRITEAOF" and asked.count(command) == 1:
            raise ResponseError("ERR Background append only file rewriting already in progress")
        busy = int(asked.count("INFO persistence") == 2)
        told = {"aof_enabled": 1, "aof_rewrite_in_progress": busy, "aof_rewrite_scheduled": 0}
        return [told]

    monkeypatch.setattr(redis_eraser, "run_on_all_nodes", answer)
    await redis_eraser.rewrite_log(redis)
    assert asked == [
        "INFO persistence",
        "BGREWRITEAOF",
        "INFO persistence",
        "INFO persistence",
        "BGREWRITEAOF",
        "INFO persistence",
    ]
