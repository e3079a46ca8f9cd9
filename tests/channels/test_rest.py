"""The REST channel: loopback only, clear errors, and the turn's replies through the outbox."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import builders
import pytest
import redis.asyncio
from aiohttp.test_utils import TestClient, TestServer

from bot.errors import BadRequest
from bot.processes.ingress import make_app
from bot.settings import Settings, load
from bot.stores import redis_keys
from bot.stores.database import Database
from bot.streams.messages import Inbound, QuickReply
from channels.rest.client import RestClient
from channels.rest.receive import parse_message
from channels.rest.routes import is_served
from channels.rest.settings import RestSettings

PATH = "/webhooks/rest/webhook"
SHORT = Settings(max_text_chars=100, max_body_bytes=150_000)


def _parse(**body: Any) -> Inbound:
    return parse_message(json.dumps(body).encode(), SHORT, builders.NOW)


def test_a_message_is_read() -> None:
    message = _parse(sender="ann", message=" नमस्ते\n", message_id="1", locale="hi-IN")
    assert (message.text, message.vendor_user, message.locale) == ("नमस्ते", "ann", "hi-IN")
    assert message.conversation == builders.inbound(user="ann").conversation
    assert message == _parse(sender="ann", message="नमस्ते", message_id="1", locale="hi-IN")
    assert message.id != _parse(sender="ann", message="नमस्ते", message_id="2").id


def test_without_an_id_of_its_own_each_message_is_new() -> None:
    assert _parse(sender="ann", message="hello").id != _parse(sender="ann", message="hello").id


def test_a_tap_needs_no_text() -> None:
    assert _parse(sender="ann", quick_reply="abc123").tap == "abc123"


@pytest.mark.parametrize(
    ("body", "code", "status"),
    [
        (b"", "not-json", 400),
        (b"{", "not-json", 400),
        (b"\xff", "not-json", 400),
        (b"[" * 100_000, "not-json", 400),
        (b"[" * 200_000, "body-too-large", 413),
        (b"[]", "wrong-type", 400),
        (b'"x"', "wrong-type", 400),
        (b"null", "wrong-type", 400),
        (b'{"message": "x"}', "sender", 400),
        (b'{"sender": "", "message": "x"}', "sender", 400),
        (b'{"sender": 5, "message": "x"}', "sender", 400),
        (b'{"sender": "%s", "message": "x"}' % (b"a" * 201), "sender", 400),
        (b'{"sender": "\\ud83d", "message": "x"}', "sender", 400),
        (b'{"sender": "a", "message": 5}', "types", 400),
        (b'{"sender": "a", "quick_reply": ["x"]}', "types", 400),
        (b'{"sender": "a", "quick_reply": "\\ud83d"}', "types", 400),
        (b'{"sender": "a"}', "empty", 400),
        (b'{"sender": "a", "message": " \\u200b"}', "empty", 400),
        (b'{"sender": "a", "message": "%s"}' % (b"x" * 101), "text-too-long", 413),
        (b'{"sender": "a", "quick_reply": "%s"}' % (b"x" * 65), "text-too-long", 413),
        (b'{"sender": "a", "message": "x", "message_id": 5}', "message-id", 400),
        (b'{"sender": "a", "message": "x", "message_id": "\\ud83d"}', "message-id", 400),
        (b'{"sender": "a", "message": "x", "message_id": "%s"}' % (b"i" * 129), "message-id", 400),
    ],
)
def test_what_cannot_be_used_is_told_by_code(body: bytes, code: str, status: int) -> None:
    with pytest.raises(BadRequest) as refused:
        parse_message(body, SHORT, builders.NOW)
    assert (refused.value.code, refused.value.status) == (code, status)


@pytest.mark.parametrize("locale", [5, "x" * 33, "\ud83d", None])
def test_a_strange_locale_is_no_locale(locale: Any) -> None:
    assert _parse(sender="ann", message="x", locale=locale).locale == ""


@pytest.mark.parametrize("text", ["a\ud83db", "\ud83d\ude00 \udc00"])
def test_a_lone_surrogate_does_not_reach_the_stores(text: str) -> None:
    read = _parse(sender="ann", message=text)
    assert read.text
    read.text.encode()


# — over HTTP —


@pytest.fixture
def served(
    settings: Settings,
    redis: redis.asyncio.Redis,
    redis_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Settings:
    monkeypatch.setattr("channels.webchat.server.hub.STOP_AGAIN_S", 0.02)
    return replace(settings, redis_url=redis_url)


@pytest.fixture
async def client(served: Settings, database: Database) -> AsyncIterator[TestClient]:
    async with TestClient(TestServer(make_app(served))) as client:
        yield client


async def _taken(client: redis.asyncio.Redis, settings: Settings) -> Inbound:
    """What an engine would find in the inbox."""
    found: list[Inbound] = []

    async def look() -> bool:
        for shard in range(settings.shards):
            for _, fields in await client.xrange(redis_keys.inbox(shard)):
                found.append(Inbound.from_dict(json.loads(fields["body"])))
        return bool(found)

    await builders.until(look)
    return found[0]


async def test_the_request_waits_for_all_replies_of_its_turn(
    client: TestClient, served: Settings, redis: redis.asyncio.Redis
) -> None:
    asked = asyncio.create_task(client.post(PATH, json={"sender": "ann", "message": "hi"}))
    message = await _taken(redis, served)
    sender = RestClient(served, redis)
    button = QuickReply("q1", "Yes", entry="order-status", action="")
    for n, text in enumerate(("one", "two")):
        reply = builders.outbound(
            text,
            n=n,
            in_reply_to=message.id,
            metadata={"of": 2},
            entry="order-status",
            content_version=7,
            quick_replies=(button,) if n else (),
        )
        await sender.send(reply)
    response = await asked
    assert response.status == 200
    one, two = await response.json()
    assert (one["text"], two["text"], one["recipient_id"]) == ("one", "two", "ann")
    assert (one["entry"], one["content_version"]) == ("order-status", 7)
    assert "quick_replies" not in one
    assert two["quick_replies"] == [
        {"title": "Yes", "payload": "q1", "entry": "order-status", "action": ""}
    ]


async def test_a_turn_without_replies_answers_with_an_empty_list(
    client: TestClient, served: Settings, redis: redis.asyncio.Redis
) -> None:
    asked = asyncio.create_task(client.post(PATH, json={"sender": "ann", "message": "hi"}))
    message = await _taken(redis, served)
    shard = redis_keys.shard_of(message.conversation, served.shards)
    nothing = {"in_reply_to": message.id, "conversation": message.conversation}
    await redis.xadd(redis_keys.replies(shard), {"body": json.dumps(nothing)})
    assert await (await asked).json() == []


async def test_no_reply_in_time_is_a_504_that_says_the_message_is_kept(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, redis: redis.asyncio.Redis
) -> None:
    monkeypatch.setattr("channels.rest.routes.ANSWER_TIMEOUT_S", 0.02)
    response = await client.post(PATH, json={"sender": "ann", "message": "hi"})
    assert response.status == 504
    assert "kept" in await response.text()


async def test_what_nobody_asked_for_goes_nowhere(
    served: Settings, redis: redis.asyncio.Redis
) -> None:
    assert await RestClient(served, redis).send(builders.outbound("notice")) == ""
    assert await redis.dbsize() == 0


ELSEWHERE = {
    "X-Forwarded-For": "203.0.113.9",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "shop.example.org",
    "X-Forwarded-Server": "edge",
    "Forwarded": "for=203.0.113.9",
    "Via": "1.1 edge",
    "X-Real-IP": "203.0.113.9",
    "CF-Connecting-IP": "203.0.113.9",
    "True-Client-IP": "203.0.113.9",
    "Origin": "https://page.example.org",
    "Sec-Fetch-Site": "cross-site",
    "Host": "page.example.org",
}


@pytest.mark.parametrize("header", ELSEWHERE)
async def test_what_a_proxy_or_a_page_has_a_hand_in_is_refused(
    client: TestClient, header: str
) -> None:
    for body in ({"json": {"sender": "ann", "message": "hi"}}, {"data": b"hi"}):
        response = await client.post(PATH, headers={header: ELSEWHERE[header]}, **body)
        assert response.status == 403
        assert (await response.json())["error"]["code"] == "loopback-only"


@pytest.mark.parametrize("origin", ["null", "http://127.0.0.1", "http://localhost:8080"])
async def test_a_page_of_this_machine_is_a_page(client: TestClient, origin: str) -> None:
    response = await client.post(PATH, json={}, headers={"Origin": origin})
    assert response.status == 403


@pytest.mark.parametrize(
    "host", ["evil.localhost.example", "127.0.0.1.example", "[", "0.0.0.0:80", "localhost.", ""]
)
async def test_only_loopback_names_lead_here(client: TestClient, host: str) -> None:
    response = await client.post(PATH, json={}, headers={"Host": host})
    assert response.status in {400, 403}
    if response.status == 400:
        assert "sender" not in await response.text()


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:8080", "127.0.0.1:9", "127.8.8.8", "[::1]:80"]
)
async def test_each_of_our_own_names_is_taken(client: TestClient, host: str) -> None:
    response = await client.post(PATH, json={}, headers={"Host": host})
    assert (response.status, (await response.json())["error"]["code"]) == (400, "sender")


async def test_a_proxy_with_its_defaults_is_refused(client: TestClient) -> None:
    reader, writer = await asyncio.open_connection(client.host, client.port)
    writer.write(
        f"POST {PATH} HTTP/1.0\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{{}}".encode()
    )
    assert b" 403 " in await reader.readline()
    writer.close()


@pytest.mark.parametrize(
    ("environ", "served"),
    [
        ({}, True),
        ({"REST_CHANNEL": "off"}, False),
        ({"PUBLIC_URL": "https://shop.example.org"}, False),
        ({"PUBLIC_URL": "https://shop.example.org", "REST_CHANNEL": "on"}, True),
        ({"PUBLIC_URL": "https://shop.example.org", "REST_CHANNEL": "off"}, False),
    ],
)
def test_it_is_off_where_customers_come_in_unless_asked_for(
    environ: dict[str, str], served: bool
) -> None:
    assert is_served(load(environ)) is served


async def test_it_can_be_switched_off(served: Settings, database: Database) -> None:
    app = make_app(served.with_parts(RestSettings(enabled=False)))
    async with TestClient(TestServer(app)) as client:
        assert (await client.post(PATH, json={})).status == 404


# — what the ingress does for every channel —


async def test_a_bad_request_is_json_with_its_code(client: TestClient) -> None:
    response = await client.post(PATH, data=b"{")
    assert response.status == 400
    assert await response.json() == {
        "error": {"code": "not-json", "message": "the body is not JSON in UTF-8"}
    }


async def test_a_body_over_the_limit_is_refused(client: TestClient, served: Settings) -> None:
    response = await client.post(PATH, data=b"x" * (served.max_body_bytes + 1))
    assert response.status == 413
    assert (await response.json())["error"]["code"] == "body-too-large"


async def test_with_redis_away_the_sender_is_told_to_come_again(
    settings: Settings, database: Database
) -> None:
    app = make_app(replace(settings, redis_url="unix:///nonexistent/valkey.sock"))
    async with TestClient(TestServer(app)) as client:
        response = await client.post(PATH, json={"sender": "ann", "message": "hi"})
        assert response.status == 503
        assert response.headers["Retry-After"] == "2"
        assert (await response.json())["error"]["code"] == "unavailable"
        assert (await client.get("/health")).status == 503


async def test_our_own_mistakes_say_nothing_about_us(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> Inbound:
        raise RuntimeError("secret detail")

    monkeypatch.setattr("channels.rest.routes.parse_message", broken)
    response = await client.post(PATH, json={})
    assert response.status == 500
    assert "secret detail" not in await response.text()
