"""The same API inside Rasa's server: the input channel on a real Sanic application."""

from __future__ import annotations

import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import rasa.core.channels.channel as rasa_channel
from sanic import Sanic
from webchat_shop import reply_to

from bot.settings import Settings
from bot.stores import redis_client, redis_keys
from bot.stores.redis_client import EmbeddedServer
from bot.streams.messages import Inbound
from channels.webchat.channel import WebchatInput
from channels.webchat.server.client import WebchatClient


@pytest.fixture
async def server(
    redis_dir: Path, redis_server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[aiohttp.ClientSession]:
    monkeypatch.setenv("SAMVAD_STATE_DIR", str(redis_dir))
    app = Sanic("webchat-test", configure_logging=False)
    rasa_channel.register([WebchatInput()], app, route="/webhooks/")
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        running = await app.create_server(sock=listening, return_asyncio_server=True)
        await running.startup()
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        async with aiohttp.ClientSession(address) as client:
            yield client
        running.close()


async def test_a_message_goes_to_the_inbox_and_its_reply_comes_by_poll(
    server: aiohttp.ClientSession, redis_dir: Path
) -> None:
    api = "/webhooks/webchat"
    settings = Settings(state_dir=redis_dir)
    opened = await (await server.post(f"{api}/session", json={"site": "demo"})).json()
    headers = {"Authorization": f"Bearer {opened['token']}"}
    taken = await server.post(f"{api}/message", json={"id": "1", "text": "hi"}, headers=headers)
    assert taken.status == 202

    client = redis_client.connect(settings)
    rows = []
    for shard in range(settings.shards):
        rows += await client.xrange(redis_keys.inbox(shard))
    [inbound] = [Inbound.from_dict(json.loads(fields["body"])) for _, fields in rows]
    assert (inbound.text, inbound.id) == ("hi", (await taken.json())["message"])

    await WebchatClient(client, settings).send(reply_to(inbound, "hello"))
    polled = await (await server.get(f"{api}/poll", headers=headers)).json()
    assert [frame["message"]["text"] for frame in polled["frames"]] == ["hi", "hello"]
    await client.flushall()
    await client.aclose()

    refused = await server.get(f"{api}/poll")
    assert (refused.status, (await refused.json())["error"]["code"]) == (401, "not-authenticated")
    bad = await server.post(f"{api}/message", data=b"{", headers=headers)
    assert (bad.status, (await bad.json())["error"]["code"]) == (400, "not-json")
