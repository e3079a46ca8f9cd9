"""Setting bots up, and fetching updates without a public address."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from typing import Any

import builders
import pytest
import redis.asyncio
from vendors.telegram_server import BotApiServer, private, tapped

from bot.errors import ConfigurationError, SamvadError, StoreUnavailable
from bot.settings import Settings
from channels.kit.vendor_http import VendorHttp
from channels.telegram import poll, setup
from channels.telegram.api import BotApi
from channels.telegram.receive import TelegramReceiver
from channels.telegram.settings import TelegramBot, TelegramSettings


async def test_everything_is_set_in_all_languages_and_shown_before_and_after(
    telegram_settings: Settings, bot_api: BotApiServer
) -> None:
    own = replace(telegram_settings, public_url="https://chat.example/")
    lines = await setup.run(own)
    assert bot_api.webhook == {
        "url": "https://chat.example/webhooks/telegram/MelaBot/webhook",
        "secret_token": "s3cret_-A",
        "allowed_updates": ["message", "edited_message", "callback_query", "my_chat_member"],
        "max_connections": 40,
    }
    assert set(bot_api.commands) == {"", *own.languages} == set(bot_api.descriptions)
    assert bot_api.commands["hi"][0] == {"command": "person", "description": "इंसान से बात करें"}
    assert "  has  webhook: none" in lines
    assert "  now  webhook: https://chat.example/webhooks/telegram/MelaBot/webhook" in lines
    assert not any("s3cret" in line or "test-token" in line for line in lines)
    assert await setup.run(own, show_only=True)


async def test_show_changes_nothing(telegram_settings: Settings, bot_api: BotApiServer) -> None:
    await setup.run(telegram_settings, show_only=True)
    assert not [name for name, _ in bot_api.calls if name.startswith("set")]


@pytest.mark.parametrize(
    "url", ["", "http://chat.example", "https://chat.example:8080", "https://chat.example:x"]
)
async def test_an_address_telegram_cannot_call_changes_nothing(
    telegram_settings: Settings, bot_api: BotApiServer, url: str
) -> None:
    with pytest.raises(ConfigurationError) as refused:
        await setup.run(replace(telegram_settings, public_url=url))
    assert refused.value.key == "PUBLIC_URL"
    assert bot_api.calls == []


async def test_a_wrong_token_is_told_without_the_token(telegram_settings: Settings) -> None:
    wrong = {"MelaBot": TelegramBot("99:wrong-token", "s")}
    api_url = telegram_settings.of(TelegramSettings).api_url
    own = replace(telegram_settings, public_url="https://chat.example").with_parts(
        TelegramSettings(api_url, wrong)
    )
    with pytest.raises(
        SamvadError, match="bot MelaBot: the Bot API answered “not-authorised”"
    ) as e:
        await setup.run(own)
    assert "wrong-token" not in str(e.value)


async def test_a_name_that_is_not_the_user_name_is_told(
    telegram_settings: Settings, bot_api: BotApiServer
) -> None:
    bot_api.username = "OtherBot"
    assert any("@OtherBot" in line for line in await setup.run(telegram_settings, show_only=True))


class Inbox:
    """Keeps messages, or is away."""

    def __init__(self) -> None:
        self.kept: list[Any] = []
        self.away = False

    async def accept(self, inbound: Any) -> bool:
        if self.away:
            raise StoreUnavailable("redis", "away")
        self.kept.append(inbound)
        return True


async def test_polling_keeps_answers_and_confirms(
    telegram_settings: Settings, bot_api: BotApiServer, redis: redis.asyncio.Redis
) -> None:
    inbox, http = Inbox(), VendorHttp(5.0)
    bot = telegram_settings.of(TelegramSettings).bots["MelaBot"]
    receiver = TelegramReceiver(telegram_settings, redis, inbox)
    poller = poll.Poller("MelaBot", bot, BotApi(bot_api.url, bot, http), receiver)
    bot_api.updates = [private(4, "one"), tapped(5, "abc"), private(6, "two")]
    bot_api.queries.add("q1")
    inbox.away = True
    with pytest.raises(StoreUnavailable):
        await poller.step(0)
    inbox.away = False
    assert await poller.step(0) == 3, "what was not kept is not confirmed"
    assert [i.text or i.tap for i in inbox.kept] == ["one", "abc", "two"]
    assert bot_api.answered == ["q1"]
    assert await poller.step(0) == 0
    assert bot_api.updates == []
    await http.aclose()


async def test_polling_does_not_steal_from_a_webhook_unless_told(
    telegram_settings: Settings, bot_api: BotApiServer
) -> None:
    bot_api.webhook = {"url": "https://production.example/"}
    with pytest.raises(SamvadError, match=r"production\.example"):
        await poll.run(telegram_settings)
    task = asyncio.create_task(poll.run(telegram_settings, replace_webhook=True))
    await builders.until(lambda: not bot_api.webhook)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
