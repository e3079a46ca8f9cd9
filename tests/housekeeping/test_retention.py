"""Forgetting by time, on both databases; months as partitions on PostgreSQL."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from bot.desk.tables import notes
from bot.events import Event
from bot.housekeeping.retention import DAY_S, Retention
from bot.settings import Settings
from bot.stores import partitions
from bot.stores.database import Database, insert_ignore
from bot.stores.event_log import write_events
from bot.stores.partitions import Month
from bot.stores.tables import dead_letters, events, messages, trackers

NOW = datetime.datetime(2026, 11, 22, tzinfo=datetime.UTC).timestamp()


def _message(name: str, at: float) -> dict[str, Any]:
    return {
        "id": name,
        "conversation": "rest-1",
        "episode_id": "e",
        "author": "customer",
        "agent": "",
        "text": "नमस्ते",
        "language": "hi",
        "entry": "",
        "content_version": 0,
        "quick_replies": None,
        "reading": None,
        "in_reply_to": "",
        "created_at": at,
        "delivery": "",
    }


def _event(name: str, at: float) -> Event:
    return Event(id=name, type="message.received", conversation="rest-1", occurred_at=at)


def _ids(database: Database, table: sa.Table) -> list[str]:
    return list(database.call(lambda c: c.execute(sa.select(table.c.id).order_by("id")).scalars()))


def _days_ago(days: float) -> float:
    return NOW - days * DAY_S


async def test_only_what_is_older_is_forgotten(database: Database) -> None:
    ages = {"today": 0, "month": 29, "older": 31, "old": 100, "ancient": 900}

    def seed(connection: sa.engine.Connection) -> None:
        insert_ignore(
            connection, messages, [_message(name, _days_ago(days)) for name, days in ages.items()]
        )
        write_events(connection, [_event(name, _days_ago(days)) for name, days in ages.items()])
        for name in ("month", "older"):
            at = _days_ago(ages[name])
            connection.execute(
                sa.insert(trackers).values(conversation=name, body="{}", updated_at=at)
            )
            connection.execute(
                sa.insert(notes).values(
                    id=name, conversation="rest-1", user_id="u", text="asked", created_at=at
                )
            )
            connection.execute(
                sa.insert(dead_letters).values(
                    id=name, direction="in", conversation="rest-1", error="", body={}, created_at=at
                )
            )

    database.call(seed)
    settings = dataclasses.replace(Settings(), keep_messages_days=30, keep_events_days=365)
    assert await Retention(settings, database).step(NOW) > 0
    assert _ids(database, messages) == ["month", "today"]
    assert _ids(database, events) == ["month", "old", "older", "today"]
    assert _ids(database, notes) == _ids(database, dead_letters) == ["month"]
    kept = database.call(lambda c: c.execute(sa.select(trackers.c.conversation)).scalars().all())
    assert kept == ["month"]
    assert await Retention(settings, database).step(NOW) == 0


async def test_without_a_limit_everything_stays(database: Database) -> None:
    database.call(lambda c: insert_ignore(c, messages, [_message("m", _days_ago(9000))]))
    assert await Retention(Settings(), database).step(NOW) == 0
    assert _ids(database, messages) == ["m"]


async def test_more_rows_than_one_transaction_takes(database: Database) -> None:
    rows = [_message(f"m{number}", _days_ago(50)) for number in range(2100)]
    database.call(lambda c: insert_ignore(c, messages, rows))
    settings = dataclasses.replace(Settings(), keep_messages_days=30)
    await Retention(settings, database).step(NOW)
    assert _ids(database, messages) == []


def test_an_event_told_twice_is_stored_once(database: Database) -> None:
    """Also where its key has the time, and the second telling has another time."""
    for at in (NOW, NOW + 1, NOW + 40 * DAY_S):
        database.call(lambda c, at=at: write_events(c, [_event("same", at)]))
    assert _ids(database, events) == ["same"]


@pytest.fixture
def parts(postgresql_url: str) -> Iterator[Database]:
    """A database that has partitions."""
    made = Database(postgresql_url)
    yield made
    made.close()


def test_months_are_made_ahead_and_once(parts: Database) -> None:
    later = NOW + 200 * DAY_S
    month = Month.of(later)
    assert parts.call(lambda c: partitions.create_missing(c, later)) > 0
    assert parts.call(lambda c: partitions.create_missing(c, later)) == 0
    for table in partitions.TIME_COLUMN:
        have = parts.call(lambda c, table=table: partitions.months(c, table))
        assert [month, month.add(1), month.add(2)] == have[-3:]


def test_a_row_of_an_unprepared_month_is_kept_and_moves_when_it_is_prepared(
    parts: Database,
) -> None:
    later = NOW + 400 * DAY_S

    def where(connection: sa.engine.Connection) -> str:
        return str(connection.exec_driver_sql("SELECT tableoid::regclass FROM messages").scalar())

    parts.call(lambda c: insert_ignore(c, messages, [_message("m", later)]))
    assert parts.call(where).endswith("messages_default")
    parts.call(lambda c: partitions.create_missing(c, later))
    assert parts.call(where).endswith(f"messages_{Month.of(later)}")
    assert _ids(parts, messages) == ["m"]


async def test_old_months_go_as_a_whole(parts: Database) -> None:
    old = NOW - 300 * DAY_S
    parts.call(lambda c: partitions.create_missing(c, old))
    before = parts.call(lambda c: partitions.months(c, "messages"))
    assert Month.of(old) in before
    settings = dataclasses.replace(Settings(), keep_messages_days=30)
    await Retention(settings, parts).step(NOW)
    after = parts.call(lambda c: partitions.months(c, "messages"))
    assert min(after) >= Month.of(NOW - 30 * DAY_S)
    assert Month.of(NOW) in after
    assert Month.of(old) in parts.call(lambda c: partitions.months(c, "events"))


def test_a_partition_has_the_indexes_of_its_table(parts: Database) -> None:
    parts.call(lambda c: partitions.create_missing(c, NOW + 100 * DAY_S))
    month = Month.of(NOW + 100 * DAY_S)

    def count(connection: sa.engine.Connection, name: str) -> int:
        query = "SELECT count(*) FROM pg_index WHERE indrelid = to_regclass(%s)"
        return int(connection.exec_driver_sql(query, (name,)).scalar_one())

    whole = parts.call(lambda c: count(c, "messages"))
    assert whole >= 3
    assert parts.call(lambda c: count(c, f"{partitions.SCHEMA}.messages_{month}")) == whole


def test_months_follow_each_other_over_the_new_year() -> None:
    assert Month(2026, 11).add(2) == Month(2027, 1)
    assert Month(2027, 1).add(-1) == Month(2026, 12)
    assert Month.of(Month(2027, 1).start) == Month(2027, 1)
    assert Month.of(Month(2027, 1).start - 1) == Month(2026, 12)
