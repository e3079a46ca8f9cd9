from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from running import REPO, System, running

from bot.content.load import load_folder
from bot.content.models import Content
from bot.content.texts import SystemTexts
from bot.settings import Settings


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # The first test of a run also waits for the system, which may have to refit its models.
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.timeout(360))


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """One running system for all tests that leave the others' conversations alone."""
    with running(tmp_path_factory.mktemp("system")) as started:
        yield started
        assert started.process.poll() is None, started.output
    assert started.process.returncode == 0, started.output


@pytest.fixture(scope="session")
def published() -> Content:
    """What a fresh system answers from."""
    return load_folder(REPO / "data" / "faq", Settings().languages)


@pytest.fixture(scope="session")
def texts() -> SystemTexts:
    return SystemTexts.load(path=REPO / "domain.yml")


@pytest.fixture
def who(request: pytest.FixtureRequest) -> str:
    """A sender of this test's own."""
    return str(request.node.nodeid)[-190:]
