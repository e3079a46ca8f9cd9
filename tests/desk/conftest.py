"""A desk on a real embedded server and a SQLite file, and browsers that are logged in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from aiohttp.test_utils import TestServer
from desk_world import PASSWORD, Desk
from sqlalchemy.engine import Connection

from bot import redis_client
from bot.database import METADATA, Database
from bot.desk import users
from bot.desk.app import make_app
from bot.handoff.service import HandoffService
from bot.settings import Settings


@pytest.fixture(scope="session")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    server = redis_client.EmbeddedServer(tmp_path_factory.mktemp("desk-redis"))
    assert server.acquire()
    server.start()
    yield f"unix://{server.socket}"
    server.stop()


@pytest.fixture
async def desk(tmp_path: Path, embedded: str) -> AsyncIterator[Desk]:
    settings = Settings(state_dir=tmp_path, redis_url=embedded)
    database = Database.of(settings)

    def prepare(connection: Connection) -> None:
        METADATA.create_all(connection)
        for login, name, role in (
            ("asha", "Asha", "agent"), ("ravi", "Ravi", "agent"), ("boss", "Boss", "admin")
        ):  # fmt: skip
            users.add_user(
                connection, login=login, name=name, role=role, password=PASSWORD
            )  # fmt: skip

    database.call(prepare)
    client = redis_client.connect(settings)
    await client.flushall()
    service = HandoffService(settings, database, client)
    server = TestServer(make_app(settings, database, client, service))
    await server.start_server()
    yield Desk(settings, database, client, service, server)
    await server.close()
    await client.aclose()
    database.close()
