"""Check, backup and restore: whole copies while it is in use, nothing overwritten, nothing lost."""

from __future__ import annotations

import sqlite3
import time
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.__main__ import main
from bot.errors import ConfigurationError
from bot.settings import Settings
from bot.stores import backup, migrate, redis_keys
from bot.stores.database import Database
from bot.stores.tables import customers


def _names(settings: Settings) -> list[str]:
    store = Database.of(settings)
    names = store.call(lambda c: list(c.execute(sa.select(customers.c.name)).scalars()))
    store.close()
    return sorted(names)


def _add(settings: Settings, name: str) -> None:
    store = Database.of(settings)
    row = {"id": f"c-{name}", "name": name, "locale": "", "created_at": 0.0}
    store.call(lambda c: c.execute(sa.insert(customers).values(row)))
    store.close()


@pytest.fixture
def filled(settings: Settings) -> Settings:
    migrate.upgrade(settings.sql_url)
    _add(settings, "ann")
    return settings


def _command(monkeypatch: pytest.MonkeyPatch, settings: Settings, *words: str) -> int:
    monkeypatch.setenv("SAMVAD_STATE_DIR", str(settings.state_dir))
    if settings.redis_url:
        monkeypatch.setenv("REDIS_URL", settings.redis_url)
    if settings.database_url:
        monkeypatch.setenv("DATABASE_URL", settings.database_url)
    return main(["db", *words])


def test_a_copy_made_while_somebody_writes_is_whole(filled: Settings, tmp_path: Path) -> None:
    store = Database.of(filled)
    with store.engine.begin() as writer:
        row = {"id": "c-late", "name": "late", "locale": "", "created_at": 0.0}
        writer.execute(sa.insert(customers).values(row))
        target = tmp_path / "copies" / "one.sqlite3"
        assert backup.backup(filled, target) == target.stat().st_size
    store.close()
    with sqlite3.connect(target) as copy:
        assert copy.execute("SELECT name FROM customers").fetchall() == [("ann",)]
        assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert [path.name for path in target.parent.iterdir()] == ["one.sqlite3"]


def test_a_backup_overwrites_nothing(filled: Settings, tmp_path: Path) -> None:
    target = tmp_path / "mine"
    target.write_text("precious")
    with pytest.raises(ConfigurationError, match="is there already"):
        backup.backup(filled, target)
    assert target.read_text() == "precious"


def test_restoring_brings_the_copy_back_and_keeps_the_former_file(
    filled: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "copy.sqlite3"
    assert _command(monkeypatch, filled, "backup", str(copy)) == 0
    _add(filled, "bob")
    assert _command(monkeypatch, filled, "restore", str(copy)) == 0
    assert _names(filled) == ["ann"]
    (kept,) = filled.state_dir.glob("samvad.sqlite3.before-*")
    with sqlite3.connect(kept) as former:
        assert former.execute("SELECT count(*) FROM customers").fetchone() == (2,)


def test_a_copy_of_an_older_schema_is_brought_up(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrate.upgrade(settings.sql_url, "0001")
    _add(settings, "ann")
    copy = tmp_path / "old.sqlite3"
    backup.backup(settings, copy)
    assert _command(monkeypatch, settings, "check") == 1
    assert _command(monkeypatch, settings, "restore", str(copy)) == 0
    assert _command(monkeypatch, settings, "check") == 0
    assert _names(settings) == ["ann"]


@pytest.mark.parametrize("what", ["no database", "another's", "newer", "cut"])
def test_what_is_no_backup_of_ours_is_refused(filled: Settings, tmp_path: Path, what: str) -> None:
    source = tmp_path / "source"
    backup.backup(filled, source)
    if what == "no database":
        source.write_text("hello " * 2000)
    elif what == "cut":
        source.write_bytes(source.read_bytes()[:-8192])
    else:
        with sqlite3.connect(source) as connection:
            newer, other = "UPDATE alembic_version SET version_num = '9999'", "DROP TABLE {}"
            connection.execute(newer if what == "newer" else other.format("alembic_version"))
    with pytest.raises(ConfigurationError):
        backup.restore(filled, source)
    assert _names(filled) == ["ann"]
    assert not list(filled.state_dir.glob("*.before-*"))


def test_restoring_waits_for_nobody_to_run(
    filled: Settings,
    redis_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from redis import Redis

    settings = replace(filled, redis_url=redis_url)
    copy = tmp_path / "copy.sqlite3"
    backup.backup(settings, copy)
    with Redis.from_url(redis_url) as client:
        client.flushdb()
        client.zadd(redis_keys.holders("engine"), {"engine-1@here": time.time() + 60})
        owner = redis_keys.owner(3, "rest-1")
        client.set(owner, "{}")
        assert _command(monkeypatch, settings, "restore", str(copy)) == 1
        assert "engine-1@here" in capsys.readouterr().err
        client.zadd(redis_keys.holders("engine"), {"engine-1@here": 1.0})
        assert client.exists(owner)
        assert _command(monkeypatch, settings, "restore", str(copy)) == 0
        assert not client.exists(owner), "a copy of the former database"


def test_a_damaged_file_is_told(
    filled: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _command(monkeypatch, filled, "check") == 0
    with sqlite3.connect(filled.state_dir / "samvad.sqlite3") as connection:
        connection.execute("PRAGMA writable_schema=ON")
        connection.execute(
            "UPDATE sqlite_master SET rootpage = (SELECT rootpage FROM sqlite_master"
            " WHERE name = 'messages') WHERE name = 'ix_messages_conversation'"
        )
    connection.close()
    assert _command(monkeypatch, filled, "check") == 1
    assert "BAD" in capsys.readouterr().out


def test_checking_makes_no_file(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _command(monkeypatch, settings, "check") == 1
    assert "db upgrade" in capsys.readouterr().out
    assert not list(settings.state_dir.glob("*.sqlite3"))
    assert _command(monkeypatch, settings, "upgrade") == 0
    assert _command(monkeypatch, settings, "check") == 0


def test_postgresql_is_checked_and_its_own_tools_are_named(
    settings: Settings,
    postgresql_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    there = replace(settings, database_url=postgresql_url)
    assert _command(monkeypatch, there, "check") == 0
    migrate.downgrade(postgresql_url, "0001")
    assert _command(monkeypatch, there, "check") == 1
    assert "db upgrade" in capsys.readouterr().out
    assert _command(monkeypatch, there, "upgrade") == 0
    assert _command(monkeypatch, there, "check") == 0
    assert _command(monkeypatch, there, "backup", str(tmp_path / "x")) == 1
    assert "pg_dump" in capsys.readouterr().err
