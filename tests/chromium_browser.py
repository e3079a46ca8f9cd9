"""The one browser of all tests: Debian's Chromium, started afresh for each."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.async_api import Browser

CHROMIUM = shutil.which("chromium")
PATH = CHROMIUM or "/usr/bin/chromium"
"""Named always, so that no browser the driver brought along steps in."""
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """Chromium without a window."""
    # Most tests need none, and the driver takes a while to import.
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=PATH, args=ARGUMENTS)
        yield started
        await started.close()
