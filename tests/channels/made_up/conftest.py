"""The made-up channel as one more row of the registry, its company, and the engine behind it."""

# ruff: noqa: E402 - what other folders of tests have must be on the path first

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import redis.asyncio

HERE = Path(__file__).parent
TESTS = HERE.parents[1]
sys.path[:0] = [str(TESTS / part) for part in ("dialogue", "desk", "channels/contract")]

from dialogue.conftest import engine  # noqa: F401 - a fixture
from pager import CHANNEL
from pager.settings import PagerSettings
from pager_company import SECRET, PagerCompany, RecordedPages
from talk import Talk
from vendors.serving import serving

from bot.dialogue.engine import Engine
from bot.settings import Settings
from bot.stores.database import Database
from channels import registry
from channels.base import Channel


@pytest.fixture(autouse=True)
def channel(monkeypatch: pytest.MonkeyPatch) -> Channel:
    """The one row."""
    monkeypatch.setattr(registry, "CHANNELS", (*registry.CHANNELS, CHANNEL))
    return CHANNEL


@pytest.fixture
def recorded() -> RecordedPages:
    return RecordedPages(HERE)


@pytest.fixture
async def company() -> AsyncIterator[PagerCompany]:
    made = PagerCompany()
    async with serving(made):
        yield made


@pytest.fixture
def paging(
    settings: Settings, redis_url: str, database: Database, company: PagerCompany
) -> Settings:
    """Settings with the channel on."""
    url = database.engine.url.render_as_string(hide_password=False)
    own = replace(settings, redis_url=redis_url, database_url=url)
    return own.with_parts(PagerSettings(company.url, SECRET))


@pytest.fixture
async def talk(
    paging: Settings,
    database: Database,
    redis: redis.asyncio.Redis,
    engine: Engine,  # noqa: F811
) -> Talk:
    """The engine's side, with a scripted understanding."""
    made = Talk(paging, database, redis, engine)
    await made.prepare()
    return made
