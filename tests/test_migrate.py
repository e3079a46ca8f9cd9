"""Migrations: up gives what the code expects, down takes it away, up again is nothing."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from bot import migrate
from bot.database import METADATA, Database
from bot.desk import tables  # noqa: F401 - the desk's tables join METADATA


def _tables(path: Path) -> set[str]:
    with sqlite3.connect(path) as connection:
        rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        return {name for (name,) in rows} - {"sqlite_sequence"}


def test_up_makes_the_tables_of_the_code_and_down_takes_them_away(tmp_path: Path) -> None:
    path = tmp_path / "new" / "samvad.sqlite3"
    url = f"sqlite:///{path}"
    migrate.upgrade(url)
    assert _tables(path) == set(METADATA.tables) | {"alembic_version"}
    migrate.downgrade(url, "base")
    assert _tables(path) == {"alembic_version"}
    migrate.upgrade(url)
    assert _tables(path) == set(METADATA.tables) | {"alembic_version"}


def test_each_revision_goes_up_and_down_by_itself(tmp_path: Path) -> None:
    path = tmp_path / "samvad.sqlite3"
    url = f"sqlite:///{path}"
    revisions = ScriptDirectory.from_config(migrate.config(url)).walk_revisions()
    for revision in reversed(list(revisions)):
        before = _tables(path) if path.exists() else {"alembic_version"}
        migrate.upgrade(url, revision.revision)
        migrate.downgrade(url, str(revision.down_revision or "base"))
        assert _tables(path) == before
        migrate.upgrade(url, revision.revision)


def test_nothing_is_left_to_migrate(database: Database) -> None:
    """A column added to bot/database.py and not to a revision shows here."""

    def differences(connection: sa.engine.Connection) -> list[object]:
        return compare_metadata(MigrationContext.configure(connection), METADATA)

    assert database.call(differences) == []


def test_upgrading_what_is_new_changes_nothing(database: Database) -> None:
    url = database.engine.url.render_as_string(hide_password=False)
    database.call(lambda c: c.execute(sa.text("INSERT INTO content_pointer VALUES (1, 5)")))
    migrate.upgrade(url)
    assert (
        database.call(lambda c: c.execute(sa.text("SELECT number FROM content_pointer")).scalar())
        == 5
    )
