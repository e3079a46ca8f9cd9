"""The whole system on PostgreSQL, from an empty database on: answer, handoff, check, erase."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import postgresql_server
import pytest
import sqlalchemy as sa
from running import System, running, until

from bot.stores.database import with_our_driver
from bot.stores.tables import METADATA


@pytest.fixture(scope="module")
def address(postgresql: postgresql_server.Server) -> Iterator[str]:
    name = postgresql.create()
    yield postgresql.url(name)
    postgresql.drop(name)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, address: str) -> Iterator[System]:
    with running(tmp_path_factory.mktemp("on-postgresql"), DATABASE_URL=address) as started:
        yield started


def _rows(address: str, query: str) -> list[tuple[Any, ...]]:
    engine = sa.create_engine(with_our_driver(address), poolclass=sa.NullPool)
    with engine.connect() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(query)]


def test_it_answers_hands_off_and_forgets(shop: System, address: str) -> None:
    assert shop.health()["database"] is True
    assert not shop.database.exists(), "nobody fell back to a SQLite file"
    for text in ("where is my Quittenmarder order", "I want to talk to a person"):
        assert shop.rest("customer-1", text)
    until(
        lambda: _rows(address, "SELECT state FROM conversations") == [("waiting",)],
        within_s=20,
        what="the conversation in the queue",
    )
    said = "SELECT id FROM messages WHERE text LIKE '%%Quittenmarder%%'"
    until(lambda: _rows(address, said), within_s=20, what="the message in SQL")
    checked = shop.run("db", "check")
    assert checked.returncode == 0, checked.stdout

    erased = shop.run("customer", "erase", "rest:customer-1")
    assert erased.returncode == 0, erased.stderr
    told = [str(_rows(address, f'SELECT * FROM "{table}"')) for table in METADATA.tables]
    assert "Quittenmarder" not in "".join(told)
    assert "customer-1" not in "".join(told)
    assert _rows(address, "SELECT state, owner FROM conversations") == [("closed", None)]
    assert shop.rest("customer-1", "hello again"), "a new conversation"
    assert len(_rows(address, "SELECT 1 FROM conversations")) == 2
