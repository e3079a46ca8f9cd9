from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from running import REPO, System, running

from bot.content.load import load_folder
from bot.content.models import Content
from bot.settings import Settings


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # The first test of a run also waits for the system, which may have to refit its models.
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.timeout(420))


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system of this module's own, to be maltreated."""
    with running(tmp_path_factory.mktemp("faults")) as started:
        yield started


@pytest.fixture(scope="session")
def published() -> Content:
    return load_folder(REPO / "data" / "faq", Settings().languages)
