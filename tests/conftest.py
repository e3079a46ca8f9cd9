"""Fixtures for all tests: settings in a temporary folder, a real Redis and a migrated database.

Stores are tested over every backing we support: SQLite, and a PostgreSQL started from Debian's
binaries where there are any (with CI=true they must be there). With `REDIS_URL` or `DATABASE_URL`
in the environment those run too; they must be empty, since each test clears them.
"""

# ruff: noqa: E402 - the project root must be on the path before anything of ours is imported

from __future__ import annotations

import logging
import os
import shutil
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import postgresql_server
import pytest
import redis.asyncio
import sqlalchemy as sa
import structlog
from chromium_browser import browser as browser

ROOT = Path(__file__).parents[1]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))
os.environ.setdefault("RASA_TELEMETRY_ENABLED", "false")
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # read when ONNX Runtime is imported
os.environ.setdefault("OMP_NUM_THREADS", "1")

import settings_table

from bot.settings import Settings
from bot.stores import redis_client
from bot.stores.database import Database
from bot.stores.migrate import upgrade
from bot.stores.redis_client import EmbeddedServer
from bot.stores.tables import METADATA
from bot.web.tally import TALLY

GIVEN_REDIS = os.environ.get("REDIS_URL", "")
GIVEN_DATABASE = os.environ.get("DATABASE_URL", "")


def pytest_configure(config: pytest.Config) -> None:
    # domain.yml, models/ and data/ are found from the project root.
    os.chdir(ROOT)
    # Rasa logs whole trackers at debug level; failures would be hard to read.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.INFO))
    config.addinivalue_line("markers", "model: needs the trained dialogue model (seconds)")


@pytest.fixture(autouse=True)
def own_logging() -> Iterator[None]:
    """Let no test write its log as an earlier one has chosen to."""
    before = structlog.get_config()
    TALLY.write()
    yield
    structlog.configure(**before)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the developer's own settings from `settings.load()` and from child processes."""
    for name in settings_table.NAMES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings with a state folder of their own; derived models are shared with the project."""
    return Settings(state_dir=tmp_path / "state", cache_dir=ROOT / ".samvad" / "cache")


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    """The embedded server, as it runs on a laptop; one a session."""
    server = EmbeddedServer(tmp_path_factory.mktemp("redis-server"))
    assert server.acquire()
    server.start()
    yield server
    server.stop()


@pytest.fixture(params=["embedded", *(["given"] if GIVEN_REDIS else [])])
def redis_url(request: pytest.FixtureRequest) -> str:
    """Address of a Redis-compatible server, flushed by the fixture `redis`."""
    if request.param == "given":
        return GIVEN_REDIS
    return f"unix://{request.getfixturevalue('redis_server').socket}"


@pytest.fixture
async def redis(settings: Settings, redis_url: str) -> AsyncIterator[redis.asyncio.Redis]:
    """A client of an empty server."""
    client = redis_client.connect(replace(settings, redis_url=redis_url))
    await client.flushdb()
    yield client
    await client.aclose()


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file at the newest schema; copied by `database`."""
    path = tmp_path_factory.mktemp("migrated") / "samvad.sqlite3"
    upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgresql() -> Iterator[postgresql_server.Server]:
    """A PostgreSQL server with a template database at the newest schema."""
    binaries = postgresql_server.folder_of_binaries()
    if binaries is None:
        told = "no PostgreSQL here: neither initdb on the path nor /usr/lib/postgresql/*/bin"
        if os.environ.get("CI", "") not in ("", "0", "false"):
            pytest.fail(f"{told}; CI must have it")
        pytest.skip(told)
    server = postgresql_server.Server.start(binaries)
    try:
        name = server.create()
        upgrade(server.url(name))
        server.rename(name, postgresql_server.TEMPLATE)
        yield server
    finally:
        server.stop()


@pytest.fixture
def postgresql_url(postgresql: postgresql_server.Server) -> Iterator[str]:
    """Address of an empty database at the newest schema."""
    name = postgresql.create(postgresql_server.TEMPLATE)
    yield postgresql.url(name)
    postgresql.drop(name)


@pytest.fixture(params=["sqlite", "postgresql", *(["given"] if GIVEN_DATABASE else [])])
def database(
    request: pytest.FixtureRequest, settings: Settings, migrated: Path
) -> Iterator[Database]:
    """An empty database at the newest schema; for SQLite the one `settings` names."""
    if request.param == "postgresql":
        made = Database(request.getfixturevalue("postgresql_url"))
    elif request.param == "given":
        made = Database(request.getfixturevalue("given_database"))
        made.call(lambda c: [c.execute(table.delete()) for table in _children_first()])
    else:
        settings.state_dir.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(migrated, settings.state_dir / "samvad.sqlite3")
        made = Database.of(settings)
    yield made
    made.close()


@pytest.fixture(scope="session")
def given_database() -> str:
    """The given database at the newest schema, refused when it holds conversations."""
    upgrade(GIVEN_DATABASE)
    store = Database(GIVEN_DATABASE)
    count = store.call(lambda c: c.execute(sa.text("SELECT count(*) FROM conversations")).scalar())
    store.close()
    if count:
        pytest.exit("DATABASE_URL names a database in use; give the tests an empty one", 3)
    return GIVEN_DATABASE


@pytest.fixture(scope="session", autouse=bool(GIVEN_REDIS))
def given_redis_is_empty() -> None:
    if not GIVEN_REDIS:
        return
    with redis_client.connect_blocking(GIVEN_REDIS) as client:
        if client.dbsize():
            pytest.exit("REDIS_URL names a server in use; give the tests an empty one", 3)


@pytest.fixture(scope="session")
def trained_model() -> Path:
    """Folder of a dialogue model that fits the files; trained if there is none."""
    from bot.processes import prepare

    prepare.model()
    return prepare.MODELS


def _children_first() -> list[sa.Table]:
    return list(reversed(METADATA.sorted_tables))
