"""Agents' files on their way to the vendors, over HTTP to servers as strict as the real ones."""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
import redis.asyncio
from builders import NOW
from vendors.forms import SentFile
from vendors.graph_server import APP_SECRET, PAGE, TOKEN, GraphServer
from vendors.graph_server import Refused as GraphRefused
from vendors.serving import serving
from vendors.telegram_server import TOKEN as BOT_TOKEN
from vendors.telegram_server import BotApiServer, Refused

from bot.errors import DeliveryFailed
from bot.files.store import store_of
from bot.settings import Settings
from bot.stores.redis_client import EmbeddedServer
from bot.streams.attachments import Attachment
from bot.streams.messages import Outbound, conversation_id
from channels.facebook.client import FacebookClient
from channels.facebook.settings import FacebookSettings
from channels.kit.pacing import Pace
from channels.kit.vendor_http import VendorHttp
from channels.telegram.client import TelegramClient
from channels.telegram.settings import TelegramBot, TelegramSettings

FAST = Pace("test", 0.0)
CONTENT = b"\x89PNG\r\n\x1a\n" + bytes(500)


@pytest.fixture
async def graph() -> AsyncIterator[GraphServer]:
    server = GraphServer()
    async with serving(server):
        yield server


@pytest.fixture
async def bot_api() -> AsyncIterator[BotApiServer]:
    server = BotApiServer()
    async with serving(server):
        yield server


@pytest.fixture
def chosen(
    settings: Settings, redis_server: EmbeddedServer, graph: GraphServer, bot_api: BotApiServer
) -> Settings:
    return replace(
        settings,
        redis_url=f"unix://{redis_server.socket}",
    ).with_parts(
        FacebookSettings(graph.graph_url, APP_SECRET, "verify-me", {PAGE: TOKEN}),
        TelegramSettings(bot_api.url, {"MelaBot": TelegramBot(BOT_TOKEN, "s")}),
    )


@pytest.fixture
async def facebook(chosen: Settings, redis: redis.asyncio.Redis) -> AsyncIterator[FacebookClient]:
    client = FacebookClient(chosen, redis, VendorHttp())
    yield client
    await client.aclose()


@pytest.fixture
async def telegram(chosen: Settings, redis: redis.asyncio.Redis) -> AsyncIterator[TelegramClient]:
    client = TelegramClient(chosen, redis, VendorHttp(), chat=FAST, group=FAST, bot=FAST)
    yield client
    await client.aclose()


async def stored(
    settings: Settings, id_: str, type_: str, content: bytes = CONTENT, **more: Any
) -> Attachment:
    """Put a file into the store."""

    async def chunks() -> AsyncIterator[bytes]:
        yield content

    await store_of(settings).put(id_, chunks(), 10**6, lambda head: None)
    kind = type_.partition("/")[0]
    kind = kind if kind in ("image", "audio", "video") else "file"
    values = {"name": f"रसीद {id_}.bin", "type": type_, "size": len(content), **more}
    return Attachment(id_, kind, **values)


def reply(channel: str, *attachments: Attachment, text: str = "") -> Outbound:
    account, user = (PAGE, "501") if channel == "facebook" else ("MelaBot", "7")
    return Outbound(
        id=f"d-{channel}-{len(attachments)}-{text}",
        channel=channel,
        account=account,
        conversation=conversation_id(channel, account, user),
        vendor_user=user,
        text=text,
        author="agent",
        agent="Asha",
        created_at=NOW,
        attachments=attachments,
    )


@pytest.mark.parametrize(
    ("type_", "kind"),
    [
        ("image/png", "image"),
        ("image/webp", "file"),
        ("application/pdf", "file"),
        ("video/mp4", "video"),
        ("audio/mpeg", "audio"),
        ("audio/ogg", "file"),
        ("text/plain", "file"),
    ],
)
async def test_messenger_gets_words_first_and_each_file_as_what_it_takes(
    chosen: Settings, facebook: FacebookClient, graph: GraphServer, type_: str, kind: str
) -> None:
    file = await stored(chosen, "f1", type_)
    assert await facebook.send(reply("facebook", file, text="Here it is")) == "m_2"
    words, sent = graph.sent
    assert words["message"]["text"] == "Here it is"
    assert sent["message"]["attachment"]["type"] == kind
    assert sent["recipient"] == {"id": "501"}
    assert sent["messaging_type"] == "RESPONSE"
    assert sent["filedata"] == SentFile("filedata", "रसीद f1.bin", type_, CONTENT)


