"""A desk on a real embedded server and a SQLite file, and browsers that are logged in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path

import desk_seed
import pytest
import team_talk
from aiohttp.test_utils import TestServer
from desk_world import PASSWORD, Desk
from playwright.async_api import Browser
from sqlalchemy.engine import Connection

from bot.desk import app_keys
from bot.desk.app import make_app
from bot.desk.people.users import hash_password
from bot.handoff.service import HandoffService
from bot.routing.model import Team
from bot.settings import Settings
from bot.stores import redis_client
from bot.stores.database import Database
from bot.stores.tables import METADATA, users
from bot.streams import dead_letters
from channels import registry


@pytest.fixture(scope="session")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    server = redis_client.EmbeddedServer(tmp_path_factory.mktemp("desk-redis"))
    assert server.acquire()
    server.start()
    yield f"unix://{server.socket}"
    server.stop()


@pytest.fixture(scope="session")
def password_hash() -> str:
    """Hashed once: a test waits for no hash it does not test."""
    return hash_password(PASSWORD)


@pytest.fixture
def desk_database() -> str:
    """Address of the desk's database, empty for a SQLite file; some modules run on both."""
    return ""


@pytest.fixture
def chromium(browser: Browser) -> Browser:
    """The browser; `Browser` is, at the desk, somebody who is logged in."""
    return browser


@pytest.fixture
async def desk(
    tmp_path: Path, embedded: str, password_hash: str, desk_database: str
) -> AsyncIterator[Desk]:
    settings = Settings(state_dir=tmp_path, redis_url=embedded, database_url=desk_database)
    database = Database.of(settings)

    def prepare(connection: Connection) -> None:
        METADATA.create_all(connection)
        desk_seed.published(connection)
        for login, role in (("asha", "agent"), ("ravi", "agent"), ("boss", "admin")):
            connection.execute(
                users.insert().values(
                    id=f"u-{login}",
                    login=login,
                    name=login.title(),
                    role=role,
                    password_hash=password_hash,
                    failed_logins=0,
                    locked_until=0.0,
                    created_at=0.0,
                )
            )

    database.call(prepare)
    client = redis_client.connect(settings)
    await client.flushall()
    service = HandoffService(settings, database, client)
    app = make_app(settings, database, client, service, registry.titles())
    app[app_keys.REPLAY] = partial(dead_letters.replay, database, client, settings.shards)
    server = TestServer(app)
    await server.start_server()
    made = Desk(settings, database, client, service, server)
    yield made
    await made.server.close()
    await client.aclose()
    database.close()


@pytest.fixture
async def complaints(desk: Desk) -> Team:
    """A conversation that the team of complaints has, and talked in."""
    return await team_talk.talked(desk)
