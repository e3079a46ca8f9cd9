"""Client of the REST channel: puts replies into the stream of the waiting requests."""

from __future__ import annotations

from typing import Any

import redis.asyncio

from bot.settings import Settings
from bot.stores import redis_keys
from bot.stores.packing import pack
from bot.stores.redis_batches import batches_of
from bot.stores.redis_client import guarded
from bot.streams.messages import Inbound, Outbound
from channels.kit.vendor_http import VendorHttp

MOST_KEPT = 500
"""Replies a shard keeps for requests that may still fetch them; the oldest go first."""


class RestClient:
    """Client that puts replies into the stream of the waiting requests."""

    def __init__(self, settings: Settings, client: redis.asyncio.Redis) -> None:
        self._shards = settings.shards
        self._redis = client

    async def send(self, outbound: Outbound) -> str:
        if not outbound.in_reply_to:
            return ""  # nobody waits for what nobody asked
        key = redis_keys.replies(redis_keys.shard_of(outbound.conversation, self._shards))
        row, _ = await guarded(
            batches_of(self._redis).run(
                ("XADD", key, "MAXLEN", "~", MOST_KEPT, "*", "body", pack(outbound)),
                ("EXPIRE", key, redis_keys.REPLIES_TTL_S),
            )
        )
        return str(row)


def make_client(settings: Settings, client: redis.asyncio.Redis, _http: VendorHttp) -> RestClient:
    """Make the sender's client."""
    return RestClient(settings, client)


def shape(reply: Outbound, inbound: Inbound) -> dict[str, Any]:
    """Shape a reply as Rasa's REST channel does, with what it lacks beside."""
    shaped: dict[str, Any] = {
        "recipient_id": inbound.vendor_user,
        "text": reply.text,
        "language": reply.language,
        "author": reply.author,
        "state": reply.state,
        "utter": reply.utter,
    }
    if reply.entry:
        shaped.update(entry=reply.entry, content_version=reply.content_version)
    if reply.quick_replies:
        shaped["quick_replies"] = [
            {"title": q.title, "payload": q.id, "entry": q.entry, "action": q.action}
            for q in reply.quick_replies
        ]
    return shaped
