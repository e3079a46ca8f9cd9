"""A whole running system with both vendor channels on, and the vendors beside it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from running import System, running
from vendors.graph_server import APP_SECRET, PAGE, TOKEN, GraphServer
from vendors.serving import serving_in_thread
from vendors.telegram_server import TOKEN as BOT_TOKEN
from vendors.telegram_server import BotApiServer

SECRET = "s3cret_-A"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # The first test of a run also waits for the system, which may have to refit its models.
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.timeout(360))


@dataclass
class World:
    """The system and its vendors."""

    system: System
    graph: GraphServer
    bot_api: BotApiServer


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    # A real second between two messages, refused if it is not kept.
    graph, bot_api = GraphServer(), BotApiServer(per_chat_s=1.0)
    with (
        serving_in_thread(graph),
        serving_in_thread(bot_api),
        running(
            tmp_path_factory.mktemp("vendors"),
            FACEBOOK_GRAPH_URL=graph.graph_url,
            FACEBOOK_APP_SECRET=APP_SECRET,
            FACEBOOK_VERIFY_TOKEN="verify-me",
            FACEBOOK_PAGE_TOKENS=f"{PAGE}={TOKEN}",
            TELEGRAM_API_URL=bot_api.url,
            TELEGRAM_BOTS=f"MelaBot={BOT_TOKEN}:{SECRET}",
        ) as system,
    ):
        yield World(system, graph, bot_api)
        assert system.process.poll() is None, system.output
    assert system.process.returncode == 0, system.output
