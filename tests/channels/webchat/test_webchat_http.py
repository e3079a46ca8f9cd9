"""The widget's HTTP and WebSocket, on a real Redis and SQLite."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest
from aiohttp import ClientWebSocketResponse, WSMsgType
from aiohttp.test_utils import TestClient
from webchat_shop import Shop, jwt, reply_to

from bot.remote import client_address
from bot.stores import redis_keys
from bot.streams.messages import QuickReply
from channels.webchat.server import live, routes, throttle
from channels.webchat.server.client import notify
from channels.webchat.server.guard import SECRET
from channels.webchat.server.history import read_tail
from channels.webchat.server.hub import HUB
from channels.webchat.server.session import identity_key

API = "/webhooks/webchat"
UPGRADE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


async def open_session(client: TestClient, **body: Any) -> dict[str, Any]:
    answer = await client.post(f"{API}/session", json={"site": "demo", **body})
    assert answer.status == 200, await answer.text()
    return await answer.json()


def bearer(session: dict[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Bearer {session['token']}"}


async def send(client: TestClient, session: dict[str, Any], text: str, number: str = "1") -> Any:
    return await client.post(
        f"{API}/message", json={"id": number, "text": text}, headers=bearer(session)
    )


async def poll(client: TestClient, session: dict[str, Any], after: str = "") -> dict[str, Any]:
    answer = await client.get(f"{API}/poll", params={"after": after}, headers=bearer(session))
    assert answer.status == 200
    return await answer.json()


async def history(client: TestClient, session: dict[str, Any]) -> dict[str, Any]:
    answer = await client.get(f"{API}/history", headers=bearer(session))
    assert answer.status == 200
    return await answer.json()


async def open_socket(
    client: TestClient, session: dict[str, Any], after: str = ""
) -> ClientWebSocketResponse:
    socket = await client.ws_connect(f"{API}/socket", headers={"Origin": str(client.make_url(""))})
    await socket.send_json({"type": "hello", "token": session["token"], "after": after})
    return socket


async def until(socket: ClientWebSocketResponse, kind: str) -> dict[str, Any]:
    while True:
        frame = await socket.receive_json(timeout=10)
        if frame["type"] == kind:
            return frame


async def test_a_question_is_answered_over_http(client: TestClient, shop: Shop) -> None:
    session = await open_session(client)
    answer = await send(client, session, "नमस्ते")
    assert answer.status == 202
    taken = await answer.json()
    assert (taken["id"], taken["duplicate"]) == ("1", False)
    seen: list[dict[str, Any]] = []
    cursor = ""
    while len(seen) < 2:
        got = await poll(client, session, cursor)
        seen += [frame["message"] for frame in got["frames"]]
        cursor = got["cursor"]
    own = next(m for m in seen if m["author"] == "customer")
    reply = next(m for m in seen if m["author"] == "bot")
    assert (own["id"], own["client"], own["text"]) == (taken["message"], "1", "नमस्ते")
    assert reply["text"] == "You said: नमस्ते"
    assert reply["quick_replies"] == [{"id": "q1", "title": "Yes"}, {"id": "q2", "title": "No"}]
    assert shop.engine.taken[0].account == "demo"


async def test_a_repeated_message_is_taken_and_shown_once(client: TestClient, shop: Shop) -> None:
    session = await open_session(client)
    shop.engine.is_silent = True
    await send(client, session, "hello")
    again = await send(client, session, "hello")
    assert (await again.json())["duplicate"] is True
    assert len(shop.engine.taken) == 1
    assert [m["text"] for m in (await history(client, session))["messages"]] == ["hello"]


async def test_a_message_is_only_acknowledged_when_the_inbox_has_it(
    client: TestClient, shop: Shop
) -> None:
    session = await open_session(client)
    shop.engine.is_away = True
    answer = await send(client, session, "hello")
    assert answer.status == 503
    assert answer.headers["Retry-After"]
    shop.engine.is_away = False
    assert (await (await send(client, session, "hello")).json())["duplicate"] is False


@pytest.mark.parametrize("path", ["history", "poll"])
@pytest.mark.parametrize(
    "header", [{}, {"Authorization": "Bearer x.y"}, {"Authorization": "Basic"}]
)
async def test_without_a_valid_token_nothing_is_read(
    client: TestClient, path: str, header: dict[str, str]
) -> None:
    answer = await client.get(f"{API}/{path}", headers=header)
    assert answer.status == 401
    assert (await answer.json())["error"]["code"] == "not-authenticated"


async def test_nobody_else_reads_a_conversation(client: TestClient) -> None:
    first, second = await open_session(client), await open_session(client)
    assert first["conversation"] != second["conversation"]
    await send(client, first, "my secret")
    shown = await history(client, second)
    assert shown["messages"] == []


async def test_a_session_survives_a_reload(client: TestClient) -> None:
    first = await open_session(client)
    again = await open_session(client, token=first["token"])
    assert again["conversation"] == first["conversation"]
    forged = await open_session(client, token=first["token"] + "x")
    assert forged["conversation"] != first["conversation"]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"site": "nowhere"}, 404, "unknown-site"),
        ({"site": ["demo"]}, 400, "wrong-type"),
        ({}, 404, "unknown-site"),
        ({"site": "demo", "identity": "a.b.c"}, 401, "bad-identity"),
    ],
)
async def test_a_session_is_refused_by_name(
    client: TestClient, body: dict[str, Any], status: int, code: str
) -> None:
    answer = await client.post(f"{API}/session", json=body)
    assert (answer.status, (await answer.json())["error"]["code"]) == (status, code)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"not json", 400, "not-json"),
        (b'{"id": "1", "text": ""}', 400, "empty"),
        (b'{"id": "1", "text": 5}', 400, "wrong-type"),
        (b" " * 100_000, 413, "body-too-large"),
        (b" " * 3_000_000, 413, "body-too-large"),
    ],
)
async def test_bad_messages_get_a_clear_error(
    client: TestClient, shop: Shop, body: bytes, status: int, code: str
) -> None:
    session = await open_session(client)
    answer = await client.post(f"{API}/message", data=body, headers=bearer(session))
    assert (answer.status, (await answer.json())["error"]["code"]) == (status, code)
    assert shop.engine.taken == []


async def test_other_pages_scripts_are_refused(client: TestClient) -> None:
    elsewhere = {"Origin": "https://evil.example"}
    answer = await client.post(f"{API}/session", json={"site": "demo"}, headers=elsewhere)
    assert (answer.status, (await answer.json())["error"]["code"]) == (403, "origin-not-allowed")
    for headers in (elsewhere, {}, {"Origin": "null"}):
        refused = await client.get(
            f"{API}/socket",
            headers={**headers, **UPGRADE},
        )
        assert refused.status == 403


async def test_history_joins_sql_and_stream_without_doubles(client: TestClient, shop: Shop) -> None:
    session = await open_session(client)
    await send(client, session, "one", "1")
    await asyncio.gather(*shop.engine.tasks)
    first = shop.engine.taken[0]
    await shop.engine.record(first, reply_to(first, "You said: one"))
    shop.engine.is_silent = True
    await send(client, session, "two", "2")
    shown = await history(client, session)
    assert [m["text"] for m in shown["messages"]] == ["one", "You said: one", "two"]
    await shop.redis.flushall()
    rebuilt = await history(client, session)
    assert [m["text"] for m in rebuilt["messages"]] == ["one", "You said: one"]
    assert rebuilt["messages"][0]["author"] == "customer"


async def test_a_reply_sent_twice_is_shown_once(client: TestClient, shop: Shop) -> None:
    session = await open_session(client)
    await send(client, session, "hi")
    reply = reply_to(shop.engine.taken[0], "from an agent", 7, author="agent", agent="Asha")
    entry = await shop.engine.client.send(reply)
    assert await shop.engine.client.send(reply) == entry
    texts = [m["text"] for m in (await history(client, session))["messages"]]
    assert texts.count("from an agent") == 1


async def test_what_the_browser_gets_names_no_entry_and_no_version(
    client: TestClient, shop: Shop
) -> None:
    session = await open_session(client)
    shop.engine.is_silent = True
    await send(client, session, "hi")
    await shop.engine.say(
        reply_to(
            shop.engine.taken[0],
            "نعم",
            language="ar",
            entry="order-status",
            content_version=3,
            state="waiting",
            quick_replies=(QuickReply("q", "لا", entry="secret-entry"),),
        )
    )
    [_, reply] = (await history(client, session))["messages"]
    assert reply["direction"] == "rtl"
    assert reply["state"] == "waiting"
    assert "secret-entry" not in str(reply)
    assert "order-status" not in str(reply)


async def test_a_socket_takes_messages_and_shows_replies(client: TestClient) -> None:
    session = await open_session(client)
    socket = await open_socket(client, session)
    await until(socket, "ready")
    await socket.send_json({"type": "message", "id": "m-1", "text": "hello"})
    kinds: dict[str, dict[str, Any]] = {}
    while not {"accepted", "bot", "customer"} <= kinds.keys():
        frame = await socket.receive_json(timeout=10)
        kinds[frame["message"]["author"] if frame["type"] == "message" else frame["type"]] = frame
    assert kinds["accepted"]["id"] == "m-1"
    assert kinds["customer"]["message"]["client"] == "m-1"
    assert kinds["bot"]["message"]["text"] == "You said: hello"
    await socket.close()


async def test_a_socket_resumes_where_it_was(client: TestClient, shop: Shop) -> None:
    session = await open_session(client)
    shop.engine.is_silent = True
    await send(client, session, "hi")
    inbound = shop.engine.taken[0]
    socket = await open_socket(client, session)
    cursor = (await until(socket, "message"))["cursor"]
    await socket.close()
    await shop.engine.say(reply_to(inbound, "while away", 1))
    socket = await open_socket(client, session, cursor)
    frame = await socket.receive_json(timeout=10)
    assert frame["message"]["text"] == "while away"
    assert (await until(socket, "ready"))["cursor"] == frame["cursor"]
    await shop.engine.say(reply_to(inbound, "now", 2))
    assert (await until(socket, "message"))["message"]["text"] == "now"
    await socket.close()


async def test_a_quiet_socket_beats(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "LOOK_AGAIN_S", 0.05)
    socket = await open_socket(client, await open_session(client))
    assert (await socket.receive_json(timeout=10))["type"] == "ready"
    assert await socket.receive_json(timeout=10) == {"type": "beat"}
    assert await socket.receive_json(timeout=10) == {"type": "beat"}
    await socket.close()


async def test_a_socket_says_when_messages_were_missed_for_good(
    client: TestClient, shop: Shop
) -> None:
    session = await open_session(client)
    shop.engine.is_silent = True
    await send(client, session, "hi")
    cursor = (await history(client, session))["cursor"]
    await shop.redis.flushall()
    await shop.engine.say(reply_to(shop.engine.taken[0], "after the loss", 1))
    socket = await open_socket(client, session, cursor)
    assert (await socket.receive_json(timeout=10))["type"] == "gap"
    await socket.close()


async def test_two_windows_see_the_same(client: TestClient, shop: Shop) -> None:
    session = await open_session(client)
    sockets = [await open_socket(client, session) for _ in range(2)]
    for socket in sockets:
        await until(socket, "ready")
    shop.engine.is_silent = True
    await sockets[0].send_json({"type": "message", "id": "x", "text": "hello"})
    for socket in sockets:
        assert (await until(socket, "message"))["message"]["text"] == "hello"
    frame = {"type": "typing"}
    await notify(shop.redis, shop.settings, session["conversation"], frame)
    for socket in sockets:
        assert await until(socket, "typing") == frame
        await socket.close()


@pytest.mark.parametrize(
    "first", ["{}", "nonsense", '{"type": "hello", "token": "x.y"}', '{"type": "hello"}']
)
async def test_a_socket_without_a_session_is_closed(client: TestClient, first: str) -> None:
    socket = await client.ws_connect(f"{API}/socket", headers={"Origin": str(client.make_url(""))})
    await socket.send_str(first)
    assert (await socket.receive_json(timeout=10))["type"] == "error"
    assert (await socket.receive(timeout=10)).type == WSMsgType.CLOSE
    assert socket.close_code in (4401, 1008)


async def test_bad_frames_get_an_error_and_the_socket_lives(client: TestClient) -> None:
    session = await open_session(client)
    socket = await open_socket(client, session)
    await until(socket, "ready")
    for frame, code in [
        ("{", "not-json"),
        ("[]", "wrong-type"),
        ('{"type": "dance"}', "bad-type"),
        ('{"type": "message", "id": "a", "text": ""}', "empty"),
    ]:
        await socket.send_str(frame)
        assert (await until(socket, "error"))["code"] == code
    await socket.send_json({"type": "message", "id": "b", "text": "still here"})
    assert (await until(socket, "accepted"))["id"] == "b"
    await socket.close()


NO_CURSORS = [
    "yesterday",
    "18446744073709551616-0",
    "0-18446744073709551616",
    "99999999999999999999-1",
    "18446744073709551615-18446744073709551615",
    "१७-०",
    "1-0\n",
]
"""The large ones reach 2^64, or are the last id below it, behind which Redis does not read."""


@pytest.mark.parametrize("cursor", NO_CURSORS)
async def test_a_cursor_that_redis_would_not_take_is_refused_on_every_way(
    client: TestClient, cursor: str
) -> None:
    session = await open_session(client)
    await send(client, session, "hi")
    polled = await client.get(f"{API}/poll", params={"after": cursor}, headers=bearer(session))
    told = await client.post(f"{API}/read", json={"until": cursor}, headers=bearer(session))
    for answer in (polled, told):
        assert (answer.status, (await answer.json())["error"]["code"]) == (400, "bad-cursor")
    socket = await open_socket(client, session)
    await socket.send_json({"type": "read", "until": cursor})
    assert (await until(socket, "error"))["code"] == "bad-cursor"
    await socket.close()
    socket = await open_socket(client, session, cursor)
    assert (await socket.receive_json(timeout=10))["code"] == "bad-cursor"
    assert (await socket.receive(timeout=10)).type == WSMsgType.CLOSE
    assert socket.close_code == 1008


@pytest.mark.parametrize("cursor", ["0-0", f"{'9' * 19}-{'9' * 19}", f"{'0' * 18}1-0"])
async def test_whatever_looks_like_a_cursor_can_be_read_from(
    client: TestClient, shop: Shop, cursor: str
) -> None:
    session = await open_session(client)
    await send(client, session, "hi")
    tail = await read_tail(shop.redis, shop.settings, session["conversation"], cursor)
    assert (tail.frames == []) == cursor.startswith("9")
    told = await client.post(f"{API}/read", json={"until": cursor}, headers=bearer(session))
    assert told.status == 200


async def test_a_lost_subscription_closes_sockets_with_a_hint(
    client: TestClient, shop: Shop
) -> None:
    session = await open_session(client)
    socket = await open_socket(client, session)
    await until(socket, "ready")
    await shop.redis.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
    assert (await until(socket, "error"))["retry_after_s"] > 0
    assert (await socket.receive(timeout=10)).type == WSMsgType.CLOSE
    assert socket.close_code == 1013


async def test_a_stopping_process_says_goodbye(client: TestClient, shop: Shop) -> None:
    session = await open_session(client)
    socket = await open_socket(client, session)
    await until(socket, "ready")
    shop.app[routes.LEAVING].set()
    assert (await socket.receive(timeout=10)).type == WSMsgType.CLOSE
    assert socket.close_code == 1001
    assert (await poll(client, session))["frames"] == []


async def test_too_many_messages_are_refused_until_the_window_ends(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        throttle, "MESSAGES_PER_SESSION", throttle.Allowance("webchat-session", 2, 3600)
    )
    session, other = await open_session(client), await open_session(client)
    statuses = [(await send(client, session, "x", str(n))).status for n in range(3)]
    assert statuses == [202, 202, 429]
    answer = await send(client, session, "x", "9")
    assert 0 < int(answer.headers["Retry-After"]) <= 3600
    assert (await send(client, other, "x")).status == 202


def test_forwarded_addresses_count_only_behind_our_proxies() -> None:
    address = client_address
    assert address("9.9.9.9", "1.2.3.4", ()) == "9.9.9.9"
    assert address("10.0.0.1", "1.2.3.4", ("10.0.0.0/8",)) == "1.2.3.4"
    assert address("10.0.0.1", "6.6.6.6, 1.2.3.4, 10.0.0.2", ("10.0.0.0/8",)) == "1.2.3.4"
    assert address("9.9.9.9", "1.2.3.4", ("10.0.0.0/8",)) == "9.9.9.9"
    assert address("10.0.0.1", "", ("10.0.0.1",)) == "10.0.0.1"


async def test_a_lost_wake_up_costs_no_message(
    client: TestClient, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "LOOK_AGAIN_S", 0.05)
    session = await open_session(client)
    socket = await open_socket(client, session)
    await until(socket, "ready")
    shard = redis_keys.shard_of(session["conversation"], shop.settings.shards)
    stream = redis_keys.webchat(shard, session["conversation"])
    await shop.redis.xadd(stream, {"body": '{"type": "message", "text": "unannounced"}'})
    assert (await until(socket, "message"))["message"]["text"] == "unannounced"
    await socket.close()


async def test_the_last_window_takes_the_subscription_with_it(
    client: TestClient, shop: Shop
) -> None:
    session = await open_session(client)
    channel = redis_keys.webchat_channel(session["conversation"])
    sockets = [await open_socket(client, session) for _ in range(3)]
    for socket in sockets:
        await until(socket, "ready")
    assert await shop.redis.pubsub_numsub(channel) == [(channel, 1)]
    async with shop.app[HUB].listening(session["conversation"]) as listener:
        for socket in sockets:
            await socket.close()
        await notify(shop.redis, shop.settings, session["conversation"], {"type": "typing"})
        assert await listener.wait(10) == {"type": "typing"}
    for _ in range(1000):
        # The two commands take different connections; which the server reads first is its affair.
        if await shop.redis.pubsub_numsub(channel) == [(channel, 0)]:
            return
        await asyncio.sleep(0)
    pytest.fail("the subscription is still there")


async def test_a_logged_in_customer_has_one_conversation_on_all_devices(
    client: TestClient, shop: Shop
) -> None:
    def identity(subject: str) -> str:
        key = identity_key(shop.app[SECRET], "demo")
        return jwt({"sub": subject, "aud": "demo", "exp": time.time() + 600}, key=key)

    stranger = await open_session(client)
    phone = await open_session(client, identity=identity("c-1"), token=stranger["token"])
    laptop = await open_session(client, identity=identity("c-1"))
    other = await open_session(client, identity=identity("c-2"))
    assert phone["conversation"] == laptop["conversation"]
    assert len({s["conversation"] for s in (stranger, phone, other)}) == 3


def _identity(shop: Shop, subject: str) -> str:
    key = identity_key(shop.app[SECRET], "demo")
    return jwt({"sub": subject, "aud": "demo", "exp": time.time() + 600}, key=key)


async def test_a_customers_session_is_renewed_by_the_sites_word_alone(
    client: TestClient, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await open_session(client, identity=_identity(shop, "c-1"))
    later = first["expires_at"] - 100
    monkeypatch.setattr("channels.webchat.server.opening.time.time", lambda: float(later))
    same = await open_session(client, token=first["token"])
    assert (same["visitor"], same["expires_at"]) == (first["visitor"], first["expires_at"])
    monkeypatch.undo()
    vouched = await open_session(client, identity=_identity(shop, "c-1"), token=first["token"])
    assert vouched["expires_at"] >= first["expires_at"]
    stranger = await open_session(client)
    assert (await open_session(client, token=stranger["token"]))["visitor"] == stranger["visitor"]


async def test_logging_out_ends_all_older_tokens_of_the_customer(
    client: TestClient, shop: Shop
) -> None:
    phone = await open_session(client, identity=_identity(shop, "c-1"))
    laptop = await open_session(client, identity=_identity(shop, "c-1"))
    other = await open_session(client, identity=_identity(shop, "c-2"))
    window = await open_socket(client, phone)
    await until(window, "ready")
    waiting = asyncio.create_task(
        client.get(f"{API}/poll?after={laptop.get('cursor', '')}", headers=bearer(laptop))
    )
    answer = await client.post(f"{API}/logout", json={}, headers=bearer(laptop))
    assert (answer.status, await answer.json()) == (200, {"ended": True})
    assert (await until(window, "ended")) == {"type": "ended"}
    async with asyncio.timeout(60):
        while (frame := await window.receive()).type != WSMsgType.CLOSE:
            assert frame.type == WSMsgType.TEXT
    waiting.cancel()
    for old in (phone, laptop):
        refused = await client.get(f"{API}/history", headers=bearer(old))
        assert (refused.status, (await refused.json())["error"]["code"]) == (401, "session-ended")
        assert (await open_session(client, token=old["token"]))["visitor"] != old["visitor"]
        assert (await client.post(f"{API}/logout", json={}, headers=bearer(old))).status == 401
    assert await history(client, other)
    again = await open_session(client, identity=_identity(shop, "c-1"))
    assert again["conversation"] == phone["conversation"]
    assert await history(client, again)


async def test_typing_goes_both_ways_and_does_not_come_back(client: TestClient, shop: Shop) -> None:
    session = await open_session(client)
    socket = await open_socket(client, session)
    await until(socket, "ready")
    async with shop.redis.pubsub() as desk:
        await desk.subscribe(redis_keys.LIVE_CHANNEL)
        assert (await desk.get_message(timeout=10))["type"] == "subscribe"
        await socket.send_json({"type": "typing"})
        heard = json.loads((await desk.get_message(timeout=10))["data"])
    assert heard["conversation"] == session["conversation"]
    assert (heard["what"], heard["user"]) == ("typing", "customer")
    for notice in (
        {"conversation": "another", "what": "typing", "user": "u1"},
        {"conversation": session["conversation"], "what": "message"},
        {"conversation": session["conversation"], "what": "typing", "user": "u1", "name": "Asha"},
    ):
        await shop.redis.publish(redis_keys.LIVE_CHANNEL, "not json")
        await shop.redis.publish(redis_keys.LIVE_CHANNEL, json.dumps(notice))
    assert await socket.receive_json(timeout=10) == {"type": "typing"}
    await shop.redis.publish(redis_keys.LIVE_CHANNEL, json.dumps(heard))
    await notify(shop.redis, shop.settings, session["conversation"], {"type": "state"})
    assert await socket.receive_json(timeout=10) == {"type": "state"}
    await socket.close()


async def test_a_message_carries_a_digest_of_its_address_and_no_address(
    client: TestClient, shop: Shop
) -> None:
    session = await open_session(client)
    header = {"Authorization": f"Bearer {session['token']}"}
    for number in range(2):
        body = {"id": str(number), "text": "hello"}
        assert (await client.post(f"{API}/message", json=body, headers=header)).status == 202
    first, second = shop.engine.taken
    assert first.origin == second.origin
    assert len(first.origin) == 16
    assert "127.0.0.1" not in str(first.to_dict())
