"""A subscription that lasts: odd notices harm nothing, and a lost connection is made again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace

import builders
import pytest
import redis.asyncio
from structlog.testing import capture_logs

from bot.errors import StoreUnavailable
from bot.settings import Settings
from bot.stores import redis_client, subscription
from bot.stores.subscription import Subscription


@dataclass
class Heard:
    """What a listener was told."""

    notices: list[tuple[str, str]] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)

    def take(self, channel: str, body: str) -> None:
        if body == "odd":
            raise ZeroDivisionError("the customer's words")
        self.notices.append((channel, body))


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
async def ear(redis: redis.asyncio.Redis, heard: Heard) -> AsyncIterator[Subscription]:
    made = Subscription(
        redis,
        "test",
        ("one", "two"),
        heard.take,
        begun=lambda: heard.steps.append("begun"),
        confirmed=lambda channel: heard.steps.append(channel),
        lost=lambda: heard.steps.append("lost"),
    )
    task = asyncio.create_task(made.run())
    await builders.until(lambda: {"begun", "one", "two"} <= set(heard.steps))
    yield made
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert heard.steps[-1] == "lost"


async def test_an_odd_notice_is_logged_and_the_next_one_heard(
    ear: Subscription, redis: redis.asyncio.Redis, heard: Heard
) -> None:
    with capture_logs() as logs:
        for channel, body in (("one", "a"), ("one", "odd"), ("two", "b"), ("three", "c")):
            await redis.publish(channel, body)
        await builders.until(lambda: len(heard.notices) == 2)
    assert heard.notices == [("one", "a"), ("two", "b")]
    assert [(entry["event"], entry["channel"]) for entry in logs] == [("notice.failed", "one")]
    assert "words" not in str(logs)


async def test_a_lost_connection_is_made_again(
    ear: Subscription, redis: redis.asyncio.Redis, heard: Heard
) -> None:
    for times in (2, 3):
        for client in await redis.client_list(_type="pubsub"):
            await redis.client_kill_filter(_id=client["id"])
        await builders.until(lambda n=times: heard.steps.count("begun") == n)
        await redis.publish("two", f"after {times}")
        await builders.until(lambda n=times: ("two", f"after {n}") in heard.notices)
    assert heard.steps.count("lost") == 2


async def test_more_channels_come_and_go(
    ear: Subscription, redis: redis.asyncio.Redis, heard: Heard
) -> None:
    await ear.subscribe("three")
    await builders.until(lambda: "three" in heard.steps)
    await redis.publish("three", "c")
    await builders.until(lambda: heard.notices == [("three", "c")])
    await ear.unsubscribe("three")

    async def is_left() -> bool:
        return not (await redis.pubsub_numsub("three"))[0][1]

    await builders.until(is_left)


async def test_without_redis_nothing_can_be_subscribed_and_it_goes_on_trying(
    settings: Settings, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = redis_client.connect(replace(settings, redis_url="unix:///nonexistent/valkey.sock"))
    monkeypatch.setattr(subscription, "FIRST_PAUSE_S", 0.001)
    ear = Subscription(
        client, "test", ("one",), heard.take, lost=lambda: heard.steps.append("lost")
    )
    task = asyncio.create_task(ear.run())
    await builders.until(lambda: len(heard.steps) > 2)
    with pytest.raises(StoreUnavailable):
        await ear.subscribe("two")
    await ear.unsubscribe("two")
    assert not task.done()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await client.aclose()
