"""Open windows are limited, cost one read per wake-up, and nobody waits for one that is gone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import ClientWebSocketResponse, WSMsgType
from aiohttp.test_utils import TestClient
from test_webchat_http import API, open_session
from webchat_shop import Shop, reply_to

from channels.webchat.server import crowd, hub, live, throttle, window
from channels.webchat.server.crowd import POLLS, WINDOWS, Crowd, Crowds
from channels.webchat.server.history import Tail, read_tail
from channels.webchat.server.hub import HUB


def origin(client: TestClient) -> dict[str, str]:
    return {"Origin": str(client.make_url("/")).rstrip("/")}


async def look(client: TestClient, session: dict[str, Any]) -> ClientWebSocketResponse:
    """Open a window and wait until it is ready."""
    socket = await client.ws_connect(f"{API}/socket", headers=origin(client))
    await socket.send_json({"type": "hello", "token": session["token"]})
    assert await next_of(socket, "ready")
    return socket


async def next_of(socket: ClientWebSocketResponse, kind: str) -> dict[str, Any]:
    async with asyncio.timeout(60):
        while True:
            frame: dict[str, Any] = await socket.receive_json()
            if frame["type"] == kind:
                return frame


async def closed(socket: ClientWebSocketResponse) -> int | None:
    async with asyncio.timeout(60):
        while (await socket.receive()).type == WSMsgType.TEXT:
            pass
    return socket.close_code


async def until(is_so: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not is_so():  # noqa: ASYNC110 - nothing tells, by design
            await asyncio.sleep(0.001)


async def test_the_oldest_window_of_a_conversation_gives_way(
    client: TestClient, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shop.app[WINDOWS].of_conversation, "_most", 2)
    session = await open_session(client)
    first, second, third = [await look(client, session) for _ in range(3)]
    assert await closed(first) == live.CLOSE_TOO_MANY
    other = await look(client, await open_session(client))
    await third.send_json({"type": "message", "id": "1", "text": "hello"})
    for socket in (second, third):
        assert (await next_of(socket, "message"))["message"]["text"] == "hello"
    for socket in (second, third, other):
        await socket.close()
    await until(lambda: not shop.app[WINDOWS].of_conversation._open)


async def test_the_oldest_window_of_an_address_gives_way_even_before_its_hello(
    client: TestClient, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shop.app[WINDOWS].of_address, "_most", 2)
    silent = await client.ws_connect(f"{API}/socket", headers=origin(client))
    sockets = [await look(client, await open_session(client)) for _ in range(2)]
    assert await closed(silent) == live.CLOSE_TOO_MANY
    for socket in sockets:
        await socket.close()


async def test_the_oldest_poll_is_asked_to_come_back_later(
    client: TestClient, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shop.app[POLLS].of_conversation, "_most", 1)
    session = await open_session(client)
    header = {"Authorization": f"Bearer {session['token']}"}
    first = asyncio.create_task(client.get(f"{API}/poll", headers=header))
    await until(lambda: shop.app[POLLS].of_conversation._open)
    second = asyncio.create_task(client.get(f"{API}/poll", headers=header))
    refused = await first
    assert refused.status == 429
    assert int(refused.headers["Retry-After"]) > 0
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)


def test_a_conversation_and_an_address_have_limits_of_their_own() -> None:
    made = Crowds.of(100)
    assert (made.of_conversation._most, made.of_address._most) == (crowd.PER_CONVERSATION, 100)


async def test_who_left_makes_room() -> None:
    few = Crowd(1)
    for _ in range(3):
        async with asyncio.timeout(None) as stay:
            with few.joined("a", stay):
                await asyncio.sleep(0)
    assert few._open == {}


async def test_who_is_on_the_way_out_of_one_crowd_gives_way_in_another() -> None:
    addresses, conversations, slow = Crowd(1), Crowd(1), asyncio.Event()
    told = asyncio.Event()

    async def stay_long() -> None:
        async with asyncio.timeout(None) as stay:
            with addresses.joined("a", stay), conversations.joined("c", stay):
                try:
                    await asyncio.Event().wait()
                finally:
                    told.set()
                    await slow.wait()  # as where Redis is told that a window goes

    first = asyncio.create_task(stay_long())
    await until(lambda: conversations._open)
    async with asyncio.timeout(None) as stay:
        with addresses.joined("a", stay):
            await told.wait()
            with conversations.joined("c", stay):
                slow.set()
                with pytest.raises(TimeoutError):
                    await first
    assert (addresses._open, conversations._open) == ({}, {})


async def test_windows_share_one_read_per_wake_up(
    client: TestClient, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await open_session(client)
    sockets = [await look(client, session) for _ in range(5)]
    reads: list[str] = []

    async def counted(*asked: Any) -> Tail:
        reads.append(asked[3])
        return await read_tail(*asked)

    monkeypatch.setattr(hub, "read_tail", counted)
    await sockets[0].send_json({"type": "message", "id": "1", "text": "hello"})
    for socket in sockets:
        assert await next_of(socket, "message")
        assert await next_of(socket, "message")
    # The question and its answer.
    assert 1 <= len(reads) <= 2
    for socket in sockets:
        await socket.close()


async def test_a_read_that_began_before_a_wake_up_is_not_joined_after_it(
    client: TestClient, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its answer may be older than what the wake-up speaks of."""
    session = await open_session(client)
    told = asyncio.Event()

    async def slow(*asked: Any) -> Tail:
        found = await read_tail(*asked)
        await told.wait()
        return found

    shared = shop.app[HUB]
    conversation = session["conversation"]
    async with shared.listening(conversation) as listener:
        monkeypatch.setattr(hub, "read_tail", slow)
        before = asyncio.create_task(shared.tail(shop.settings, conversation, "0-0"))
        await asyncio.sleep(0.05)
        answer = await client.post(
            f"{API}/message",
            json={"id": "1", "text": "hello"},
            headers={"Authorization": f"Bearer {session['token']}"},
        )
        assert answer.status == 202
        assert await listener.wait(15) is None
        after = asyncio.create_task(shared.tail(shop.settings, conversation, "0-0"))
        await asyncio.sleep(0.05)
        told.set()
        assert (await before).frames == []
        assert (await after).frames != []
    assert shared._reads == {}


