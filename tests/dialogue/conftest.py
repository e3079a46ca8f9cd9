"""The engine as it runs, with Rasa, Redis and SQL; only the understanding follows a script."""

from __future__ import annotations

from pathlib import Path

import pytest
import redis.asyncio
from talk import Talk

from bot.dialogue.engine import Engine
from bot.settings import Settings
from bot.stores.database import Database


@pytest.fixture(scope="session")
def engine(trained_model: Path) -> Engine:
    """Rasa with the trained dialogue model, our store, NLG and actions."""
    from actions import local
    from bot.dialogue.load import load_engine

    return load_engine(local.load(), trained_model)


@pytest.fixture
async def talk(
    settings: Settings, database: Database, redis: redis.asyncio.Redis, engine: Engine
) -> Talk:
    """Talk to the bot, one message after the other."""
    made = Talk(settings, database, redis, engine)
    await made.prepare()
    return made
