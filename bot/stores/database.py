"""The SQL database: an SQLite file by default, PostgreSQL by URL; docs/storage.md.

SQLAlchemy Core, synchronous, run in a small pool of threads: a local read costs a tenth of a
millisecond and the same code serves both databases.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from bot.errors import StoreUnavailable
from bot.settings import Settings
from bot.stores import not_now, state_folder
from bot.stores.packing import pack, unpack

Result = TypeVar("Result")
_BUSY_TIMEOUT = "PRAGMA busy_timeout={}"

CONNECT_TIMEOUT_S = 5
BUSY_S = 15
"""How long a writer of the SQLite file waits for another."""
# Of a customer's words that come with a statement, none gets into an error's text.
_ENGINE: dict[str, Any] = {
    "json_serializer": pack,
    "json_deserializer": unpack,
    "hide_parameters": True,
}
_POSTGRESQL: dict[str, Any] = {"prepare_threshold": None}
"""Without this the driver prepares statements it sends often, on a connection that a pooler such as
PgBouncer may give to another client for the next transaction."""


class Database:
    """Engine of the database with its pool of threads.

    Args:
        url: SQLAlchemy URL, such as `sqlite:////var/lib/samvad.sqlite3`.
        threads: Transactions at once.
    """

    def __init__(self, url: str, threads: int = 4) -> None:
        self.engine = _engine(url)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="sql")
        self._busy_since: float | None = None

    @classmethod
    def of(cls, settings: Settings) -> Database:
        state_folder.ensure(settings.state_dir)
        return cls(settings.sql_url)

    def call(self, work: Callable[[Connection], Result]) -> Result:
        """Run `work` in one transaction on the calling thread.

        Raises:
            StoreUnavailable: The database is down, locked for too long or refuses.
        """
        with as_unavailable(), self.engine.begin() as connection:
            return work(connection)

    def look(self, work: Callable[[Connection], Result]) -> Result:
        """Run `work` in a read-only transaction, which waits for no writer; raises like `call`."""
        with (
            as_unavailable(),
            self.engine.connect().execution_options(read_only=True) as connection,
            connection.begin(),
        ):
            return work(connection)

    async def run(self, work: Callable[[Connection], Result]) -> Result:
        """Run `work` in one transaction on a thread of the pool; raises like `call`."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, self.call, work)

    async def read(self, work: Callable[[Connection], Result]) -> Result:
        """Run `look` on a thread of the pool."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, self.look, work)

    async def check_writes(self) -> None:
        """Check that writes are taken; on SQLite without waiting for whoever writes now.

        Raises:
            StoreUnavailable: They are not, or somebody writes for longer than others wait.
        """
        await asyncio.get_running_loop().run_in_executor(self._pool, self._check_writes)

    def _check_writes(self) -> None:
        try:
            with (
                as_unavailable(),
                self.engine.connect().execution_options(at_once=True) as connection,
                connection.begin(),
            ):
                writes_are_taken(connection)
            self._busy_since = None
        except StoreUnavailable as error:
            if error.why != not_now.BUSY or self.engine.dialect.name != "sqlite":
                raise
            now = time.monotonic()
            self._busy_since = self._busy_since or now
            if now - self._busy_since > BUSY_S:
                raise

    def compact(self) -> None:
        """Rewrite the SQLite file, so that deleted texts are gone from its free pages and log.

        Writers wait meanwhile. PostgreSQL does that by itself (autovacuum).

        Raises:
            StoreUnavailable: Other processes used the file all the time.
        """
        if self.engine.dialect.name != "sqlite":
            return
        tables = sa.inspect(self.engine).get_table_names()
        raw = self.engine.raw_connection()
        with as_unavailable(), contextlib.closing(raw):
            cursor = raw.cursor()
            if "desk_search" in tables:
                cursor.execute("INSERT INTO desk_search(desk_search) VALUES ('optimize')")
            cursor.execute("VACUUM")
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            busy, *_ = cursor.fetchone() or (1,)
            if busy:
                raise StoreUnavailable("database", "the log is in use; try again")
            cursor.close()

    def close(self) -> None:
        self._pool.shutdown(wait=True)
        self.engine.dispose()


@contextlib.contextmanager
def as_unavailable() -> Iterator[None]:
    """Raise ours for errors that mean "not now"; other errors pass unchanged.

    Raises:
        StoreUnavailable: The database is away or refuses for a time.
    """
    try:
        yield
    except (sa.exc.SQLAlchemyError, sqlite3.Error) as error:
        why = not_now.of_sql(error)
        if not why:
            raise
        raise StoreUnavailable("database", str(getattr(error, "orig", error)), why) from error


def _forget_if_lasting(context: sa.engine.ExceptionContext) -> None:
    """Drop the pool's connections when the server will not change its mind on them: after a
    switchover they lead to the old one, which answers a ping, for ever."""
    if not_now.of_sql(context.original_exception) in not_now.LASTING:
        context.is_disconnect = True


def with_our_driver(url: str) -> sa.URL:
    """Parse a PostgreSQL URL; the driver is psycopg 3, whichever it names."""
    return sa.make_url(url).set(drivername="postgresql+psycopg")


def _engine(url: str) -> Engine:
    if not url.startswith("sqlite"):
        server, connect_args = sa.make_url(url), {}
        if server.get_backend_name() == "postgresql":
            server, connect_args = with_our_driver(url), _POSTGRESQL
            # A server that stops answering must not hold a turn for minutes.
            timeout = server.query.get("connect_timeout", str(CONNECT_TIMEOUT_S))
            server = server.update_query_dict({"connect_timeout": timeout})
        engine = sa.create_engine(
            server,
            pool_pre_ping=True,
            pool_size=4,
            max_overflow=4,
            connect_args=connect_args,
            **_ENGINE,
        )
        sa.event.listen(engine, "before_cursor_execute", _without_nul, retval=True)
        sa.event.listen(engine, "handle_error", _forget_if_lasting)
        return engine
    path = sa.make_url(url).database
    if path and path != ":memory:":
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(
        url, connect_args={"timeout": BUSY_S, "check_same_thread": False}, **_ENGINE
    )
    sa.event.listen(engine, "handle_error", _forget_if_lasting)

    @sa.event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        # The driver's own transaction handling starts them lazily, as readers; a later write then
        # fails at once with "database is locked" instead of waiting. We begin them ourselves.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute(_BUSY_TIMEOUT.format(BUSY_S * 1000))
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    @sa.event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        if options.get("at_once"):
            connection.exec_driver_sql(_BUSY_TIMEOUT.format(0))
        try:
            connection.exec_driver_sql("BEGIN" if options.get("read_only") else "BEGIN IMMEDIATE")
        finally:
            if options.get("at_once"):
                connection.exec_driver_sql(_BUSY_TIMEOUT.format(BUSY_S * 1000))

    return engine


def _without_nul(
    _connection: Connection, _cursor: Any, statement: str, values: Any, *_: Any
) -> tuple[str, Any]:
    """Replace NUL in texts, which PostgreSQL refuses: one must not fail the rows sent with it."""
    rows = values if isinstance(values, list) else [values]
    for row in rows:
        if isinstance(row, dict):
            for key, value in row.items():
                if isinstance(value, str) and "\0" in value:
                    row[key] = value.replace("\0", "\ufffd")
    return statement, values


def writes_are_taken(connection: Connection) -> None:
    """Check that the database takes writes; on SQLite the transaction itself does.

    Raises:
        StoreUnavailable: The server only reads: a replica, or one that was told so.
    """
    if connection.dialect.name != "postgresql":
        return
    if connection.exec_driver_sql("SHOW transaction_read_only").scalar_one() == "on":
        connection.invalidate()  # another may lead to the server that writes
        raise StoreUnavailable("database", "it only reads", not_now.READ_ONLY)


def lock_for_transaction(connection: Connection, number: int) -> None:
    """Wait for other transactions with the same lock number; hold the lock until this one ends.

    On SQLite only one transaction writes at a time anyway.
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({number:d})")


def insert_or_update(connection: Connection, table: sa.Table, rows: list[dict[str, Any]]) -> None:
    """Insert rows; where the primary key exists, update all other columns of the row."""
    if not rows:
        return
    statement: Any
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects.postgresql import insert as pg_insert

        statement = pg_insert(table)
    else:
        from sqlalchemy.dialects.sqlite import insert as lite_insert

        statement = lite_insert(table)
    key = [column.name for column in table.primary_key]
    updates = {name: statement.excluded[name] for name in rows[0] if name not in key}
    connection.execute(statement.on_conflict_do_update(index_elements=key, set_=updates), rows)


def insert_ignore(connection: Connection, table: sa.Table, rows: list[dict[str, Any]]) -> int:
    """Insert the rows whose primary key is new; return how many."""
    if not rows:
        return 0
    insert: Any
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects.postgresql import insert as pg_insert

        insert = pg_insert(table)
    else:
        from sqlalchemy.dialects.sqlite import insert as lite_insert

        insert = lite_insert(table)
    statement = insert.on_conflict_do_nothing()
    # Without the option the number of inserts is known only while the cursor is open.
    result = connection.execute(statement, rows, execution_options={"preserve_rowcount": True})
    return result.rowcount
