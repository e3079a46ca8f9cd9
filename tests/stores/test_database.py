"""The database: transactions, errors in our words, and several processes writing at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from bot.errors import StoreUnavailable
from bot.settings import Settings
from bot.stores.database import Database, insert_ignore
from bot.stores.tables import customers


def _customer(id_: str) -> dict[str, object]:
    return {"id": id_, "name": "", "locale": "", "created_at": 0.0}


def _count(database: Database) -> int:
    query = sa.select(sa.func.count()).select_from(customers)
    return database.call(lambda c: c.execute(query).scalar_one())


def test_rows_that_are_there_are_left_alone(database: Database) -> None:
    rows = [_customer("a"), _customer("b")]
    assert database.call(lambda c: insert_ignore(c, customers, rows)) == 2
    again = [{**_customer("a"), "name": "other"}, _customer("c")]
    assert database.call(lambda c: insert_ignore(c, customers, again)) == 1
    assert database.call(lambda c: insert_ignore(c, customers, [])) == 0
    names = database.call(lambda c: c.execute(sa.select(customers.c.name)).scalars().all())
    assert list(names) == ["", "", ""]


def test_an_exception_undoes_the_transaction(database: Database) -> None:
    def work(connection: sa.engine.Connection) -> None:
        insert_ignore(connection, customers, [_customer("a")])
        raise RuntimeError

    with pytest.raises(RuntimeError):
        database.call(work)
    assert _count(database) == 0


async def test_work_on_a_thread_is_the_same_work(database: Database) -> None:
    await database.run(lambda c: insert_ignore(c, customers, [_customer("a")]))
    assert _count(database) == 1


def test_what_the_database_refuses_is_told_in_our_words(tmp_path: Path) -> None:
    folder = Database(f"sqlite:///{tmp_path}", threads=1)
    with pytest.raises(StoreUnavailable, match="database did not answer"):
        folder.call(lambda c: None)
    folder.close()


def test_a_nul_in_one_text_does_not_hold_up_the_others(database: Database) -> None:
    rows = [_customer("a"), {**_customer("b"), "name": "b\0b"}, _customer("c")]
    assert database.call(lambda c: insert_ignore(c, customers, rows)) == 3
    query = sa.select(customers.c.name).where(customers.c.name != "\0")
    names = database.call(lambda c: list(c.execute(query.order_by(customers.c.id)).scalars()))
    assert names[1] in ("b\0b", "b\ufffdb")


def test_a_postgresql_that_is_away_is_told_in_our_words(tmp_path: Path) -> None:
    nowhere = Database(f"postgresql://samvad@/samvad?host={tmp_path}", threads=1)
    with pytest.raises(StoreUnavailable, match="database did not answer"):
        nowhere.look(lambda c: None)
    nowhere.close()


def test_a_connection_that_broke_is_told_and_replaced(postgresql_url: str) -> None:
    database = Database(postgresql_url, threads=1)
    end_it = sa.text("SELECT pg_terminate_backend(pg_backend_pid())")
    with pytest.raises(StoreUnavailable):
        database.call(lambda c: c.execute(end_it))
    assert _count(database) == 0
    database.close()


@pytest.mark.parametrize("driver", ["", "+psycopg2", "+psycopg"])
def test_an_address_works_with_whatever_driver_it_names(postgresql_url: str, driver: str) -> None:
    database = Database(postgresql_url.replace("postgresql", f"postgresql{driver}", 1), threads=1)
    assert _count(database) == 0
    assert database.engine.driver == "psycopg"
    database.close()


def test_nothing_is_prepared_in_a_session_that_a_pooler_may_pass_on(postgresql_url: str) -> None:
    database = Database(postgresql_url, threads=1)

    def prepared_after_many(connection: Connection) -> int:
        for _ in range(12):
            connection.execute(sa.select(customers.c.id).where(customers.c.name == "x"))
        found = connection.exec_driver_sql("SELECT count(*) FROM pg_prepared_statements")
        return int(found.scalar_one())

    assert database.call(prepared_after_many) == 0
    database.close()


WRITER = """
import sys
from bot.stores.database import Database, insert_ignore
from bot.stores.tables import customers
database = Database(sys.argv[1])
for n in range(15):
    row = {"id": f"{sys.argv[2]}-{n}", "name": "", "locale": "", "created_at": 0.0}
    database.call(lambda c: insert_ignore(c, customers, [row]))
"""


def test_four_processes_write_at_once_and_nothing_is_lost(database: Database) -> None:
    url = database.engine.url.render_as_string(hide_password=False)
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, url, str(n)], stderr=subprocess.PIPE)
        for n in range(4)
    ]
    errors = [writer.communicate()[1].decode() for writer in writers]
    assert errors == ["", "", "", ""]
    assert _count(database) == 60


def test_the_sqlite_file_is_safe_against_a_crash(settings: Settings, migrated: Path) -> None:
    database = Database.of(settings)
    pragmas = database.call(
        lambda c: [
            c.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        ]
    )
    database.close()
    assert pragmas == ["wal", 2, 1, 15000]
