"""Refusals of real servers: "not now" is a store that is away, a mistake of ours stays one."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import builders
import postgresql_server
import pytest
import redis.asyncio
import sqlalchemy as sa
from redis import exceptions

from bot.errors import StoreUnavailable
from bot.settings import Settings
from bot.stores import database as database_module
from bot.stores import not_now, redis_client
from bot.stores.database import Database, insert_ignore, writes_are_taken
from bot.stores.redis_batches import Script, batches_of
from bot.stores.redis_client import EmbeddedServer, guarded
from bot.stores.tables import customers

ROW = {"id": "a", "name": "", "locale": "", "created_at": 0.0}


def _write(connection: sa.engine.Connection) -> None:
    insert_ignore(connection, customers, [ROW])


# — PostgreSQL —


@pytest.fixture
def named(postgresql: postgresql_server.Server) -> Iterator[str]:
    """Name of an empty database at the newest schema."""
    name = postgresql.create(postgresql_server.TEMPLATE)
    yield name
    postgresql.drop(name)


@pytest.fixture
def store(postgresql: postgresql_server.Server, named: str) -> Iterator[Database]:
    made = Database(postgresql.url(named))
    yield made
    made.close()


def _do(server: postgresql_server.Server, name: str, *statements: str) -> None:
    other = Database(server.url(name), threads=1)
    with other.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    other.close()


def _end_others(server: postgresql_server.Server, name: str) -> None:
    _do(
        server,
        name,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )


def test_a_server_that_only_reads_is_away_and_its_connections_are_forgotten(
    postgresql: postgresql_server.Server, named: str, store: Database
) -> None:
    store.call(writes_are_taken)
    _do(postgresql, named, f"ALTER DATABASE {named} SET default_transaction_read_only = on")
    _end_others(postgresql, named)
    for work in (_write, writes_are_taken):
        with pytest.raises(StoreUnavailable) as refused:
            store.call(work)
        assert (refused.value.store, refused.value.why) == ("database", not_now.READ_ONLY)
    with pytest.raises(StoreUnavailable):
        store._check_writes()  # what the health page asks
    store.look(lambda c: c.execute(sa.select(customers)).all())
    _do(
        postgresql,
        named,
        "SET default_transaction_read_only = off",
        f"ALTER DATABASE {named} RESET default_transaction_read_only",
    )
    with pytest.raises(StoreUnavailable):
        store.call(_write)  # on the connection that was opened to read
    store.call(_write)
    store._check_writes()


POSTGRESQL = {
    "statement_timeout": (["SET LOCAL statement_timeout = 20", "SELECT pg_sleep(20)"], "timed-out"),
    "lost rights": (["SET LOCAL ROLE samvad_reader", "DELETE FROM customers"], "not-allowed"),
    "stopped": (["SELECT pg_terminate_backend(pg_backend_pid())"], "stopping"),
    "locked": (["SET LOCAL lock_timeout = 20", "LOCK TABLE customers"], "busy"),
}


@pytest.mark.parametrize("case", POSTGRESQL)
def test_postgresql_says_not_now(
    case: str, postgresql: postgresql_server.Server, named: str, store: Database
) -> None:
    statements, why = POSTGRESQL[case]
    _do(
        postgresql,
        named,
        "DO $$ BEGIN CREATE ROLE samvad_reader; EXCEPTION WHEN duplicate_object THEN NULL; END $$",
    )

    def work(connection: sa.engine.Connection) -> None:
        for statement in statements:
            connection.exec_driver_sql(statement)

    holder = store.engine.connect()
    if case == "locked":
        holder.exec_driver_sql("LOCK TABLE customers")
    with pytest.raises(StoreUnavailable) as refused:
        store.call(work)
    holder.close()
    assert refused.value.why == why
    store.call(_write)


def test_a_role_with_too_many_connections_is_away(
    postgresql: postgresql_server.Server, named: str
) -> None:
    _do(
        postgresql,
        named,
        "DROP ROLE IF EXISTS samvad_narrow",
        "CREATE ROLE samvad_narrow LOGIN CONNECTION LIMIT 0",
    )
    narrow = Database(postgresql.url(named).replace("samvad@", "samvad_narrow@"), threads=1)
    with pytest.raises(StoreUnavailable) as refused:
        narrow.call(lambda c: None)
    narrow.close()
    assert refused.value.why in (not_now.CONNECTIONS, not_now.AWAY)


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM no_such_table",
        "SELECT 1 FROM customers WHERE no_such_column",
        "SELECT 1 / 0",
        "INSERT INTO customers (id) VALUES (NULL)",
        "CREATE TEMP TABLE t (x text UNIQUE); INSERT INTO t"
        " SELECT string_agg(md5(n::text), '') FROM generate_series(1, 4000) n",
    ],
)
def test_postgresqls_other_refusals_are_mistakes(statement: str, store: Database) -> None:
    with pytest.raises(sa.exc.DBAPIError):
        store.call(lambda c: c.exec_driver_sql(statement))


# — SQLite —


def _sqlite(path: Path, *statements: str) -> Any:
    """What a plain connection raises for the last of the statements."""
    connection = sqlite3.connect(path, timeout=0.01)
    try:
        for statement in statements[:-1]:
            connection.execute(statement)
        with pytest.raises(sqlite3.Error) as refused:
            connection.execute(statements[-1]).fetchall()
        return refused.value
    finally:
        connection.close()


def test_sqlite_says_not_now(tmp_path: Path) -> None:
    path = tmp_path / "store"
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("CREATE TABLE t (x TEXT)")
    big = "INSERT INTO t VALUES (hex(zeroblob(100000)))"
    full = _sqlite(path, "PRAGMA max_page_count = 3", big)
    reading = _sqlite(path, "PRAGMA query_only = 1", "INSERT INTO t VALUES (1)")
    holder.execute("BEGIN IMMEDIATE")
    busy = _sqlite(path, "INSERT INTO t VALUES (1)")
    holder.close()
    other = tmp_path / "other"
    other.write_text("not a database, whatever its name says" * 99)
    damaged = _sqlite(other, "SELECT * FROM t")
    refused = [full, reading, busy, damaged]
    assert [not_now.of_sql(error) for error in refused] == [
        not_now.FULL,
        not_now.READ_ONLY,
        not_now.BUSY,
        not_now.DAMAGED,
    ]


def test_sqlites_other_refusals_are_mistakes(tmp_path: Path) -> None:
    path = tmp_path / "store"
    for statements in (
        ("SELECT * FROM nowhere",),
        ("SELEKT 1",),
        ("CREATE TABLE t (x TEXT NOT NULL)", "INSERT INTO t VALUES (NULL)"),
        ("SELECT CAST(x'ff' AS TEXT)",),  # stored by somebody else, no UTF-8
    ):
        assert not_now.of_sql(_sqlite(path, *statements)) == "", statements


def test_what_is_stored_stays_out_of_the_errors_text(database: Database) -> None:
    with pytest.raises(sa.exc.DBAPIError) as refused:
        database.call(
            lambda c: c.execute(sa.text("SELECT :words FROM nowhere"), {"words": "my own words"})
        )
    assert "my own words" not in str(refused.value)


# — Redis —


@pytest.fixture
async def own_server(tmp_path: Path, settings: Settings) -> Any:
    """Client of a server of its own, which the test may set as it likes."""
    server = EmbeddedServer(tmp_path / "own")
    assert server.acquire()
    server.start()
    client = redis_client.connect(replace(settings, redis_url=f"unix://{server.socket}"))
    yield client
    await client.aclose()
    server.stop()


SETTINGS = {
    "maxmemory": ("1", not_now.MEMORY),
    "min-replicas-to-write": ("1", not_now.FAILING_OVER),
    "replicaof": ("127.0.0.1 1", not_now.READ_ONLY),
}


@pytest.mark.parametrize("name", SETTINGS)
async def test_redis_says_not_now_however_it_is_asked(
    own_server: redis.asyncio.Redis, name: str
) -> None:
    value, why = SETTINGS[name]

    async def demand(value: str) -> None:
        if name == "replicaof":
            await own_server.execute_command("REPLICAOF", *value.split())
        else:
            await own_server.config_set(name, value)

    script = Script("return redis.call('XADD', KEYS[1], '*', 'body', ARGV[1])")
    batches = batches_of(own_server)
    await demand(value)
    pipeline = own_server.pipeline(transaction=False)
    pipeline.ping()
    pipeline.xadd("s", {"body": "1"})
    transaction = own_server.pipeline(transaction=True)
    transaction.set("a", "1")
    transaction.xadd("s", {"body": "1"})
    for ask in (
        lambda: own_server.xadd("s", {"body": "1"}),
        pipeline.execute,
        transaction.execute,
        lambda: batches.run(("XADD", "s", "*", "body", "1")),
        lambda: batches.script(script, ["s"], "1"),
        lambda: own_server.eval(script.text, 1, "s", "1"),
    ):
        with pytest.raises(StoreUnavailable) as refused:
            await guarded(ask())
        assert (refused.value.store, refused.value.why) == ("redis", why)
    await demand("no one" if name == "replicaof" else "0")
    assert await guarded(own_server.xadd("s", {"body": "1"}))
    assert await own_server.xlen("s") == 1, "nothing of what was refused was done"


async def test_a_replica_without_its_primary_and_who_waited_there_are_away(
    own_server: redis.asyncio.Redis,
) -> None:
    waiting = asyncio.ensure_future(guarded(own_server.xread({"s": "$"}, block=20_000)))

    async def it_waits() -> bool:
        return int((await own_server.info("clients"))["blocked_clients"]) > 0

    await builders.until(it_waits)
    await own_server.config_set("replica-serve-stale-data", "no")
    await own_server.execute_command("REPLICAOF", "127.0.0.1", "1")
    with pytest.raises(StoreUnavailable) as refused:
        await waiting
    assert refused.value.why == not_now.FAILING_OVER
    with pytest.raises(StoreUnavailable) as refused:
        await guarded(own_server.get("a"))
    assert refused.value.why == not_now.FAILING_OVER


async def test_a_server_busy_with_a_script_is_away(own_server: redis.asyncio.Redis) -> None:
    await own_server.config_set("busy-reply-threshold", "1")
    endless = asyncio.ensure_future(guarded(own_server.eval("while true do end", 0)))
    async with asyncio.timeout(60):
        why = ""
        while why != not_now.BUSY:
            await asyncio.sleep(0.02)
            try:
                await guarded(own_server.get("a"))
            except StoreUnavailable as refused:
                why = refused.why
    await own_server.script_kill()
    with pytest.raises(StoreUnavailable) as killed:
        await endless
    assert killed.value.why == not_now.BUSY
    assert await guarded(own_server.get("a")) is None


async def test_rights_and_passwords_that_changed_are_away(own_server: redis.asyncio.Redis) -> None:
    await own_server.execute_command("ACL", "SETUSER", "default", "-xadd")
    with pytest.raises(StoreUnavailable) as refused:
        await guarded(own_server.xadd("s", {"body": "1"}))
    assert refused.value.why == not_now.NOT_ALLOWED
    await own_server.execute_command("ACL", "SETUSER", "default", "+xadd")
    await own_server.config_set("requirepass", "other")
    await own_server.connection_pool.disconnect()
    with pytest.raises(StoreUnavailable) as refused:
        await guarded(own_server.get("a"))
    assert refused.value.why == not_now.NOT_ALLOWED


async def test_our_own_mistakes_at_redis_raise(redis: redis.asyncio.Redis) -> None:
    await redis.set("text", "1")
    for ask in (
        lambda: redis.xadd("text", {"body": "1"}),
        lambda: redis.execute_command("NO-SUCH-COMMAND"),
        lambda: redis.execute_command("GET"),
        lambda: redis.evalsha("0" * 40, 0),
        lambda: redis.eval("return redis.call('XADD', KEYS[1], '*', 'a', 'b')", 1, "text"),
    ):
        with pytest.raises(exceptions.ResponseError):
            await guarded(ask())


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        ("MISCONF Valkey is configured to save RDB snapshots", not_now.FULL),
        ("Command # 2 (XADD s * body 1) of pipeline caused error: MISCONF cannot", not_now.FULL),
        ("NOREPLICAS Not enough good replicas to write.", not_now.FAILING_OVER),
        (
            "ERR Error running script (call to f_0): @user_script:3: @user_script: 3:"
            " -OOM command not allowed when used memory > 'maxmemory'.",
            not_now.MEMORY,
        ),
        ("Transaction discarded because of: OOM command not allowed", not_now.MEMORY),
        ("Transaction discarded because of previous errors.", ""),
        ("ERR value is not an integer or out of range", ""),
        ("WRONGTYPE Operation against a key holding the wrong kind of value", ""),
        ("ERR unknown command 'BUSY', with args beginning with: 'OOM'", ""),
    ],
)
def test_replies_are_told_by_their_code(reply: str, why: str) -> None:
    assert not_now.of_redis(exceptions.ResponseError(reply)) == why


async def test_a_long_write_neither_fails_the_check_nor_holds_readers_up(
    migrated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Database(f"sqlite:///{migrated}", threads=1)
    with contextlib.closing(sqlite3.connect(migrated, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        async with asyncio.timeout(database_module.BUSY_S / 2):
            for _ in range(5):
                await store.check_writes()
            assert await store.read(lambda c: c.exec_driver_sql("SELECT 1").scalar()) == 1
        monkeypatch.setattr(database_module, "BUSY_S", 0)
        with pytest.raises(StoreUnavailable) as refused:
            await store.check_writes()
        assert refused.value.why == "busy", "others would not wait so long"
        writer.execute("ROLLBACK")
    monkeypatch.undo()
    await store.check_writes()
    waits = await store.read(lambda c: c.exec_driver_sql("PRAGMA busy_timeout").scalar())
    assert waits == database_module.BUSY_S * 1000
    store.close()
