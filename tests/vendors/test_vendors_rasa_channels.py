"""The same webhooks inside Rasa's server: the input channels on a real Sanic application."""

from __future__ import annotations

import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import rasa.core.channels.channel as rasa_channel
import redis.asyncio
from sanic import Sanic
from sanic.response import empty
from vendors.graph_server import APP_SECRET, PAGE, TOKEN, delivery, said, signed
from vendors.telegram_server import TOKEN as BOT_TOKEN
from vendors.telegram_server import private, tapped

from bot.settings import Settings
from bot.stores import redis_keys
from bot.stores.redis_client import EmbeddedServer
from channels.facebook.channel import FacebookInput
from channels.telegram.channel import TelegramInput
from channels.telegram.routes import SECRET_HEADER

FACEBOOK = "/webhooks/facebook/webhook"
TELEGRAM = "/webhooks/telegram/MelaBot/webhook"


@pytest.fixture(params=["on", "off"])
async def rasa(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    redis_server: EmbeddedServer,
    redis: redis.asyncio.Redis,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[aiohttp.ClientSession]:
    monkeypatch.setenv("SAMVAD_STATE_DIR", str(tmp_path))
    monkeypatch.setenv("REDIS_URL", f"unix://{redis_server.socket}")
    if request.param == "on":
        monkeypatch.setenv("FACEBOOK_APP_SECRET", APP_SECRET)
        monkeypatch.setenv("FACEBOOK_VERIFY_TOKEN", "verify-me")
        monkeypatch.setenv("FACEBOOK_PAGE_TOKENS", f"{PAGE}={TOKEN}")
        monkeypatch.setenv("FACEBOOK_GRAPH_URL", "http://127.0.0.1:9")
        monkeypatch.setenv("TELEGRAM_BOTS", f"MelaBot={BOT_TOKEN}:secret")
    app = Sanic(f"vendors-{request.param}", configure_logging=False)
    app.config.TOUCHUP = False  # it rewrites Sanic itself, which works once a process
    app.add_route(lambda _: empty(), "/", name="root")
    rasa_channel.register([FacebookInput(), TelegramInput()], app, route="/webhooks/")
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        running = await app.create_server(sock=listening, return_asyncio_server=True)
        await running.startup()
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        async with aiohttp.ClientSession(address) as client:
            yield client
        running.close()


async def kept(client: redis.asyncio.Redis) -> int:
    return sum([await client.xlen(redis_keys.inbox(s)) for s in range(Settings().shards)])


async def test_deliveries_go_to_the_inbox(
    rasa: aiohttp.ClientSession, redis: redis.asyncio.Redis, request: pytest.FixtureRequest
) -> None:
    on = request.node.callspec.params["rasa"] == "on"
    body = delivery(said("hello", "m1"))
    query = {"hub.mode": "subscribe", "hub.challenge": "42", "hub.verify_token": "verify-me"}
    secret = {SECRET_HEADER: "secret"}
    answers = [
        await rasa.get(FACEBOOK, params=query),
        await rasa.post(FACEBOOK, data=body, headers=signed(body)),
        await rasa.post(FACEBOOK, data=body, headers=signed(b"other")),
        await rasa.post(TELEGRAM, data=json.dumps(private(1, "hello")), headers=secret),
        await rasa.post(TELEGRAM, data=json.dumps(private(1, "hello"))),
        await rasa.post(TELEGRAM, data=b"{", headers=secret),
    ]
    statuses = [answer.status for answer in answers]
    if not on:
        assert statuses == [404] * 6
        return
    assert statuses == [200, 200, 401, 200, 403, 400]
    assert await answers[0].text() == "42"
    assert await kept(redis) == 2
    tap = await rasa.post(TELEGRAM, data=json.dumps(tapped(2, "abc")), headers=secret)
    assert await tap.json() == {"method": "answerCallbackQuery", "callback_query_id": "q1"}
