"""Databases of the past: what each earlier revision held is there after an upgrade, and is read.

The rows are in history_rows.yml; a revision is added to these tests by being there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import pytest
import sqlalchemy as sa
from past_databases import Upgraded, revisions, whole_schema, write_rows
from sqlalchemy.engine import Connection

from bot.content import versions
from bot.conversation import store
from bot.conversation.states import State
from bot.conversation.store import Conversation
from bot.desk.conversation import labels, merging, thread
from bot.desk.lists import queries, saved_filters
from bot.desk.lists.filters import View
from bot.desk.lists.rows import rows_of
from bot.desk.pages.canned import queries as canned
from bot.desk.pages.macros import queries as macros
from bot.desk.people import audit, auth, users
from bot.desk.search import find, index
from bot.dialogue.context import Context
from bot.files import rows as file_rows
from bot.reports.base import Filters
from bot.reports.quick_replies import read_usage
from bot.routing import policies, queue, teams
from bot.routing.model import Presence
from bot.stores import migrate
from bot.stores.database import Database
from bot.stores.packing import unpack
from bot.stores.set_aside import SetAside
from bot.stores.tables import conversations, trackers
from bot.streams import dead_letters, recorder
from bot.streams.messages import Inbound


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module", params=revisions()[:-1])
def upgraded(
    request: pytest.FixtureRequest, kind: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Upgraded]:
    """One database for all tests of a revision: those that write do so in a transaction of their
    own, which they give up."""
    if kind == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('history') / 'samvad.sqlite3'}"
    else:
        server = request.getfixturevalue("postgresql")
        name = server.create()
        url = server.url(name)
    migrate.upgrade(url, request.param)
    database = Database(url, threads=1)
    written = database.call(write_rows)
    database.close()
    migrate.upgrade(url)
    database = Database(url, threads=1)
    database.call(_prepare_search)
    yield Upgraded(database, written)
    database.close()
    if kind == "postgresql":
        server.drop(name)


def _prepare_search(connection: Connection) -> None:
    """Index what is there, as the desk does when it starts."""
    index.prepare(connection)
    if index.supported(connection):
        index.catch_up(connection)


def _look(upgraded: Upgraded, work: Callable[[Connection], Any]) -> Any:
    """Run `work` in a transaction that is given up."""
    with upgraded.database.engine.connect() as connection:
        try:
            return work(connection)
        finally:
            connection.rollback()


def test_there_are_rows_in_every_table(upgraded: Upgraded) -> None:
    assert all(upgraded.written.values())
    assert {"conversations", "messages", "events", "users"} <= upgraded.written.keys()


def test_tables_nobody_wrote_rows_for_get_one() -> None:
    engine = sa.create_engine("sqlite://")
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE TABLE later (id VARCHAR(4) PRIMARY KEY NOT NULL, words JSON NOT NULL,"
            " number INTEGER NOT NULL, at FLOAT NOT NULL, is_late BOOLEAN NOT NULL, note TEXT)"
        )
        [row] = write_rows(connection)["later"]
        assert connection.exec_driver_sql("SELECT id, note FROM later").all() == [("ประว", None)]
        assert (row["words"], row["number"], row["is_late"]) == ({"ก": "क"}, 3, True)


def test_rows_are_kept(upgraded: Upgraded) -> None:
    def lost(connection: Connection) -> list[tuple[str, dict[str, Any]]]:
        schema = sa.MetaData()
        schema.reflect(connection)
        missing = []
        for name, rows in upgraded.written.items():
            found = [
                dict(row) for row in connection.execute(schema.tables[name].select()).mappings()
            ]
            missing += [
                (name, row) for row in rows if not any(row.items() <= f.items() for f in found)
            ]
        return missing

    assert _look(upgraded, lost) == []


def test_the_schema_is_that_of_a_new_database(
    upgraded: Upgraded, kind: str, request: pytest.FixtureRequest
) -> None:
    if kind == "sqlite":
        new = Database(f"sqlite:///{request.getfixturevalue('migrated')}", threads=1)
    else:
        new = Database(request.getfixturevalue("postgresql_url"), threads=1)
    try:
        assert _look(upgraded, whole_schema) == new.look(whole_schema)
    finally:
        new.close()


def test_conversations_are_read(upgraded: Upgraded) -> None:
    for row in upgraded.written["conversations"]:
        found = _look(upgraded, lambda c, row=row: store.get(c, row["id"]))
        assert found == Conversation.from_row(row)


def test_a_conversation_is_shown_with_what_was_said_and_noted(upgraded: Upgraded) -> None:
    shown = _look(upgraded, lambda c: thread.load(c, "facebook-asha", "u-nok"))
    assert [(item.kind, item.text) for item in shown.items] == [
        ("message", "मेरा ऑर्डर कहाँ है? MK-20931"),
        ("message", "नमस्ते, मैं देखती हूँ।"),
        ("event", ""),
        ("note", "@nok कूरियर को फ़ोन किया"),
    ]
    assert shown.customer["name"] == "आशा कुलकर्णी"
    assert shown.names == {"u-nok": "นก"}
    assert shown.row.labels == ("ด่วน",)
    earlier = _look(upgraded, lambda c: thread.load(c, "webchat-somchai", "u-nok"))
    assert [item.quick_replies for item in earlier.items if item.author == "bot"] == [
        ("คุยกับพนักงาน",)
    ]


def test_what_was_said_is_found(upgraded: Upgraded) -> None:
    wanted = {
        "ได้รับ": ["webchat-somchai"],
        "ऑर्डर mk-20931": ["facebook-asha"],
        "कूरियर": ["facebook-asha"],
        "اريد استرجاع": ["telegram-layla"],
        "ليلى": ["telegram-layla"],
        "CAMION": ["rest-jose"],
    }
    found = {word: _look(upgraded, lambda c, w=word: find.conversations(c, w)) for word in wanted}
    assert found == wanted


def test_events_are_read(upgraded: Upgraded) -> None:
    usage = _look(upgraded, lambda c: read_usage(c, Filters()))
    assert [(row["quick_reply"], row["shown"], row["tapped"]) for row in usage] == [
        ("person", 1, 1),
        ("wrong-item", 1, 0),
    ]


def test_the_live_content_and_the_memory_of_the_bot_are_read(upgraded: Upgraded) -> None:
    live = _look(upgraded, lambda c: versions.read(c, versions.live_number(c)))
    assert live.number == 1
    assert live.answers("wrong-item", date(2026, 11, 28))
    assert live.by_id["wrong-item"].answer("hi", "webchat", "en") == (
        "आप इसे वापस भेज सकते हैं।",
        "hi",
    )
    body = _look(upgraded, lambda c: c.execute(sa.select(trackers.c.body)).scalar_one())
    context = Context.from_dict(unpack(body)["context"])
    assert context.failures == 1
    assert context.typed("คุยกับพนักงาน") is not None


def test_the_queue_and_those_put_aside_are_read(upgraded: Upgraded) -> None:
    def place(connection: Connection) -> Any:
        [waiting] = queue.list_waiting(connection)
        return waiting.id, queue.place_of(connection, waiting, agents_online=1).place

    assert _look(upgraded, place) == ("webchat-somchai", 1)
    [aside] = _look(upgraded, lambda c: queries.list_rows(c, View.SNOOZED, "u-nok"))
    assert (aside.id, aside.until) == ("telegram-layla", 1789100000.0)


def test_the_desk_reads_its_own(upgraded: Upgraded) -> None:
    assert _look(upgraded, labels.in_use) == ["ด่วน"]
    assert [reply.text for reply in _look(upgraded, canned.list_all)] == ["สวัสดีค่ะ {name}"]
    assert [row["action"] for row in _look(upgraded, audit.latest)] == ["label.added"]
    assert [row["id"] for row in _look(upgraded, dead_letters.read_letters)] == ["m-ar-9"]
    assert _look(upgraded, lambda c: rows_of(c, ["facebook-asha"], "u-nok"))[0].read_at


def test_a_person_logs_in_and_a_login_lasts(upgraded: Upgraded) -> None:
    held = _look(upgraded, lambda c: auth.find_session(c, "token-of-last-year", 1789000300.0))
    assert held.user.name == "นก"
    assert held.user.languages == ("th", "hi")
    [row] = upgraded.written["users"]
    assert users.HASHER.verify(row["password_hash"], "a password of last year")
    [user] = _look(upgraded, users.list_users)
    assert user.interface_language == (row.get("interface_language") or "")


def _reads_teams(connection: Connection) -> None:
    _, ours = teams.list_teams(connection)
    assert (ours.name, ours.topics, ours.overflow_after_s) == ("คืนสินค้า", {"returns"}, 600)
    assert not ours.hours.is_open(1796446800.0), "5 December is an exception"
    assert teams.teams_of(connection, "u-nok") == {"everyone", "t-returns"}


def _reads_agents(connection: Connection) -> None:
    profile = teams.profiles(connection)["u-nok"]
    assert (profile.levels, profile.presence) == ({"th": 3, "hi": 2}, Presence.BUSY)


def _reads_service_levels(connection: Connection) -> None:
    [policy] = policies.list_policies(connection)
    assert (policy.name, policy.first_reply_s, policy.next_reply_s) == ("เร็ว", 600, None)
    [clock] = policies.open_clocks(connection, SetAside("sla"))
    assert (clock.conversation, clock.due_at) == ("webchat-somchai", 1789001100.5)


def _reads_ratings(connection: Connection) -> None:
    shown = thread.load(connection, "rest-jose", "u-nok")
    assert shown is not None
    [rated] = [item for item in shown.items if item.author == "survey.answered"]
    assert rated.data["words"] == "Rápido, ¡gracias!"


def _reads_files(connection: Connection) -> None:
    [file] = file_rows.of_messages(connection, "webchat-somchai", ["m-th-1"])["m-th-1"]
    assert (file.name, file.size) == ("กล่องพัสดุ.jpg", 3_000_000_000)


def _reads_mentions(connection: Connection) -> None:
    rows = queries.list_rows(connection, View.MENTIONS, "u-nok")
    assert [row.id for row in rows] == ["facebook-asha"]


def _reads_filters(connection: Connection) -> None:
    [kept] = saved_filters.of_users(connection, ["u-nok"])["u-nok"]
    assert (kept.name, kept.view, kept.filters.language) == ("ภาษาไทย", "waiting", "th")


def _reads_macros(connection: Connection) -> None:
    assert [step["do"] for step in macros.get(connection, "x-1").steps] == ["note", "resolve"]


def _reads_merges(connection: Connection) -> None:
    assert merging.conversations_of(connection, "g-1") == ["facebook-asha", "rest-jose"]


SINCE: dict[str, Callable[[Connection], None]] = {
    "teams": _reads_teams,
    "agents": _reads_agents,
    "sla_clocks": _reads_service_levels,
    "survey_answers": _reads_ratings,
    "files": _reads_files,
    "desk_mentions": _reads_mentions,
    "desk_filters": _reads_filters,
    "desk_macros": _reads_macros,
    "desk_merges": _reads_merges,
}
"""How the application reads tables that the first schema had not."""


def test_tables_that_came_later_are_read(upgraded: Upgraded) -> None:
    for table in SINCE.keys() & upgraded.written.keys():
        _look(upgraded, SINCE[table])


def test_work_goes_on(upgraded: Upgraded) -> None:
    """A customer of the past writes again, and is found by what they write."""

    def work(connection: Connection) -> None:
        again = Inbound(
            id="m-es-2",
            conversation="rest-jose",
            channel="rest",
            account="rest",
            vendor_user="jose",
            received_at=1789000900.0,
        )
        reopened = store.open_for(connection, again, "es")
        assert (reopened.state, reopened.stint, reopened.version) == (State.BOT, 2, 4)
        said = {**upgraded.written["messages"][0], "id": "m-es-2", "conversation": "rest-jose"}
        said |= {"text": "¿Y el cañón?", "created_at": 1789000900.0}
        recorder.store_rows(connection, [{"kind": "message", "body": said}])
        if index.supported(connection):
            index.catch_up(connection)
        assert find.conversations(connection, "canon") == ["rest-jose"]
        latest = sa.select(conversations.c.last_message_at).where(conversations.c.id == "rest-jose")
        assert connection.execute(latest).scalar_one() == 1789000900.0

    _look(upgraded, work)
