"""A desk under test, and browsers that are logged in."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass

import redis.asyncio
import sqlalchemy as sa
from aiohttp import CookieJar
from aiohttp.test_utils import TestClient, TestServer
from sqlalchemy.engine import Connection

from bot.desk.people import auth
from bot.desk.people.users import User
from bot.desk.web import COOKIE
from bot.handoff.service import HandoffService
from bot.settings import Settings
from bot.stores.database import Database
from bot.stores.tables import users

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
        """Give a user a session; `asha` and `ravi` are agents, `boss` is an admin."""

        def work(connection: Connection) -> auth.Started:
            row = connection.execute(sa.select(users).where(users.c.login == login)).mappings()
            return auth.start_session(connection, User.from_row(row.one()), time.time())

        started = self.database.call(work)
        jar = CookieJar(unsafe=True)
        jar.update_cookies({COOKIE: started.token}, self.server.make_url("/"))
        client = TestClient(self.server, cookie_jar=jar)
        return Browser(client, started.session.csrf)


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
