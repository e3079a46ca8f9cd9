"""An address that an agent has shut: new chats are refused, those under way go on."""

from __future__ import annotations

import time
from typing import Any

import pytest
from aiohttp import FormData
from aiohttp.test_utils import TestClient
from webchat_shop import Shop, jwt

from bot.housekeeping import erasure
from bot.stores import redis_keys
from bot.streams import addresses
from channels.webchat.server.guard import SECRET
from channels.webchat.server.session import identity_key

API = "/webhooks/webchat"


async def _open(client: TestClient, **body: Any) -> tuple[int, dict[str, Any]]:
    answer = await client.post(f"{API}/session", json={"site": "demo", **body})
    return answer.status, await answer.json()


async def _say(client: TestClient, session: dict[str, Any], number: str = "1") -> int:
    header = {"Authorization": f"Bearer {session['token']}"}
    body = {"id": number, "text": "hello"}
    return (await client.post(f"{API}/message", json=body, headers=header)).status


async def _under_way(client: TestClient) -> dict[str, Any]:
    _, session = await _open(client)
    assert await _say(client, session) == 202
    return session


async def test_no_new_chat_begins_where_an_agent_shut_the_address(
    client: TestClient, shop: Shop
) -> None:
    blocked, other = await _under_way(client), await _under_way(client)
    _, prepared = await _open(client)
    assert await addresses.block(shop.redis, blocked["conversation"])

    answer = await client.post(f"{API}/session", json={"site": "demo"})
    refused = await answer.json()
    assert (answer.status, refused["error"]["code"]) == (429, "too-many")
    assert 0 < int(answer.headers["Retry-After"]) <= 3600
    assert await _say(client, prepared) == 429, "opened before, and nothing written"
    assert await _say(client, other, "2") == 202, "a chat under way goes on"
    assert (await _open(client, token=other["token"]))[0] == 200
    known = await shop.redis.keys(f"{redis_keys.PREFIX}:address-of:*")
    assert set(known) == {redis_keys.address_of(s["conversation"]) for s in (blocked, other)}


async def test_the_refusal_is_the_one_for_too_many(client: TestClient, shop: Shop) -> None:
    """Nobody can tell from it that they were blocked."""
    blocked = await _under_way(client)
    await addresses.block(shop.redis, blocked["conversation"])
    answer = await client.post(f"{API}/session", json={"site": "demo"})
    wait = answer.headers["Retry-After"]
    message = f"too many requests; wait {wait} s"
    assert await answer.json() == {"error": {"code": "too-many", "message": message}}


async def test_files_of_a_chat_that_has_not_begun_are_refused(
    client: TestClient, shop: Shop
) -> None:
    blocked = await _under_way(client)
    _, prepared = await _open(client)
    await addresses.block(shop.redis, blocked["conversation"])
    form = FormData()
    form.add_field("file", b"words", filename="a.txt", content_type="text/plain")
    header = {"Authorization": f"Bearer {prepared['token']}"}
    answer = await client.post(f"{API}/upload", data=form, headers=header)
    assert (answer.status, (await answer.json())["error"]) == (429, "too-many")


async def test_a_customer_the_site_vouches_for_is_let_in(client: TestClient, shop: Shop) -> None:
    blocked = await _under_way(client)
    await addresses.block(shop.redis, blocked["conversation"])
    key = identity_key(shop.app[SECRET], "demo")
    identity = jwt({"sub": "ann", "aud": "demo", "exp": time.time() + 600}, key=key)
    status, session = await _open(client, identity=identity)
    assert status == 200
    assert await _say(client, session) == 202


async def test_it_is_open_again_after_a_day_and_when_taken_back(
    client: TestClient, shop: Shop
) -> None:
    blocked = await _under_way(client)
    await addresses.block(shop.redis, blocked["conversation"])
    (shut,) = await shop.redis.keys(f"{redis_keys.PREFIX}:blocked-address:*")
    assert 86_300 < await shop.redis.ttl(shut) <= 86_400
    assert 86_300 < await shop.redis.ttl(redis_keys.address_of(blocked["conversation"])) <= 86_400
    assert "127.0.0.1" not in shut
    assert await addresses.unblock(shop.redis, blocked["conversation"])
    assert (await _open(client))[0] == 200
    assert not await addresses.unblock(shop.redis, blocked["conversation"])


async def test_the_address_kept_is_the_last_one_and_lives_on_with_the_conversation(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = redis_keys.address_of("webchat-1")
    await addresses.may_write(shop.redis, "webchat-1", "home")
    await shop.redis.expire(key, 100)
    await addresses.may_write(shop.redis, "webchat-1", "home", keep=False)
    assert await shop.redis.ttl(key) <= 100
    later = time.time() + addresses.KEPT_ANEW_S
    monkeypatch.setattr(addresses.time, "time", lambda: later)
    await addresses.may_write(shop.redis, "webchat-1", "home")
    assert await shop.redis.ttl(key) > 86_300
    await addresses.may_write(shop.redis, "webchat-1", "office")
    await addresses.block(shop.redis, "webchat-1")
    assert await addresses.is_blocked(shop.redis, "office")
    assert not await addresses.is_blocked(shop.redis, "home")


async def test_an_address_shut_for_two_opens_when_both_are_taken_back(
    client: TestClient, shop: Shop
) -> None:
    first, second = await _under_way(client), await _under_way(client)
    for session in (first, second):
        await addresses.block(shop.redis, session["conversation"])
    await addresses.unblock(shop.redis, first["conversation"])
    assert (await _open(client))[0] == 429
    await addresses.unblock(shop.redis, second["conversation"])
    assert (await _open(client))[0] == 200


async def test_who_erases_themselves_leaves_the_address_shut(
    client: TestClient, shop: Shop
) -> None:
    """And nothing that names their conversation is left."""
    blocked = await _under_way(client)
    conversation = blocked["conversation"]
    await addresses.block(shop.redis, conversation)
    await erasure.erase_own(
        shop.settings, shop.engine.database, shop.redis, conversation, blocked["visitor"]
    )
    assert (await _open(client))[0] == 429
    names = await shop.redis.keys("*")
    assert not [name for name in names if conversation in name]
    (shut,) = await shop.redis.keys(f"{redis_keys.PREFIX}:blocked-address:*")
    assert conversation not in str(await shop.redis.smembers(shut))


async def test_vendors_tell_no_address(shop: Shop) -> None:
    assert not await addresses.is_kept(shop.redis, "telegram-1")
    assert not await addresses.block(shop.redis, "telegram-1")
