"""Database care: check it, copy it while in use, restore a copy; docs/operations.md.

Copying is for the SQLite file; the errors here name PostgreSQL's own tools.
"""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from bot.errors import ConfigurationError
from bot.settings import Settings
from bot.stores import migrate
from bot.stores.database import Database
from bot.stores.tables import METADATA

PAGES = 2048
"""Pages copied at a time; writers may write in between."""


@dataclass(frozen=True)
class Finding:
    """Result of one check of the database."""

    check: str
    is_good: bool
    detail: str


def check(settings: Settings) -> list[Finding]:
    """Check schema and integrity; nothing is changed, and no missing file is created.

    Raises:
        StoreUnavailable: The database is down.
    """
    if _is_sqlite(settings) and not _path(settings).exists():
        return [Finding("file", False, f"{_path(settings)} is missing; `db upgrade` creates it")]
    store = Database.of(settings)
    try:
        return store.look(_findings)
    finally:
        store.close()


def backup(settings: Settings, target: Path) -> int:
    """Copy the SQLite file while it is in use; the copy is of one moment and complete.

    Returns:
        Bytes written.

    Raises:
        ConfigurationError: PostgreSQL, nothing to copy, or the target exists.
    """
    path = _path(settings)
    if target.exists():
        raise ConfigurationError(str(target), "is there already; name a new file")
    if not path.exists():
        raise ConfigurationError(str(path), "there is no database to copy")
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(target.name + ".unfinished")
    with _opened(path) as source, _opened(unfinished) as copy:
        source.backup(copy, pages=PAGES)
        copy.execute("PRAGMA journal_mode=DELETE")  # one file, nothing beside it
    _verify(unfinished)
    unfinished.rename(target)
    return target.stat().st_size


def restore(settings: Settings, source: Path) -> Path | None:
    """Replace the SQLite file by a copy. No process may be running.

    Returns:
        Where the replaced file is kept; None when there was none.

    Raises:
        ConfigurationError: PostgreSQL, or the copy is not of our database, damaged, or of newer
            code.
    """
    path = _path(settings)
    _verify(source)
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(path.name + ".restoring")
    shutil.copyfile(source, fresh)
    replaced = _set_aside(path)
    fresh.rename(path)
    return replaced


def _set_aside(path: Path) -> Path | None:
    if not path.exists():
        return None
    with _opened(path) as connection, contextlib.suppress(sqlite3.DatabaseError):
        # What is still in the log belongs to the file; a damaged file is kept as it is.
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
    target = path.with_name(f"{path.name}.before-{stamp}")
    number = 1
    while target.exists():
        number += 1
        target = path.with_name(f"{path.name}.before-{stamp}-{number}")
    path.rename(target)
    for suffix in ("-wal", "-shm"):
        companion = path.with_name(path.name + suffix)
        if companion.exists():
            companion.rename(target.with_name(target.name + suffix))
    return target


def _findings(connection: Connection) -> list[Finding]:
    revision, newest = migrate.current(connection), migrate.newest()
    existing = set(sa.inspect(connection).get_table_names())
    missing = sorted(set(METADATA.tables) - existing)
    detail = "newest" if revision == newest else f"the code expects {newest}; run `db upgrade`"
    if revision and not migrate.is_known(revision):
        detail = f"this code knows up to {newest} only; run newer code"
    findings = [
        Finding("schema", revision == newest, f"{revision or 'none'}, {detail}"),
        Finding("tables", not missing, f"missing: {', '.join(missing)}" if missing else "all"),
    ]
    if connection.dialect.name == "sqlite":
        faults = connection.exec_driver_sql("PRAGMA quick_check(5)").scalars().all()
        loose = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
        findings += [
            Finding("integrity", list(faults) == ["ok"], "; ".join(str(fault) for fault in faults)),
            Finding("references", not loose, f"{len(loose)} broken"),
        ]
    else:
        broken = "SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
        names = connection.exec_driver_sql(f"{broken} WHERE NOT i.indisvalid").scalars().all()
        findings.append(Finding("indexes", not names, f"invalid: {', '.join(names) or 'none'}"))
    return findings


def _verify(path: Path) -> None:
    """Refuse a file that is not a complete database of this system."""
    if not path.is_file():
        raise ConfigurationError(str(path), "there is no such file")
    try:
        with _opened(path) as connection:
            faults = [row[0] for row in connection.execute("PRAGMA quick_check(1)")]
            revision = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.DatabaseError as error:
        raise ConfigurationError(str(path), f"is no backup of ours: {error}") from error
    if faults != ["ok"]:
        raise ConfigurationError(str(path), f"is damaged: {faults[0]}")
    if not revision or not migrate.is_known(revision[0]):
        raise ConfigurationError(str(path), "was written by newer code; restore it with that")


def _is_sqlite(settings: Settings) -> bool:
    return sa.make_url(settings.sql_url).get_backend_name() == "sqlite"


def _path(settings: Settings) -> Path:
    url = sa.make_url(settings.sql_url)
    if not _is_sqlite(settings):
        raise ConfigurationError(
            "DATABASE_URL",
            "this command copies the SQLite file; with PostgreSQL use `pg_dump --format=custom "
            f"--file=FILE {url.database}` and `pg_restore --clean --dbname={url.database} FILE`",
        )
    return Path(str(url.database))


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(path, timeout=15, isolation_level=None)
    try:
        yield connection
    finally:
        connection.close()
