"""Refused deliveries are counted, however many ingresses there are."""

from __future__ import annotations

from collections.abc import Coroutine
from dataclasses import replace

import pytest
import redis.asyncio
import structlog
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from builders import until
from vendors.graph_server import APP_SECRET, PAGE, TOKEN, delivery, said, signed

from bot.errors import StoreUnavailable
from bot.processes.ingress import make_app
from bot.settings import Settings
from bot.stores import redis_keys
from bot.stores.database import Database
from bot.web.tally import Tally
from channels.facebook.settings import FacebookSettings
from channels.kit import refusals
from channels.kit.app_keys import REDIS
from channels.kit.refusals import Refusals

WEBHOOK = "/webhooks/facebook/webhook"


async def test_refusals_are_counted_by_channel_and_code_and_shown(
    settings: Settings,
    redis_url: str,
    redis: redis.asyncio.Redis,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(refusals, "EVERY_S", 3600.0)
    facebook = FacebookSettings(app_secret=APP_SECRET, verify_token="v", page_tokens={PAGE: TOKEN})
    told = replace(settings, redis_url=redis_url).with_parts(facebook)
    right = delivery(said("hello", "mid-1"))
    async with TestClient(TestServer(make_app(told))) as http:
        for headers, body, status in (
            ({"X-Hub-Signature-256": "sha256=00"}, right, 401),
            ({}, right, 401),
            (signed(b"no json"), b"no json", 400),
            (signed(right), right, 200),
        ):
            assert (await http.post(WEBHOOK, data=body, headers=headers)).status == status
        await http.app[refusals.REFUSALS].write()
        shown = await (await http.get("/health")).json()
        assert shown["refused"] == {"facebook not-json": 1, "facebook wrong-signature": 2}
        await http.post(WEBHOOK, data=right)
    assert await redis.hgetall(redis_keys.REFUSED) == {
        "facebook not-json": "1",
        "facebook wrong-signature": "3",
    }, "the last ones are written at the end"


async def test_what_cannot_be_written_is_kept(
    redis: redis.asyncio.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    counter = Refusals(redis)
    counter.note("/webhooks/telegram/MelaBot/webhook", "wrong-secret")
    counter.note("/somewhere/else", "not-json")

    async def away(call: Coroutine[object, object, object]) -> None:
        call.close()
        raise StoreUnavailable("redis", "away")

    with monkeypatch.context() as patched:
        patched.setattr(refusals, "guarded", away)
        await counter.write()
    await counter.write()
    assert await redis.hgetall(redis_keys.REFUSED) == {
        "telegram wrong-secret": "1",
        "other not-json": "1",
    }


async def test_an_error_that_nobody_foresaw_is_logged_and_counting_goes_on(
    redis: redis.asyncio.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refusals, "EVERY_S", 0.01)
    monkeypatch.setattr(refusals, "TALLY", Tally())
    app = web.Application()
    app[REDIS] = redis
    refusals.add_counter(app)
    await redis.set(redis_keys.REFUSED, "not a hash")
    counter = app[refusals.REFUSALS]
    async with TestServer(app):
        with structlog.testing.capture_logs() as lines:
            counter.note("/webhooks/telegram/MelaBot/webhook", "wrong-secret")
            await until(lambda: any(line["event"] == "refusals.failed" for line in lines))
        await redis.delete(redis_keys.REFUSED)
        counter.note("/webhooks/telegram/MelaBot/webhook", "wrong-secret")
        await until(lambda: _is_there(redis))
    assert await redis.hgetall(redis_keys.REFUSED) == {"telegram wrong-secret": "1"}


async def _is_there(client: redis.asyncio.Redis) -> bool:
    return bool(await client.exists(redis_keys.REFUSED))