async def test_a_window_that_takes_nothing_is_aborted(
    client: TestClient, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(window, "SEND_S", 0.1)
    session = await open_session(client)
    socket = await look(client, session)
    transport = socket._response.connection.transport  # type: ignore[union-attr]
    transport.pause_reading()  # type: ignore[union-attr]
    big = "x" * 3_000_000

    def script(inbound: Any) -> list[Any]:
        return [reply_to(inbound, big, number) for number in range(4)]

    shop.engine.script = script
    await socket.send_json({"type": "message", "id": "1", "text": "hello"})
    await until(lambda: not shop.app[WINDOWS].of_conversation._open)
    transport.abort()  # type: ignore[union-attr]


@pytest.mark.parametrize("frame", ["[1]", "{", '{"type": "dance"}', b"\x00"])
async def test_ten_frames_that_cannot_be_used_close_a_window(
    client: TestClient, frame: str | bytes
) -> None:
    socket = await look(client, await open_session(client))
    for _ in range(live.MOST_BAD_FRAMES):
        await (socket.send_bytes(frame) if isinstance(frame, bytes) else socket.send_str(frame))
    assert await closed(socket) == 1008


async def test_unknown_frames_are_spent_from_the_allowance(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = throttle.Allowance("webchat-session", 2, 3600)
    monkeypatch.setattr(throttle, "MESSAGES_PER_SESSION", few)
    socket = await look(client, await open_session(client))
    for code in ("bad-type", "bad-type", "too-many"):
        await socket.send_json({"type": "dance"})
        assert (await next_of(socket, "error"))["code"] == code
    await socket.close()


async def test_a_window_may_send_only_so_many_frames_of_any_kind(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "MOST_FRAMES", 5)
    socket = await look(client, await open_session(client))
    for _ in range(6):
        await socket.send_json({"type": "typing"})
    assert await closed(socket) == 1008
