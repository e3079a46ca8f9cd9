"""Migrations: up gives what the code expects, down takes it away, data stays; on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from bot.desk import tables  # noqa: F401 - the desk's tables join METADATA
from bot.routing import tables as routing_tables  # noqa: F401 - and those of teams
from bot.stores import migrate
from bot.stores.database import Database
from bot.stores.tables import METADATA

CONVERSATION = (
    "INSERT INTO conversations (id, channel, account, vendor_user, customer_id, state, version,"
    " episode_id, episode_started_at, stint, language, priority, last_message_at)"
    " VALUES ('rest-1', 'rest', 'rest', 'ann', 'c-rest-1', 'bot', 1, 'e', 0, 1, 'mr', 0, 5)"
)
"""A row as the first schema took it; not from bot/stores/database.py, which is about today's."""
TRIGRAMS = "ix_trigrams_"
"""Begins the indexes for search on PostgreSQL, which the metadata does not know."""
ON_POSTGRESQL = {"0011", "0016"}
"""Revisions that have nothing to do on SQLite."""


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database without tables; the folder of the SQLite file does not exist yet."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'new' / 'samvad.sqlite3'}"
        return
    server = request.getfixturevalue("postgresql")
    name = server.create()
    yield server.url(name)
    server.drop(name)


def _schema(url: str) -> dict[str, set[str]]:
    """Columns and indexes by table, but for Alembic's own table; and functions of ours."""
    database = Database(url, threads=1)
    with database.engine.connect() as connection:
        inspector = sa.inspect(connection)
        found = {
            table: {column["name"] for column in inspector.get_columns(table)}
            | {str(index["name"]) for index in inspector.get_indexes(table)}
            for table in inspector.get_table_names()
        }
        if connection.dialect.name == "postgresql":
            written = "SELECT md5(prosrc) FROM pg_proc WHERE proname = 'samvad_fold'"
            found |= {body: set() for body in connection.exec_driver_sql(written).scalars()}
    database.close()
    found.pop("alembic_version", None)
    return found


def _execute(url: str, statement: str) -> list[sa.Row[tuple[object, ...]]]:
    database = Database(url, threads=1)
    try:
        return database.call(lambda c: _rows(c.exec_driver_sql(statement)))
    finally:
        database.close()


def _rows(result: sa.CursorResult[tuple[object, ...]]) -> list[sa.Row[tuple[object, ...]]]:
    return list(result.all()) if result.returns_rows else []


def _revisions() -> list[str]:
    """Oldest first."""
    scripts = ScriptDirectory.from_config(migrate.config())
    return [script.revision for script in reversed(list(scripts.walk_revisions()))]


def test_up_makes_the_tables_of_the_code_and_down_takes_them_away(url: str) -> None:
    migrate.upgrade(url)
    assert set(_schema(url)) >= set(METADATA.tables)
    migrate.downgrade(url, "base")
    assert _schema(url) == {}
    migrate.upgrade(url)
    assert set(_schema(url)) >= set(METADATA.tables)


def test_each_revision_goes_up_and_down_by_itself(url: str) -> None:
    before: dict[str, set[str]] = {}
    for number, revision in enumerate(_revisions()):
        migrate.upgrade(url, revision)
        after = _schema(url)
        assert after != before or (revision in ON_POSTGRESQL and url.startswith("sqlite"))
        migrate.downgrade(url, _revisions()[number - 1] if number else "base")
        assert _schema(url) == before
        migrate.upgrade(url, revision)
        assert _schema(url) == after
        before = after


def test_an_older_schema_with_data_comes_up_and_goes_back(url: str) -> None:
    migrate.upgrade(url, "0001")
    _execute(url, CONVERSATION)
    message = "('m1', 'rest-1', 'e', 'customer', '', 'कुठे आहे?', 'mr', '', 0, '', 5.5, '')"
    columns = (
        "id, conversation, episode_id, author, agent, text, language, entry,"
        " content_version, in_reply_to, created_at, delivery"
    )
    _execute(url, f"INSERT INTO messages ({columns}) VALUES {message}")
    old = _schema(url)
    for step in (migrate.upgrade, lambda u: migrate.downgrade(u, "0001"), migrate.upgrade):
        step(url)
        assert _execute(url, "SELECT id, text, created_at FROM messages") == [("m1", "कुठे आहे?", 5.5)]
        assert _execute(url, "SELECT vendor_user, language FROM conversations") == [("ann", "mr")]
    assert "ix_conversations_vendor_user" in _schema(url)["conversations"] - old["conversations"]


def test_nothing_is_left_to_migrate(database: Database) -> None:
    """A column added to bot/stores/database.py and not to a revision shows here."""

    def known(item: object, name: str | None, kind: str, *_: object) -> bool:
        return not (kind == "index" and (name or "").startswith(TRIGRAMS))

    def differences(connection: sa.engine.Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"include_object": known})
        return compare_metadata(context, METADATA)

    assert database.call(differences) == []


def test_upgrading_what_is_new_changes_nothing(database: Database) -> None:
    url = database.engine.url.render_as_string(hide_password=False)
    database.call(lambda c: c.execute(sa.text("INSERT INTO content_pointer VALUES (1, 5)")))
    migrate.upgrade(url)
    assert (
        database.call(lambda c: c.execute(sa.text("SELECT number FROM content_pointer")).scalar())
        == 5
    )
