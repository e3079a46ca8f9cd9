"""Each loop is given an odd row beside good ones: those are worked off, and it goes on."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import builders
import pytest
import redis.asyncio
import sqlalchemy as sa
from structlog.testing import capture_logs

from bot.conversation import store
from bot.conversation.changes import Changes
from bot.conversation.states import State
from bot.desk.search import index as search_index
from bot.desk.search.index import Indexer
from bot.events import Event
from bot.files.fetch import Fetcher
from bot.files.store import store_of
from bot.handoff.router import Router
from bot.handoff.service import HandoffService
from bot.handoff.snooze import Snoozer
from bot.housekeeping.closing import ConversationCloser
from bot.housekeeping.files import FileRemover
from bot.housekeeping.retention import Retention
from bot.processes.every import every, timed
from bot.routing import policies, presence, teams
from bot.routing.keeper import SlaKeeper
from bot.routing.sla import SlaPolicy
from bot.routing.tables import sla_clocks
from bot.settings import Settings
from bot.stores import redis_keys
from bot.stores.database import Database, insert_ignore
from bot.stores.event_log import write_events
from bot.stores.tables import conversations, events, files, messages, snoozes, users
from bot.streams import attachments
from bot.streams.attachments import FETCHING, Attachment
from bot.streams.lease import Leases
from bot.streams.recorder import Recorder
from channels.kit.agent_typing import TypingShown

ODD = "rest-odd"
GOOD = ("rest-a", "rest-b")


@pytest.fixture
def database(settings: Settings, migrated: Path) -> Iterator[Database]:
    """SQLite alone: PostgreSQL takes no text that is no JSON."""
    settings.state_dir.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(migrated, settings.state_dir / "samvad.sqlite3")
    made = Database.of(settings)
    yield made
    made.close()


@asynccontextmanager
async def looping(step: Callable[[], Awaitable[object]]) -> AsyncIterator[list[Any]]:
    """Run a loop while the context lasts; it must still run at its end. Gives what it logs."""
    with capture_logs() as logs:
        task = asyncio.create_task(every(0.005, step, name="test"))
        try:
            yield logs
            assert not task.done()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
    assert [entry for entry in logs if entry["event"] == "loop.failed"] == []


def set_aside(logs: Sequence[Any]) -> list[str]:
    return [entry["row"] for entry in logs if entry["event"] == "row.set_aside"]


def brought(database: Database, state: State, **more: Any) -> list[str]:
    """An odd conversation, older than two good ones, in a state; returns all ids."""
    return [
        builders.brought_to(database, state, user=user, **more).id for user in ("odd", "a", "b")
    ]


def spoil(database: Database, conversation: str) -> None:
    """Make a row that cannot be read."""
    database.call(
        lambda c: c.exec_driver_sql(
            "UPDATE conversations SET cause_detail = '{' WHERE id = ?", (conversation,)
        )
    )


def states(database: Database, ids: Sequence[str]) -> list[str]:
    query = sa.select(conversations.c.id, conversations.c.state)
    found = dict(database.call(lambda c: c.execute(query).tuples().all()))
    return [found[id_] for id_ in ids]


async def test_closing(settings: Settings, database: Database, redis: redis.asyncio.Redis) -> None:
    idle, waiting = brought(database, State.BOT), []
    for user in ("odd2", "c"):
        waiting.append(builders.brought_to(database, State.WAITING, user=user).id)
    spoil(database, idle[0])
    spoil(database, waiting[0])
    sweeper = ConversationCloser(settings, database, redis)
    later = time.time() + settings.queue_abandon_s + settings.episode_idle_s + 1

    def are_closed() -> bool:
        return states(database, [*idle[1:], waiting[1]]) == ["closed"] * 3

    async with looping(lambda: sweeper.step(later)) as logs:
        await builders.until(are_closed)
    assert states(database, [idle[0], waiting[0]]) == ["bot", "waiting"]
    assert set_aside(logs) == [idle[0], waiting[0]]
    assert len(sweeper.aside) == 2


async def test_closing_goes_on_where_a_whole_part_fails(
    settings: Settings,
    database: Database,
    redis: redis.asyncio.Redis,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Such as a team that cannot be read: nobody's wait ends, but agents' absence is noticed."""
    mine = builders.brought_to(database, State.ASSIGNED, owner="asha")
    sweeper = ConversationCloser(settings, database, redis)

    async def fails(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(sweeper, "_by_team", fails)
    await sweeper.step(time.time())
    assert await sweeper.step(time.time() + settings.agent_gone_s + 60) == 1
    assert states(database, [mine.id]) == ["waiting"]
    assert sweeper.aside.ids() == ["_abandoned", "_waiting_too_long"]


def message_row(name: str, at: float) -> dict[str, Any]:
    return {
        "id": name,
        "conversation": "rest-1",
        "episode_id": "e",
        "author": "customer",
        "agent": "",
        "text": f"words of {name}",
        "language": "en",
        "entry": "",
        "content_version": 0,
        "quick_replies": None,
        "reading": None,
        "in_reply_to": "",
        "created_at": at,
        "delivery": "",
    }


def add_messages(database: Database, *names: str, at: float = 1.0) -> None:
    rows = [message_row(name, at) for name in names]
    database.call(lambda c: c.execute(sa.insert(messages), rows))


def message_ids(database: Database) -> list[str]:
    return list(database.call(lambda c: c.execute(sa.select(messages.c.id)).scalars()))


async def test_retention(settings: Settings, database: Database) -> None:
    add_messages(database, "odd", *GOOD)
    database.call(
        lambda c: c.exec_driver_sql(
            "CREATE TRIGGER odd BEFORE DELETE ON messages WHEN old.id = 'odd'"
            " BEGIN SELECT raise(ABORT, 'no'); END"
        )
    )
    forgetter = Retention(replace(settings, keep_messages_days=1, keep_events_days=1), database)
    async with looping(timed(forgetter.step)) as logs:
        await builders.until(lambda: message_ids(database) == ["odd"])
        add_messages(database, "later")
        await builders.until(lambda: message_ids(database) == ["odd"])
    assert set_aside(logs) == ["messages/odd"]


async def test_file_sweep(
    settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def add(*names: str) -> None:
        rows = [
            attachments.row_of(
                Attachment(name, "file", "a.txt"),
                conversation="c",
                author="customer",
                created_at=1.0,
                message="",
            )
            for name in names
        ]
        database.call(lambda c: insert_ignore(c, files, rows))

    def left() -> list[str]:
        return list(database.call(lambda c: c.execute(sa.select(files.c.id)).scalars()))

    add("odd", *GOOD)
    kept = store_of(settings)
    delete = kept.delete

    async def fails(ids: Sequence[str]) -> None:
        if "odd" in ids:
            raise IsADirectoryError
        await delete(ids)

    monkeypatch.setattr(kept, "delete", fails)
    sweeper = FileRemover(settings, database, kept)
    async with looping(timed(sweeper.step)) as logs:
        await builders.until(lambda: left() == ["odd"])
        add("later")
        await builders.until(lambda: left() == ["odd"])
    assert set_aside(logs) == ["odd"]


def add_agent(database: Database, name: str, capacity: int) -> None:
    row = {
        "id": name,
        "login": name,
        "name": name.title(),
        "role": "agent",
        "password_hash": "x",
        "failed_logins": 0,
        "locked_until": 0.0,
        "created_at": 0.0,
    }
    database.call(lambda c: c.execute(sa.insert(users).values(**row)))
    database.call(lambda c: teams.save_profile(c, name, levels={}, capacity=capacity))


async def test_routing(settings: Settings, database: Database, redis: redis.asyncio.Redis) -> None:
    ids = brought(database, State.WAITING)
    spoil(database, ids[0])
    add_agent(database, "asha", 2)
    await presence.mark_online(redis, "asha")
    service = HandoffService(settings, database, redis)
    router = Router(replace(settings, routing_mode="automatic"), database, redis, service, "h")
    async with looping(router.step) as logs:
        await builders.until(lambda: states(database, ids[1:]) == ["assigned"] * 2)
    assert states(database, ids[:1]) == ["waiting"], "the odd one takes nobody's place"
    assert set_aside(logs) == [ids[0]]


async def test_routing_of_one_that_cannot_be_compared(
    settings: Settings, database: Database, redis: redis.asyncio.Redis
) -> None:
    ids = brought(database, State.WAITING)
    database.call(
        lambda c: c.exec_driver_sql(
            "UPDATE conversations SET waiting_since = 'long ago' WHERE id = ?", (ids[0],)
        )
    )
    add_agent(database, "asha", 2)
    await presence.mark_online(redis, "asha")
    service = HandoffService(settings, database, redis)
    router = Router(replace(settings, routing_mode="automatic"), database, redis, service, "h")
    async with looping(router.step) as logs:
        await builders.until(lambda: states(database, ids[1:]) == ["assigned"] * 2)
    assert set_aside(logs) == [ids[0]]


def asked(database: Database) -> list[str]:
    """An odd and two good conversations that were handed off at `NOW`."""
    ids = brought(database, State.WAITING)
    told = [
        Event(f"{id_}-asked", "handoff.requested", id_, found.episode_id, occurred_at=builders.NOW)
        for id_ in ids
        if (found := database.call(lambda c, id_=id_: store.get(c, id_)))
    ]
    database.call(lambda c: write_events(c, told))
    return ids


@pytest.mark.parametrize(
    "spoilt", ["SET clock = 'sun' || clock", "SET due_at = 'soon', warn_at = 'sooner'"]
)
async def test_service_levels(
    settings: Settings, database: Database, redis: redis.asyncio.Redis, spoilt: str
) -> None:
    promise = SlaPolicy(
        "", "Usual", first_reply_s=600, next_reply_s=300, resolution_s=7200, business_hours=False
    )
    database.call(lambda c: policies.save_policy(c, promise))
    ids = asked(database)
    keeper = SlaKeeper(settings, database, redis, "h")
    await keeper.step(builders.NOW)
    database.call(
        lambda c: c.exec_driver_sql(f"UPDATE sla_clocks {spoilt} WHERE conversation = ?", (ids[0],))
    )

    def broken() -> set[str]:
        query = sa.select(events.c.conversation).where(events.c.type == "sla.breached")
        return set(database.call(lambda c: c.execute(query).scalars()))

    async with looping(lambda: keeper.step(builders.NOW + 9999)) as logs:
        await builders.until(lambda: broken() == set(ids[1:]))
    assert set_aside(logs) == [ids[0]]


async def test_service_levels_that_cannot_be_written(
    settings: Settings, database: Database, redis: redis.asyncio.Redis
) -> None:
    promise = SlaPolicy(
        "", "Usual", first_reply_s=None, next_reply_s=None, resolution_s=7200, business_hours=False
    )
    database.call(lambda c: policies.save_policy(c, promise))
    ids = asked(database)
    database.call(
        lambda c: c.exec_driver_sql(
            "CREATE TRIGGER odd BEFORE INSERT ON sla_clocks"
            f" WHEN new.conversation = '{ids[0]}' BEGIN SELECT raise(ABORT, 'no'); END"
        )
    )
    keeper = SlaKeeper(settings, database, redis, "h")

    def kept() -> set[str]:
        query = sa.select(sla_clocks.c.conversation)
        return set(database.call(lambda c: c.execute(query).scalars()))

    async with looping(lambda: keeper.step(builders.NOW + 1)) as logs:
        await builders.until(lambda: kept() == set(ids[1:]))
    assert set_aside(logs) == [ids[0]]


async def test_snooze(settings: Settings, database: Database, redis: redis.asyncio.Redis) -> None:
    ids = brought(database, State.SNOOZED)
    rows = [
        {"conversation": id_, "user_id": "asha", "until": 10.0, "created_at": 1.0} for id_ in ids
    ]
    database.call(lambda c: c.execute(sa.insert(snoozes), rows))
    spoil(database, ids[0])
    snoozer = Snoozer(database, Changes(settings.shards, database, redis))
    async with looping(timed(snoozer.wake_due)) as logs:
        await builders.until(lambda: states(database, ids[1:]) == ["assigned"] * 2)
    assert states(database, ids[:1]) == ["snoozed"]
    assert set_aside(logs) == [ids[0]]


async def test_search(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    database.call(search_index.prepare)
    fold = search_index.fold

    def fails(text: str) -> str:
        if "odd" in text:
            raise ZeroDivisionError
        return fold(text)

    monkeypatch.setattr(search_index, "fold", fails)
    monkeypatch.setattr(search_index, "BATCH", 20)
    names = [f"good-{number}" for number in range(30)]
    add_messages(database, *names[:15], "odd", *names[15:])
    indexer = Indexer(database)

    def found() -> int:
        query = "SELECT count(*) FROM desk_search_rows WHERE source = 'message'"
        return int(database.call(lambda c: c.exec_driver_sql(query).scalar()) or 0)

    async with looping(indexer.step) as logs:
        await builders.until(lambda: found() == 30)
        add_messages(database, "good-later")
        await builders.until(lambda: found() == 31)
    assert set_aside(logs) == ["message/16"]
    assert not database.call(search_index.behind)


class Vendor:
    """Has every file, or shows typing; but one."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def aclose(self) -> None:
        """Nothing is open."""

    async def show_typing(self, account: str, vendor_user: str) -> None:
        self.asked.append(vendor_user)
        if vendor_user == "odd":
            raise ZeroDivisionError


@pytest.mark.parametrize("way", ["telling fails", "unreadable"])
async def test_fetching_files(
    settings: Settings, database: Database, redis: redis.asyncio.Redis, way: str
) -> None:
    told: list[str] = []

    async def tell(row: Any) -> None:
        if row["id"] == "odd":
            raise ZeroDivisionError
        told.append(row["id"])

    def add(*names: str) -> None:
        rows = [
            attachments.row_of(
                Attachment(name, "file", "a.txt", state=FETCHING, source="x"),
                conversation="c",
                author="customer",
                created_at=1.0,
                message="m",
                origin=("gone", "a"),
            )
            for name in names
        ]
        database.call(lambda c: insert_ignore(c, files, rows))

    add("odd", *GOOD)
    if way == "unreadable":
        query = "UPDATE files SET source = '{' WHERE id = 'odd'"
        database.call(lambda c: c.exec_driver_sql(query))
    fetcher = Fetcher(settings, database, redis, store_of(settings), {}, tell)
    async with looping(fetcher.step) as logs:
        await builders.until(lambda: sorted(told) == sorted(GOOD))
        add("later")
        await builders.until(lambda: "later" in told)
    assert set_aside(logs) == ["odd"]


async def test_typing(settings: Settings, database: Database, redis: redis.asyncio.Redis) -> None:
    for user in ("odd", "a"):
        found = builders.brought_to(database, State.ASSIGNED, user=user)
        shard = redis_keys.shard_of(found.id, settings.shards)
        await redis.set(redis_keys.owner(shard, found.id), found.to_json())
    leases = Leases(redis, "sender", "s", settings.shards, 60.0)
    await leases.step()
    vendor = Vendor()
    shown = TypingShown(settings, redis, leases, {"rest": vendor}, {"rest": 4.0})

    def types(user: str) -> None:
        conversation = builders.inbound(user=user).conversation
        shown.take(json.dumps({"what": "typing", "conversation": conversation}))

    with capture_logs() as logs:
        types("odd")
        await builders.until(lambda: len(shown.aside) == 1)
        shown._shown.clear()
        types("odd")
        types("a")
        await builders.until(lambda: vendor.asked == ["odd", "a"])
    assert set_aside(logs) == [builders.inbound(user="odd").conversation]


@pytest.mark.parametrize(
    "odd", [{"body": "{"}, {"other": "x"}, {"body": '{"kind": "message", "body": [1]}'}]
)
async def test_recording(
    settings: Settings, database: Database, redis: redis.asyncio.Redis, odd: dict[str, str]
) -> None:
    leases = Leases(redis, "recorder", "r", 2, 60.0)
    await leases.step()
    recorder = Recorder(redis, leases, database)

    def good(name: str) -> dict[str, Any]:
        return {"body": json.dumps({"kind": "message", "body": message_row(name, 1.0)})}

    stream = redis_keys.record(0)

    async def is_moved() -> bool:
        """Nothing is lost: the odd one is left."""
        return int(await redis.xlen(stream)) == 1

    for fields in (good("a"), odd, good("b")):
        await redis.xadd(stream, fields)
    async with looping(recorder.step) as logs:
        await builders.until(lambda: message_ids(database) == ["a", "b"])
        await redis.xadd(stream, good("later"))
        await builders.until(lambda: message_ids(database) == ["a", "b", "later"])
        await builders.until(is_moved)
    assert [entry["event"] for entry in logs] == ["row.set_aside"]
    assert len(recorder.aside) == 1


def test_every_loop_of_a_housekeeper_is_tested_here() -> None:
    """Names of the loops that work rows off, as `bot/processes/housekeeper.py` has them."""
    tested = {"closing", "retention", "file-sweep", "routing", "service-levels", "snooze", "search"}
    source = (Path(__file__).parents[2] / "bot/processes/housekeeper.py").read_text("utf-8")
    assert set(re.findall(r'name="([^"]+)"', source)) == tested
