"""Replies that are not part of a turn: taken once, with their row and events."""

from __future__ import annotations

import json
from dataclasses import replace

import builders
import pytest
import redis.asyncio

from bot.errors import StoreUnavailable
from bot.events import Event
from bot.settings import Settings
from bot.stores import redis_keys
from bot.stores.redis_client import connect
from bot.streams import delivery
from bot.streams.messages import Outbound, QuickReply

SHARDS = 8


async def _bodies(client: redis.asyncio.Redis, key: str) -> list[dict[str, object]]:
    return [json.loads(fields["body"]) for _, fields in await client.xrange(key)]


async def test_sending_twice_sends_once(redis: redis.asyncio.Redis) -> None:
    message = builders.outbound("नमस्ते")
    shard = redis_keys.shard_of(message.conversation, SHARDS)
    told = Event(id="e1", type="agent.replied")
    results = [
        await delivery.send(redis, SHARDS, message, episode_id="ep", events=[told])
        for _ in range(3)
    ]
    assert results == [True, False, False]
    sent = await _bodies(redis, redis_keys.outbox(shard))
    (left,) = [Outbound.from_dict(body) for body in sent]
    assert replace(left, metadata={}) == message
    rows = await _bodies(redis, redis_keys.record(shard))
    assert [row["kind"] for row in rows] == ["message", "event"]
    assert 0 < await redis.ttl(redis_keys.seen(shard, message.id)) <= 48 * 3600


async def test_a_blocked_customer_is_sent_nothing(redis: redis.asyncio.Redis) -> None:
    message = builders.outbound("नमस्ते")
    shard = redis_keys.shard_of(message.conversation, SHARDS)
    copy = redis_keys.owner(shard, message.conversation)
    await redis.set(copy, json.dumps({"version": 2, "blocked": True}))
    assert not await delivery.send(redis, SHARDS, message, episode_id="ep")
    assert await redis.xlen(redis_keys.outbox(shard)) == 0
    assert await redis.xlen(redis_keys.record(shard)) == 0
    for body in ({"version": 3, "blocked": False}, {"version": 3}):
        await redis.set(copy, json.dumps(body))
        later = replace(message, id=f"m-{len(body)}")
        assert await delivery.send(redis, SHARDS, later, episode_id="ep")


async def test_the_row_says_who_wrote_and_that_it_is_queued(redis: redis.asyncio.Redis) -> None:
    button = QuickReply("q1", "Back", action="cancel")
    message = builders.outbound(author="agent", agent="Asha", quick_replies=(button,))
    await delivery.send(redis, SHARDS, message, episode_id="ep")
    shard = redis_keys.shard_of(message.conversation, SHARDS)
    (row,) = await _bodies(redis, redis_keys.record(shard))
    body = row["body"]
    assert isinstance(body, dict)
    assert (body["author"], body["agent"], body["delivery"]) == ("agent", "Asha", "queued")
    assert QuickReply(**body["quick_replies"][0]) == button


async def test_order_is_the_order_of_sending(redis: redis.asyncio.Redis) -> None:
    for n in range(5):
        await delivery.send(redis, SHARDS, builders.outbound(str(n), n=n), episode_id="ep")
    shard = redis_keys.shard_of(builders.outbound().conversation, SHARDS)
    sent = await _bodies(redis, redis_keys.outbox(shard))
    assert [body["text"] for body in sent] == list("01234")


async def test_with_redis_away_the_caller_is_told(settings: Settings) -> None:
    client = connect(replace(settings, redis_url="unix:///nonexistent/valkey.sock"))
    with pytest.raises(StoreUnavailable, match="redis"):
        await delivery.send(client, SHARDS, builders.outbound(), episode_id="ep")
    await client.aclose()
