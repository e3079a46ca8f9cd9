"""A desk under test, and browsers that are logged in."""

from __future__ import annotations

import re
from dataclasses import dataclass

import redis.asyncio
from aiohttp.test_utils import TestClient, TestServer

from bot.database import Database
from bot.handoff.service import HandoffService
from bot.settings import Settings

PASSWORD = "correct horse battery"


@dataclass
class Desk:
    """Everything a test needs at hand."""

    settings: Settings
    database: Database
    redis: redis.asyncio.Redis
    service: HandoffService
    server: TestServer

    async def browser(self, login: str = "asha") -> Browser:
        """Log a user in; `asha` and `ravi` are agents, `boss` is an admin."""
        client = TestClient(self.server)
        browser = Browser(client)
        token = field(await browser.text("/login"), "csrf")
        response = await client.post(
            "/login", data={"login": login, "password": PASSWORD, "csrf": token},
            allow_redirects=False,
        )  # fmt: skip
        assert response.status == 303
        browser.csrf = field(await browser.text("/canned"), "csrf")
        return browser


@dataclass
class Browser:
    """One user's client."""

    client: TestClient
    csrf: str = ""

    async def text(self, path: str, **headers: str) -> str:
        response = await self.client.get(path, headers=headers)
        assert response.status == 200, await response.text()
        return await response.text()

    async def act(self, path: str, **fields: str) -> tuple[int, dict[str, object]]:
        """Post like the page does; gives a key unless there is one."""
        fields.setdefault("key", "k" * 16)
        response = await self.client.post(
            path,
            data=fields,
            headers={"X-CSRF-Token": self.csrf, "Accept": "application/json"},
        )
        return response.status, await response.json() if response.status != 204 else {}


def field(html: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]+)"', html)
    assert found, name
    return found.group(1)
