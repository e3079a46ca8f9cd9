"""Translation against a real server that speaks LibreTranslate's protocol and misbehaves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
import redis.asyncio
import structlog
from libre_server import LibreServer

from bot.errors import ConfigurationError, TranslationUnavailable
from bot.language import translate
from bot.language.providers import PROVIDERS, load_provider
from bot.language.translate import FAILURES, PAUSE_S, Breaker, Translator
from bot.settings import Settings
from bot.stores import redis_keys
from bot.stores.redis_client import connect

TEXT = "Hello {name}, write to ann@example.com or see https://mela.example/help within 5 days."


class Clock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def server() -> Iterator[LibreServer]:
    made = LibreServer()
    made.start()
    yield made
    made.stop()


@pytest.fixture
def clock() -> Clock:
    return Clock()


def _translator(
    server: LibreServer, client: redis.asyncio.Redis, clock: Clock, deadline_s: float = 20.0
) -> Translator:
    provider = load_provider("libre", server.url, "k3y")
    assert provider is not None
    return Translator(
        provider, client, deadline_s=deadline_s, names=["Mela"], breaker=Breaker(clock)
    )


@pytest.fixture
def translator(server: LibreServer, redis: redis.asyncio.Redis, clock: Clock) -> Translator:
    return _translator(server, redis, clock)


async def test_an_answer_is_translated_and_nothing_private_leaves(
    translator: Translator, server: LibreServer
) -> None:
    made = await translator.translate(TEXT, "en", "th")
    assert made.text == f"‹{TEXT}›"
    assert (made.original, made.source, made.target, made.provider) == (TEXT, "en", "th", "libre")
    (asked,) = server.asked
    assert (asked["source"], asked["target"], asked["api_key"]) == ("en", "th", "k3y")
    for part in ("ann@example.com", "mela.example", "{name}", "5"):
        assert part not in asked["q"]


async def test_the_second_time_comes_from_the_cache(
    translator: Translator, server: LibreServer, redis: redis.asyncio.Redis
) -> None:
    first = await translator.translate(TEXT, "en", "fr")
    again = await translator.translate(TEXT, "en", "fr")
    assert (first.cached, again.cached, again.text) == (False, True, first.text)
    await translator.translate(TEXT, "en", "de")
    assert [asked["target"] for asked in server.asked] == ["fr", "de"]
    keys = [key async for key in redis.scan_iter("samvad:translation:v1:*")]
    assert len(keys) == 2
    for key in keys:
        assert 0 < await redis.ttl(key) <= redis_keys.TRANSLATION_TTL_S
        assert "Hello" not in key
    told = await translate.figures("libre", redis)
    assert (told["hits"], told["misses"], told["failures"], told["state"]) == (1, 2, 0, "ok")


@pytest.mark.parametrize(
    ("mood", "reason"),
    [
        ("limited", "rate-limited"),
        ("refused", "refused"),
        ("broken", "failed"),
        ("html", "failed"),
        ("other", "failed"),
        ("empty", "damaged"),
        ("lossy", "damaged"),
        ("half", "failed"),
    ],
)
async def test_a_misbehaving_server_gives_a_reason_and_nothing_is_kept(
    translator: Translator, server: LibreServer, redis: redis.asyncio.Redis, mood: str, reason: str
) -> None:
    server.mood = mood
    with structlog.testing.capture_logs() as logs, pytest.raises(TranslationUnavailable) as failed:
        await translator.translate(TEXT, "en", "fr")
    assert failed.value.reason == reason
    assert [key async for key in redis.scan_iter("samvad:translation:v1:*")] == []
    assert (await translate.figures("libre", redis))["last_failure"] == reason
    # Neither the words nor the key show in what is logged or raised.
    told = f"{logs}{failed.value!r}{failed.value.__cause__}"
    assert "Hello" not in told
    assert "k3y" not in told


async def test_a_dead_server_is_unreachable(
    server: LibreServer, redis: redis.asyncio.Redis, clock: Clock
) -> None:
    translator = _translator(server, redis, clock)
    server.stop()
    with pytest.raises(TranslationUnavailable, match="unreachable"):
        await translator.translate(TEXT, "en", "fr")
    server._server.server_close()


async def test_a_slow_server_is_left_at_the_deadline_and_later_used_again(
    server: LibreServer, redis: redis.asyncio.Redis, clock: Clock
) -> None:
    translator = _translator(server, redis, clock, deadline_s=0.05)
    server.mood = "slow"
    with pytest.raises(TranslationUnavailable, match="timeout"):
        await translator.translate(TEXT, "en", "fr")
    server.mood = "well"
    server.go_on.set()
    patient = _translator(server, redis, clock)
    assert (await patient.translate(TEXT, "en", "fr")).text == f"‹{TEXT}›"


async def test_hanging_requests_are_bounded(
    server: LibreServer, redis: redis.asyncio.Redis, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(translate, "THREADS", 1)
    translator = _translator(server, redis, clock, deadline_s=0.05)
    server.mood = "slow"
    reasons = []
    for n in range(2):
        with pytest.raises(TranslationUnavailable) as failed:
            await translator.translate(f"text number {n}", "en", "fr")
        reasons.append(failed.value.reason)
    assert reasons == ["timeout", "busy"]


async def test_after_failures_in_a_row_nobody_waits_until_the_pause_is_over(
    translator: Translator, server: LibreServer, redis: redis.asyncio.Redis, clock: Clock
) -> None:
    server.mood = "broken"
    for n in range(FAILURES + 2):
        with pytest.raises(TranslationUnavailable):
            await translator.translate(f"text {'x' * n}", "en", "fr")
    assert len(server.asked) == FAILURES
    assert (await translate.figures("libre", redis))["state"] == "paused"
    server.mood = "well"
    with pytest.raises(TranslationUnavailable, match="paused"):
        await translator.translate(TEXT, "en", "fr")
    clock.now += PAUSE_S
    assert (await translator.translate(TEXT, "en", "fr")).text
    assert (await translate.figures("libre", redis))["state"] == "ok"


def test_after_a_pause_one_request_tries(clock: Clock) -> None:
    breaker = Breaker(clock)
    breaker.note("rate-limited")
    assert not breaker.admit()
    clock.now += PAUSE_S
    assert [breaker.admit(), breaker.admit()] == [True, False]
    breaker.note("failed")
    assert not breaker.admit()
    clock.now += PAUSE_S
    assert breaker.admit()
    breaker.note()
    assert [breaker.admit(), breaker.admit()] == [True, True]


def test_failures_with_successes_between_do_not_pause(clock: Clock) -> None:
    breaker = Breaker(clock)
    for _ in range(FAILURES):
        breaker.note("failed")
        breaker.note("busy")
        breaker.note()
    breaker.note("failed")
    assert breaker.admit()


async def test_long_texts_go_in_pieces_and_lines_stay_lines(
    translator: Translator, server: LibreServer
) -> None:
    text = "\n".join(" ".join(["यह एक वाक्य है।"] * 80) for _ in range(2)) + "\n\n  The end."
    server.translate = str
    made = await translator.translate(text, "hi", "fr")
    assert made.text == text
    assert all(len(asked["q"].encode()) <= 2000 for asked in server.asked)
    assert len(server.asked) >= 5


async def test_a_text_that_lost_most_of_itself_is_damaged(
    translator: Translator, server: LibreServer
) -> None:
    server.translate = lambda text: "oui"
    with pytest.raises(TranslationUnavailable, match="damaged"):
        await translator.translate("words " * 20, "en", "fr")


async def test_a_text_without_words_is_not_sent(
    translator: Translator, server: LibreServer
) -> None:
    made = await translator.translate("https://mela.example {name} 25%", "en", "fr")
    assert made.text == made.original
    assert server.asked == []


async def test_with_redis_away_it_translates_without_a_cache(
    server: LibreServer, settings: Settings, clock: Clock
) -> None:
    client = connect(replace(settings, redis_url="unix:///nonexistent/valkey.sock"))
    made = await _translator(server, client, clock).translate(TEXT, "en", "fr")
    await client.aclose()
    assert made.text == f"‹{TEXT}›"


def test_without_a_provider_there_is_no_translator() -> None:
    assert Translator.of(Settings(), None) is None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "url", "key", "names"),
    [
        ("libre", "", "", "TRANSLATION_URL"),
        ("deepl", "", "", "TRANSLATION_KEY"),
        ("babel", "", "", "TRANSLATION_PROVIDER"),
    ],
)
def test_what_a_provider_needs_is_named(name: str, url: str, key: str, names: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        load_provider(name, url, key)
    assert refused.value.key == names


def test_deepl_is_asked_the_way_it_wants(server: LibreServer) -> None:
    provider = load_provider("deepl", server.url, "k3y:fx")
    assert provider is not None
    assert provider.translate("Good day", "en", "no") == "‹Good day›"
    (asked,) = server.asked
    assert (asked["key"], asked["target_lang"]) == ("DeepL-Auth-Key k3y:fx", "nb")
    assert "auth_key" not in asked


@pytest.mark.parametrize("name", PROVIDERS)
def test_every_provider_can_be_made(name: str) -> None:
    provider = load_provider(name, "http://127.0.0.1:1", "key")
    assert provider is not None
    made = provider.make("en", "ml")  # type: ignore[attr-defined]
    assert (made.source, made.target) == ("en", "ml")
