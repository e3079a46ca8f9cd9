"""A REST channel for tests and load: loopback only, the same durable way as every other (D13).

`POST /webhooks/rest/webhook {"sender": …, "message": …}` answers, as Rasa's own does, with the
list of replies; they have gone through inbox, engine and outbox by then.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import time
import uuid
from typing import Any

import redis.asyncio
from aiohttp import web

from bot import redis_keys
from bot.conversation.messages import Inbound, Outbound, conversation_id, message_id
from bot.errors import BadRequest, TooLarge
from bot.redis_client import guarded
from bot.settings import Settings
from channels.app_keys import INBOX, REDIS, SETTINGS
from channels.webchat.receive import clean as clean_text
from channels.webchat.receive import is_visible

CHANNEL = "rest"
ANSWER_TIMEOUT_S = 30.0
BLOCK_MS = 2000
"""Below the driver's own time-out for an answer, 5 s."""


class RestClient:
    """Puts replies where the waiting request finds them."""

    def __init__(self, settings: Settings, client: redis.asyncio.Redis) -> None:
        self._shards = settings.shards
        self._redis = client

    async def send(self, outbound: Outbound) -> str:
        if not outbound.in_reply_to:
            return ""  # nobody waits for what nobody asked
        shard = redis_keys.shard_of(outbound.conversation, self._shards)
        key = redis_keys.replies(shard, outbound.in_reply_to)
        body = json.dumps(outbound.to_dict(), ensure_ascii=False)
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.xadd(key, {"body": body})
        pipeline.expire(key, redis_keys.REPLIES_TTL_S)
        row, _ = await guarded(pipeline.execute())
        return str(row)


def add_routes(app: web.Application) -> None:
    """Serve the channel if the settings say so."""
    if app[SETTINGS].rest_channel:
        app.router.add_post("/webhooks/rest/webhook", webhook)


async def webhook(request: web.Request) -> web.Response:
    """Take a message, wait for the turn's replies, return them."""
    _only_loopback(request)
    settings = request.app[SETTINGS]
    inbound = parse_message(await request.read(), settings.max_text_chars, time.time())
    await request.app[INBOX].accept(inbound)
    replies = await _replies(request.app[REDIS], settings, inbound)
    return web.json_response([shape(reply, inbound) for reply in replies])


def parse_message(body: bytes, max_chars: int, now: float) -> Inbound:
    """Read a request body.

    Raises:
        BadRequest: It is no JSON object with texts `sender` and `message` (or `quick_reply`).
    """
    try:
        data = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadRequest("not-json", "the body must be JSON") from error
    if not isinstance(data, dict):
        raise BadRequest("not-an-object", 'the body must be {"sender": …, "message": …}')
    sender, text, tap = data.get("sender"), data.get("message", ""), data.get("quick_reply", "")
    if not _is_name(sender, 200):
        raise BadRequest("sender", "`sender` must be a text of 1 to 200 characters")
    if not isinstance(text, str) or not isinstance(tap, str) or not _is_utf8(tap):
        raise BadRequest("types", "`message` and `quick_reply` must be texts")
    if len(text) > max_chars or len(tap) > 64:
        raise TooLarge("text-too-long", f"at most {max_chars} characters are taken")
    text = clean_text(text)
    if not is_visible(text) and not tap:
        raise BadRequest("empty", "write a message, or tap a quick reply")
    given = data.get("message_id") or uuid.uuid4().hex
    if not _is_name(given, 128):
        raise BadRequest("message-id", "`message_id` must be a text of at most 128 characters")
    locale = data.get("locale", "")
    conversation = conversation_id(CHANNEL, CHANNEL, sender)
    return Inbound(
        id=message_id(conversation, given),
        conversation=conversation,
        channel=CHANNEL,
        account=CHANNEL,
        vendor_user=sender,
        text=text,
        tap=tap,
        sent_at=now,
        received_at=now,
        locale=locale if _is_name(locale, 32) else "",
    )


def _is_name(value: Any, longest: int) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= longest and _is_utf8(value)


def _is_utf8(text: str) -> bool:
    """JSON can carry half a character (a lone surrogate), which no store takes."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


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


async def _replies(
    client: redis.asyncio.Redis, settings: Settings, inbound: Inbound
) -> list[Outbound]:
    shard = redis_keys.shard_of(inbound.conversation, settings.shards)
    key = redis_keys.replies(shard, inbound.id)
    found: list[Outbound] = []
    last = "0-0"
    deadline = asyncio.get_running_loop().time() + ANSWER_TIMEOUT_S
    while (left := deadline - asyncio.get_running_loop().time()) > 0:
        block = max(1, min(BLOCK_MS, int(left * 1000)))
        answer = await guarded(client.xread({key: last}, block=block))
        for _, rows in answer or ():
            for row, fields in rows:
                last = row
                if "end" in fields:
                    return found
                reply = Outbound.from_dict(json.loads(fields["body"]))
                found.append(reply)
                if len(found) >= int(reply.metadata.get("of", 1)):
                    return found
    raise web.HTTPGatewayTimeout(text="no reply yet; the message is kept and will be answered")


def _only_loopback(request: web.Request) -> None:
    """Refuse strangers, also those whom a proxy on this machine lets through."""
    forwarded = {"X-Forwarded-For", "Forwarded", "X-Real-IP"} & set(request.headers)
    try:
        local = ipaddress.ip_address(request.remote or "").is_loopback
    except ValueError:
        local = False
    if forwarded or not local:
        raise BadRequest("loopback-only", "this channel is for this machine only", status=403)
