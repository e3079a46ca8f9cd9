"""Agents' typing reaches the customers of vendors: from the one sender that holds the shard."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import builders
import redis.asyncio
from vendors.graph_server import APP_SECRET, PAGE, TOKEN, GraphServer
from vendors.serving import serving
from vendors.telegram_server import TOKEN as BOT_TOKEN
from vendors.telegram_server import BotApiServer

from bot.conversation.states import State
from bot.errors import DeliveryFailed
from bot.settings import Settings
from bot.stores import redis_keys
from bot.stores.database import Database
from bot.streams.lease import Leases
from channels.facebook.client import FacebookClient
from channels.facebook.settings import FacebookSettings
from channels.kit.agent_typing import TypingShown
from channels.kit.vendor_http import VendorHttp
from channels.telegram.client import TelegramClient
from channels.telegram.settings import TelegramBot, TelegramSettings


class Vendor:
    """A channel that shows typing, or fails to."""

    def __init__(self) -> None:
        self.shown: list[tuple[str, str]] = []
        self.fails = False

    async def show_typing(self, account: str, vendor_user: str) -> None:
        self.shown.append((account, vendor_user))
        if self.fails:
            raise DeliveryFailed("unreachable")


@asynccontextmanager
async def showing(
    settings: Settings,
    client: redis.asyncio.Redis,
    leases: Leases,
    vendor: object,
    again_s: dict[str, float],
) -> AsyncIterator[None]:
    work = TypingShown(settings, client, leases, {"rest": vendor, "webchat": object()}, again_s)
    task = asyncio.create_task(work.run())
    try:
        await builders.until(lambda: _listens(client))
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _listens(client: redis.asyncio.Redis) -> bool:
    return bool((await client.pubsub_numsub(redis_keys.LIVE_CHANNEL))[0][1])


async def _types(client: redis.asyncio.Redis, conversation: str, what: str = "typing") -> None:
    body = {"conversation": conversation, "what": what, "user": "asha", "name": "Asha"}
    await client.publish(redis_keys.LIVE_CHANNEL, json.dumps(body))


async def _stands(
    client: redis.asyncio.Redis, settings: Settings, database: Database, state: State, user: str
) -> Any:
    """A conversation, and the copy Redis has of it."""
    found = builders.brought_to(database, state, user=user)
    shard = redis_keys.shard_of(found.id, settings.shards)
    await client.set(redis_keys.owner(shard, found.id), found.to_json())
    return found


async def test_typing_is_shown_once_in_a_while_where_an_agent_has_the_conversation(
    settings: Settings,
    redis: redis.asyncio.Redis,
    database: Database,
) -> None:
    leases = Leases(redis, "sender", "one", settings.shards, 60.0)
    await leases.step()
    vendor, other, again_s = Vendor(), Vendor(), {"rest": 4.0, "webchat": 4.0}
    idle = Leases(redis, "sender", "two", settings.shards, 60.0)
    his = await _stands(redis, settings, database, State.ASSIGNED, "ann")
    bots = await _stands(redis, settings, database, State.BOT, "bob")
    last = await _stands(redis, settings, database, State.ASSIGNED, "cid")
    async with (
        showing(settings, redis, leases, vendor, again_s),
        showing(settings, redis, idle, other, again_s),
    ):
        await redis.publish(redis_keys.LIVE_CHANNEL, "no json")
        await _types(redis, his.id, "look")
        await _types(redis, "rest-nobody-knows")
        await _types(redis, bots.id)
        for _ in range(3):
            await _types(redis, his.id)
        await _types(redis, last.id)
        await builders.until(lambda: len(vendor.shown) == 2)
        vendor.fails = True
        again_s["rest"] = 0.0
        await _types(redis, his.id)
        await builders.until(lambda: len(vendor.shown) == 3)
    assert sorted(vendor.shown[:2]) == [(his.account, "ann"), (last.account, "cid")]
    assert vendor.shown[2:] == [(his.account, "ann")]
    assert other.shown == [], "who does not hold the shard says nothing"


async def test_vendors_take_the_sign(settings: Settings, redis: redis.asyncio.Redis) -> None:
    graph, bot_api, http = GraphServer(), BotApiServer(), VendorHttp(5.0)
    async with serving(graph), serving(bot_api):
        told = settings.with_parts(
            FacebookSettings(graph.graph_url, APP_SECRET, "", {PAGE: TOKEN}),
            TelegramSettings(bot_api.url, {"MelaBot": TelegramBot(BOT_TOKEN, "secret")}),
        )
        await FacebookClient(told, redis, http).show_typing(PAGE, "501")
        await TelegramClient(told, redis, http).show_typing("MelaBot", "7")
        await TelegramClient(told, redis, http).show_typing("MelaBot", "-100:7")
        await TelegramClient(told, redis, http).show_typing("GoneBot", "7")
        await http.aclose()
    assert graph.actions == ["typing_on"]
    assert [body["chat_id"] for method, body in bot_api.calls if method == "sendChatAction"] == [
        7,
        -100,
    ]