@pytest.mark.parametrize(
    ("type_", "size", "method"),
    [
        ("image/png", 500, "sendPhoto"),
        ("image/png", 10_000_001, "sendDocument"),
        ("image/gif", 500, "sendAnimation"),
        ("application/pdf", 500, "sendDocument"),
        ("video/mp4", 500, "sendVideo"),
        ("audio/mpeg", 500, "sendAudio"),
        ("audio/ogg", 500, "sendDocument"),
        ("video/quicktime", 500, "sendDocument"),
    ],
)
async def test_telegram_gets_each_file_by_the_method_that_takes_it(
    chosen: Settings,
    telegram: TelegramClient,
    bot_api: BotApiServer,
    type_: str,
    size: int,
    method: str,
) -> None:
    file = await stored(chosen, "f1", type_, size=size)
    assert await telegram.send(reply("telegram", file)) == "1"
    (sent,) = bot_api.sent
    assert (sent["method"], sent["chat_id"]) == (method, 7)
    (given,) = (value for value in sent.values() if isinstance(value, SentFile))
    assert (given.name, given.type, given.content) == ("रसीद f1.bin", type_, CONTENT)


async def test_a_retry_sends_only_the_files_that_are_missing(
    chosen: Settings, telegram: TelegramClient, bot_api: BotApiServer
) -> None:
    first, second = await stored(chosen, "f1", "image/png"), await stored(chosen, "f2", "image/png")
    message = reply("telegram", first, second)
    bot_api.failures = [None, Refused(500, "Internal Server Error")]
    with pytest.raises(DeliveryFailed):
        await telegram.send(message)
    await telegram.send(message)
    names = [v.name for m in bot_api.sent for v in m.values() if isinstance(v, SentFile)]
    assert names == ["रसीद f1.bin", "रसीद f2.bin"]


@pytest.mark.parametrize(
    ("width", "height", "method"),
    [
        (5000, 5000, "sendPhoto"),
        (5001, 5000, "sendDocument"),
        (100, 2000, "sendPhoto"),
        (100, 2001, "sendDocument"),
        (2001, 100, "sendDocument"),
    ],
)
async def test_a_picture_telegram_makes_no_photo_of_goes_whole_and_the_next_file_follows(
    chosen: Settings,
    telegram: TelegramClient,
    bot_api: BotApiServer,
    width: int,
    height: int,
    method: str,
) -> None:
    content = CONTENT[:8] + b"\0\0\0\rIHDR" + struct.pack(">II", width, height) + bytes(500)
    picture = await stored(chosen, "f1", "image/png", content)
    bill = await stored(chosen, "f2", "application/pdf")
    assert await telegram.send(reply("telegram", picture, bill)) == "2"
    assert [sent["method"] for sent in bot_api.sent] == [method, "sendDocument"]
    first = next(v for v in bot_api.sent[0].values() if isinstance(v, SentFile))
    assert (first.name, first.content) == (picture.name, content)


async def test_a_picture_telegram_cannot_process_goes_as_a_document_too(
    chosen: Settings, telegram: TelegramClient, bot_api: BotApiServer
) -> None:
    bot_api.failures = [Refused(400, "Bad Request: IMAGE_PROCESS_FAILED")]
    await telegram.send(reply("telegram", await stored(chosen, "f1", "image/png")))
    assert [sent["method"] for sent in bot_api.sent] == ["sendDocument"]


async def test_messenger_outside_the_window_sends_an_agents_file_with_the_tag(
    chosen: Settings, facebook: FacebookClient, graph: GraphServer
) -> None:
    file = await stored(chosen, "f1", "image/png")
    graph.failures = [GraphRefused("outside of allowed window", 10, 2018278, status=403)]
    await facebook.send(reply("facebook", file))
    (sent,) = graph.sent
    assert (sent["messaging_type"], sent["tag"]) == ("MESSAGE_TAG", "HUMAN_AGENT")
    assert sent["filedata"].content == CONTENT


@pytest.mark.parametrize("channel", ["facebook", "telegram"])
async def test_a_file_that_is_gone_or_too_large_fails_for_good(
    chosen: Settings, facebook: FacebookClient, telegram: TelegramClient, channel: str
) -> None:
    client = facebook if channel == "facebook" else telegram
    for reason, file in (
        ("file-missing", Attachment("gone", "image", "a.png", "image/png", 5)),
        ("too-large", await stored(chosen, "f1", "application/pdf", size=60_000_000)),
    ):
        with pytest.raises(DeliveryFailed) as failed:
            await client.send(reply(channel, file))
        assert (failed.value.reason, failed.value.permanent) == (reason, True)
