"""How the recorded payloads of each channel (tests/fixtures/<channel>/) are delivered.

A new channel adds its payloads and a row of `RECORDED`; the contract then holds for it, too.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp.test_utils import TestClient
from vendors.graph_server import APP_SECRET, PAGE, TOKEN, signed
from vendors.telegram_server import TOKEN as BOT_TOKEN

from channels.facebook.settings import FacebookSettings
from channels.rest.settings import RestSettings
from channels.telegram.routes import SECRET_HEADER
from channels.telegram.settings import TelegramBot, TelegramSettings
from channels.webchat.server.settings import WebchatSettings

FIXTURES = Path(__file__).parents[2] / "fixtures"
NOWHERE = "http://127.0.0.1:9"
"""Nobody listens there; a channel must not need its vendor to take a message."""


class Recorded(ABC):
    """Deliveries of one channel.

    Args:
        folder: Holds `message.json`, a message of a customer that says "where is my order", and
            `unknown.json`, a list of what is well-formed JSON and no message.
    """

    settings: Any
    """Settings with which the channel is on."""
    taken: int = 200
    """Status of the answer once a message is in the inbox."""

    def __init__(self, folder: Path) -> None:
        self.message: dict[str, Any] = json.loads((folder / "message.json").read_text("utf-8"))
        self.unknown: list[Any] = json.loads((folder / "unknown.json").read_text("utf-8"))

    async def say(self, http: TestClient[Any, Any]) -> aiohttp.ClientResponse:
        """Deliver the message, as the vendor does."""
        return await self.deliver(http, json.dumps(self.message).encode())

    @abstractmethod
    async def deliver(self, http: TestClient[Any, Any], body: bytes) -> aiohttp.ClientResponse:
        """Deliver a body as the vendor does."""

    @abstractmethod
    async def forge(self, http: TestClient[Any, Any]) -> aiohttp.ClientResponse:
        """Deliver the message as somebody else."""


class Facebook(Recorded):
    """Messenger: signed with the app's secret."""

    settings = FacebookSettings(NOWHERE, APP_SECRET, "verify-me", {PAGE: TOKEN})
    path = "/webhooks/facebook/webhook"

    async def deliver(self, http: TestClient[Any, Any], body: bytes) -> aiohttp.ClientResponse:
        return await http.post(self.path, data=body, headers=signed(body))

    async def forge(self, http: TestClient[Any, Any]) -> aiohttp.ClientResponse:
        body = json.dumps(self.message).encode()
        return await http.post(self.path, data=body, headers=signed(body, "another secret"))


class Telegram(Recorded):
    """Telegram: the bot's secret in a header."""

    settings = TelegramSettings(NOWHERE, {"MelaBot": TelegramBot(BOT_TOKEN, "s3cret")})
    path = "/webhooks/telegram/MelaBot/webhook"

    async def deliver(self, http: TestClient[Any, Any], body: bytes) -> aiohttp.ClientResponse:
        return await http.post(self.path, data=body, headers={SECRET_HEADER: "s3cret"})

    async def forge(self, http: TestClient[Any, Any]) -> aiohttp.ClientResponse:
        return await http.post(self.path, json=self.message, headers={SECRET_HEADER: "guess"})


class Webchat(Recorded):
    """The widget: a token that this server gave."""

    settings = WebchatSettings()
    taken = 202
    token = ""

    async def deliver(self, http: TestClient[Any, Any], body: bytes) -> aiohttp.ClientResponse:
        if not self.token:
            opened = await http.post("/webhooks/webchat/session", json={"site": "demo"})
            self.token = (await opened.json())["token"]
        return await self._post(http, body, self.token)

    async def forge(self, http: TestClient[Any, Any]) -> aiohttp.ClientResponse:
        return await self._post(http, json.dumps(self.message).encode(), "no-token.of-ours")

    async def _post(
        self, http: TestClient[Any, Any], body: bytes, token: str
    ) -> aiohttp.ClientResponse:
        headers = {"Authorization": f"Bearer {token}"}
        return await http.post("/webhooks/webchat/message", data=body, headers=headers)


class Rest(Recorded):
    """REST: from this machine only, not through a proxy."""

    settings = RestSettings()
    taken = 504  # "the message is kept and will be answered": here nobody answers
    path = "/webhooks/rest/webhook"

    async def deliver(self, http: TestClient[Any, Any], body: bytes) -> aiohttp.ClientResponse:
        return await http.post(self.path, data=body)

    async def forge(self, http: TestClient[Any, Any]) -> aiohttp.ClientResponse:
        headers = {"X-Forwarded-For": "203.0.113.9"}
        return await http.post(self.path, json=self.message, headers=headers)


RECORDED: dict[str, type[Recorded]] = {
    "facebook": Facebook,
    "rest": Rest,
    "telegram": Telegram,
    "webchat": Webchat,
}


def recorded(name: str) -> Recorded:
    """Make the deliveries of a channel."""
    return RECORDED[name](FIXTURES / name)
