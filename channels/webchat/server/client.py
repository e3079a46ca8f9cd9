"""Hand messages to the browser: a short stream per conversation, and a wake-up for open windows.

The stream (last 200 messages, 7 days) is what the widget shows beyond SQL's history; its entry ids
are the cursors by which a browser resumes. Adding is idempotent by message id.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import redis.asyncio

from bot.language.codes import direction
from bot.settings import Settings
from bot.stores import redis_keys
from bot.stores.redis_client import guarded
from bot.streams.messages import Inbound, Outbound
from channels.kit.vendor_http import VendorHttp
from channels.webchat.server.cards import cards_of
from channels.webchat.server.photos import photo_of
from channels.webchat.server.settings import WebchatSettings

STREAM_LENGTH = 200

# KEYS: stream, marker of this message. ARGV: message, stream length, stream ttl, marker ttl,
# pub/sub channel. The marker holds the entry id, so a repeated send returns the same cursor.
_ADD = """
local known = redis.call('GET', KEYS[2])
if known then return known end
local entry = redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], '*', 'body', ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[3])
redis.call('SET', KEYS[2], entry, 'EX', ARGV[4])
redis.call('PUBLISH', ARGV[5], '')
return entry
"""


class WebchatClient:
    """Sends to browsers; the sender calls it as it calls the vendors' clients.

    Args:
        redis: Holds the streams; on a cluster, the cluster's client.
    """

    def __init__(self, redis: redis.asyncio.Redis, settings: Settings) -> None:
        self._redis = redis
        self._shards = settings.shards
        self._photos = settings.of(WebchatSettings).agent_photos

    async def send(self, outbound: Outbound) -> str:
        """Show a reply; the same `outbound.id` again changes nothing.

        Returns:
            Entry id in the stream.

        Raises:
            StoreUnavailable: Redis is away; nothing was shown.
        """
        shown = message_of(outbound)
        if photo := photo_of(self._photos, outbound.agent):
            shown["photo"] = photo
        return await self._add(outbound.conversation, outbound.id, shown)

    async def echo(self, inbound: Inbound, client_id: str) -> str:
        """Show a customer their own message, in every window they have open.

        Args:
            client_id: The id the browser gave it, by which that browser knows it again.
        """
        shown: dict[str, Any] = {
            "type": "message",
            "id": inbound.id,
            "client": client_id,
            "author": "customer",
            "text": inbound.text,
            "sent_at": inbound.received_at,
        }
        if inbound.attachments:
            shown["attachments"] = [attachment.shown() for attachment in inbound.attachments]
        return await self._add(inbound.conversation, inbound.id, shown)

    async def _add(self, conversation: str, message: str, body: Mapping[str, Any]) -> str:
        shard = redis_keys.shard_of(conversation, self._shards)
        entry = await guarded(
            self._redis.eval(
                _ADD,
                2,
                redis_keys.webchat(shard, conversation),
                redis_keys.seen(shard, f"webchat:{message}"),
                json.dumps(body, ensure_ascii=False, separators=(",", ":")),
                STREAM_LENGTH,
                redis_keys.CONVERSATION_TTL_S,
                redis_keys.SEEN_TTL_S,
                redis_keys.webchat_channel(conversation),
            )
        )
        return entry.decode() if isinstance(entry, bytes) else str(entry)


def make_client(
    settings: Settings, client: redis.asyncio.Redis, _http: VendorHttp
) -> WebchatClient:
    """Make the sender's client."""
    return WebchatClient(client, settings)


def message_of(outbound: Outbound) -> dict[str, Any]:
    """Shape a reply as the browser gets it; entry ids and versions stay with us."""
    shown: dict[str, Any] = {
        "type": "message",
        "id": outbound.id,
        "author": outbound.author,
        "text": outbound.text,
        "language": outbound.language,
        "direction": direction(outbound.language),
        "sent_at": outbound.created_at,
    }
    if outbound.agent:
        shown["agent"] = outbound.agent
    if outbound.state:
        shown["state"] = outbound.state
    if cards := cards_of(outbound.metadata):
        shown["cards"] = cards
    if outbound.quick_replies:
        shown["quick_replies"] = [{"id": q.id, "title": q.title} for q in outbound.quick_replies]
    if outbound.attachments:
        shown["attachments"] = [attachment.shown() for attachment in outbound.attachments]
    return shown


async def notify(
    redis: redis.asyncio.Redis, _settings: Settings, conversation: str, frame: Mapping[str, Any]
) -> None:
    """Show something passing to whoever is looking now; nothing depends on its arrival.

    Args:
        frame: `{"type": "typing"}` (an agent writes), or `{"type": "state", "state": …,
            "agent": …}` (who answers has changed, and no message says so), or
            `{"type": "erased"}` (nothing of this conversation is left).
    """
    await guarded(
        redis.publish(
            redis_keys.webchat_channel(conversation),
            json.dumps(frame, ensure_ascii=False, separators=(",", ":")),
        )
    )
