"""Sending to a local Bot API that refuses what the real one refuses."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import builders
import pytest
import redis.asyncio
from vendors.telegram_server import BotApiServer, Refused

from bot.errors import DeliveryFailed, StoreUnavailable
from bot.settings import Settings
from bot.streams.messages import Outbound, QuickReply
from channels.kit.pacing import Pace, Pacer
from channels.kit.vendor_http import VendorHttp
from channels.telegram.client import BOT, CHAT, GROUP, TelegramClient, origin_key
from channels.telegram.settings import TelegramSettings

FAST = Pace("test-fast", 0.0)


@pytest.fixture
async def client(telegram_settings: Settings, redis: redis.asyncio.Redis) -> Any:
    made = TelegramClient(
        telegram_settings, redis, VendorHttp(2.0), chat=FAST, group=FAST, bot=FAST
    )
    yield made
    await made.aclose()


def message(text: str = "नमस्ते", *titles: str, user: str = "7", n: int = 1, **more: Any) -> Outbound:
    replies = tuple(QuickReply(f"{k:016x}", title, position=k) for k, title in enumerate(titles))
    return replace(
        builders.outbound(text, n=n, **more),
        channel="telegram",
        account="MelaBot",
        vendor_user=user,
        quick_replies=replies,
    )


async def test_a_message_with_buttons(client: TelegramClient, bot_api: BotApiServer) -> None:
    assert await client.send(message("Choose", "हाँ", "नहीं", "किसी इंसान से बात करनी है")) == "1"
    (sent,) = bot_api.sent
    assert (sent["chat_id"], sent["text"]) == (7, "Choose")
    assert "parse_mode" not in sent, "a customer's < or * is no markup"
    rows = sent["reply_markup"]["inline_keyboard"]
    assert [[b["text"] for b in row] for row in rows] == [
        ["हाँ", "नहीं"],
        ["किसी इंसान से बात करनी है"],
    ]
    assert rows[0][1]["callback_data"] == f"{1:016x}"


async def test_reply_keyboards_by_setting(
    telegram_settings: Settings, redis: redis.asyncio.Redis, bot_api: BotApiServer
) -> None:
    own = telegram_settings.with_parts(
        replace(telegram_settings.of(TelegramSettings), keyboard="reply")
    )
    client = TelegramClient(own, redis, VendorHttp(2.0), chat=FAST, group=FAST, bot=FAST)
    await client.send(message("Choose", "yes", "no"))
    await client.aclose()
    assert bot_api.sent[0]["reply_markup"]["keyboard"] == [[{"text": "yes"}, {"text": "no"}]]


async def test_an_id_too_long_for_a_button_becomes_a_numbered_list(
    client: TelegramClient, bot_api: BotApiServer
) -> None:
    long = QuickReply("x" * 65, "title")
    await client.send(replace(message("Choose"), quick_replies=(long,)))
    assert bot_api.sent[0]["text"] == "Choose\n\n1. title"


async def test_long_text_arrives_whole_in_order_with_typing_between(
    client: TelegramClient, bot_api: BotApiServer
) -> None:
    text = " ".join(f"वाक्य {n} समाप्त।" for n in range(800))
    await client.send(message(text, "ok"))
    assert len(bot_api.sent) > 2
    assert " ".join(m["text"] for m in bot_api.sent) == text
    assert [("reply_markup" in m) for m in bot_api.sent[-2:]] == [False, True]
    assert "sendChatAction" in [name for name, _ in bot_api.calls]


async def test_a_retry_goes_on_where_the_last_try_stopped(
    client: TelegramClient, bot_api: BotApiServer
) -> None:
    text = "Sentence. " * 1200
    outbound = message(text)
    original = bot_api._do_sendMessage

    def fails_at_second(body: dict[str, Any]) -> Any:
        if len(bot_api.sent) == 1 and not bot_api.failures:
            bot_api._do_sendMessage = original  # type: ignore[method-assign]
            raise Refused(500, "Internal Server Error")
        return original(body)

    bot_api._do_sendMessage = fails_at_second  # type: ignore[method-assign]
    with pytest.raises(DeliveryFailed) as failed:
        await client.send(outbound)
    assert (failed.value.reason, failed.value.permanent) == ("vendor-error", False)
    await client.send(outbound)
    assert " ".join(m["text"] for m in bot_api.sent) == text.strip()
    assert await client.send(outbound), "a third try sends nothing"
    assert " ".join(m["text"] for m in bot_api.sent) == text.strip()


async def test_429_says_when_to_come_back_and_holds_the_line(
    client: TelegramClient, bot_api: BotApiServer, redis: redis.asyncio.Redis
) -> None:
    bot_api.failures = [Refused(429, "Too Many Requests: retry after 17", retry_after=17)]
    with pytest.raises(DeliveryFailed) as failed:
        await client.send(message())
    assert (failed.value.permanent, failed.value.retry_after_s) == (False, 17)
    assert 16 < await Pacer(redis).take(FAST, "MelaBot:7") <= 17
    assert await Pacer(redis).take(FAST, "MelaBot:8") == 0


@pytest.mark.parametrize(
    ("refused", "reason", "permanent"),
    [
        (Refused(403, "Forbidden: bot was blocked by the user"), "blocked", True),
        (Refused(400, "Bad Request: chat not found"), "unknown-chat", True),
        (Refused(400, "Bad Request: something else"), "refused", True),
        (Refused(401, "Unauthorized"), "not-authorised", False),
        (Refused(502, "Bad Gateway"), "vendor-error", False),
    ],
)
async def test_what_can_never_succeed_is_told_apart(
    client: TelegramClient, bot_api: BotApiServer, refused: Refused, reason: str, permanent: bool
) -> None:
    bot_api.failures = [refused]
    with pytest.raises(DeliveryFailed) as failed:
        await client.send(message())
    assert (failed.value.reason, failed.value.permanent) == (reason, permanent)


async def test_no_error_names_the_token(
    telegram_settings: Settings, redis: redis.asyncio.Redis, bot_api: BotApiServer
) -> None:
    for url in ("http://127.0.0.1:9", "not a url", bot_api.url):
        own = telegram_settings.with_parts(
            replace(telegram_settings.of(TelegramSettings), api_url=url)
        )
        client = TelegramClient(own, redis, VendorHttp(2.0), chat=FAST, group=FAST, bot=FAST)
        bot_api.failures = [None]
        with pytest.raises(DeliveryFailed) as failed:
            await client.send(message())
        await client.aclose()
        assert failed.value.reason == "unreachable"
        assert failed.value.__suppress_context__, "a printed trace would show the address"
        assert "123456" not in repr(failed.value)


async def test_a_group_that_moved_gets_its_message_at_once_and_ever_after(
    client: TelegramClient, bot_api: BotApiServer
) -> None:
    bot_api.moved = {-5: -1009876543210}
    await client.send(message("one", user="-5:7"))
    await client.send(message("two", user="-5:7", n=2))
    assert [m["chat_id"] for m in bot_api.sent] == [-1009876543210] * 2
    assert [name for name, _ in bot_api.calls].count("sendMessage") == 3


async def test_in_a_group_the_answer_hangs_on_the_question(
    client: TelegramClient,
    bot_api: BotApiServer,
    redis: redis.asyncio.Redis,
    telegram_settings: Settings,
) -> None:
    outbound = message("answer", user="-5:7", in_reply_to="m1")
    await redis.set(origin_key(telegram_settings, outbound.conversation, "m1"), "42:9")
    await client.send(outbound)
    assert bot_api.sent[0]["reply_parameters"]["message_id"] == 42
    assert bot_api.sent[0]["message_thread_id"] == 9


async def test_a_bot_that_is_gone_and_an_empty_message_are_permanent(
    client: TelegramClient,
) -> None:
    for outbound, reason in (
        (replace(message(), account="Gone"), "channel-off"),
        (message(" "), "empty"),
    ):
        with pytest.raises(DeliveryFailed) as failed:
            await client.send(outbound)
        assert (failed.value.reason, failed.value.permanent) == (reason, True)


async def test_what_was_sent_is_not_sent_again_because_redis_could_not_note_it(
    client: TelegramClient, bot_api: BotApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: Any, **__: Any) -> None:
        raise StoreUnavailable("redis", "away")

    with monkeypatch.context() as patch:
        patch.setattr(client._progress._redis, "set", away)
        await client.send(message())
    await client.send(message())
    assert len(bot_api.sent) == 1


async def test_a_line_moves_at_its_pace_for_everybody(redis: redis.asyncio.Redis) -> None:
    pace = Pace("test-slow", 10.0, burst=2)
    first, second = Pacer(redis), Pacer(redis)
    waits = [await p.take(pace, "chat") for p in (first, second, first, second)]
    assert waits[:2] == [0, 0]
    assert [round(wait) for wait in waits[2:]] == [10, 20]
    assert await first.take(pace, "another") == 0


async def test_the_paces_keep_to_the_rules(
    telegram_settings: Settings, redis: redis.asyncio.Redis
) -> None:
    assert CHAT.interval_s >= 1
    assert BOT.interval_s >= 1 / 30
    assert GROUP.burst + 60 / GROUP.interval_s <= 20


async def test_a_second_message_waits_for_its_second(
    telegram_settings: Settings, redis: redis.asyncio.Redis, bot_api: BotApiServer
) -> None:
    bot_api.per_chat_s = 0.1
    pace = Pace("test-chat", 0.6)  # far more than asked: a busy machine delivers late
    client = TelegramClient(
        telegram_settings, redis, VendorHttp(2.0), chat=pace, group=FAST, bot=FAST
    )
    started = time.monotonic()
    for n in range(3):
        await client.send(message(str(n), n=n))
    await client.aclose()
    assert [m["text"] for m in bot_api.sent] == ["0", "1", "2"], "none was refused"
    assert time.monotonic() - started > 2 * bot_api.per_chat_s
