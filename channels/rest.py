"""A REST channel for tests and load: loopback only, the same durable way as every other.

`POST /webhooks/rest/webhook {"sender": …, "message": …}` answers, as Rasa's own does, with the
list of replies; they have gone through inbox, engine and outbox by then.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeGuard

import redis.asyncio
import structlog
from aiohttp import web

from bot.errors import BadRequest, StoreUnavailable, TooLarge
from bot.settings import Settings
from bot.stores import redis_keys
from bot.stores.packing import pack, unpack
from bot.stores.redis_batches import lane_of
from bot.stores.redis_client import guarded, is_clustered
from bot.streams.messages import Inbound, Outbound, conversation_id, message_id
from channels.kit.app_keys import INBOX, REDIS, SETTINGS
from channels.webchat.receive import clean as clean_text
from channels.webchat.receive import is_visible

log = structlog.get_logger()

CHANNEL = "rest"
ANSWER_TIMEOUT_S = 30.0
BLOCK_MS = 2000
"""Below the driver's own time-out for an answer, 5 s."""
AGAIN_S = 0.2
"""Pause while Redis is away."""
MOST_KEPT = 500
"""Replies a shard keeps for requests that may still fetch them; the oldest go first."""


class RestClient:
    """Puts replies where the waiting request finds them."""

    def __init__(self, settings: Settings, client: redis.asyncio.Redis) -> None:
        self._shards = settings.shards
        self._redis = client

    async def send(self, outbound: Outbound) -> str:
        if not outbound.in_reply_to:
            return ""  # nobody waits for what nobody asked
        key = redis_keys.replies(redis_keys.shard_of(outbound.conversation, self._shards))
        row, _ = await guarded(
            lane_of(self._redis).run(
                ("XADD", key, "MAXLEN", "~", MOST_KEPT, "*", "body", pack(outbound)),
                ("EXPIRE", key, redis_keys.REPLIES_TTL_S),
            )
        )
        return str(row)


@dataclass
class Awaited:
    """What requests wait for: all replies of a turn."""

    done: asyncio.Future[list[Outbound]]
    found: dict[str, Outbound] = field(default_factory=dict)
    requests: int = 0


class Replies:
    """Hands replies to the requests that wait for them: one reader for all of a process."""

    def __init__(self, client: redis.asyncio.Redis, shards: int) -> None:
        self._redis = client
        self._last = dict.fromkeys((redis_keys.replies(shard) for shard in range(shards)), "0-0")
        self._turns: dict[str, Awaited] = {}

    @contextlib.contextmanager
    def expected(self, message: str) -> Iterator[Awaited]:
        """Expect the replies to a message, from before it is in the inbox."""
        turn = self._turns.get(message)
        if turn is None:
            turn = Awaited(asyncio.get_running_loop().create_future())
            self._turns[message] = turn
        turn.requests += 1
        try:
            yield turn
        finally:
            turn.requests -= 1
            if not turn.requests:
                self._turns.pop(message, None)

    async def look_back(self, shard: int) -> None:
        """Take what came before it was expected: the message is a repeated delivery."""
        rows: Any = await guarded(self._redis.xrange(redis_keys.replies(shard)))
        for _, fields in rows:
            self._take(unpack(fields["body"]))

    async def run(self) -> None:
        """Fetch until cancelled."""
        keys = list(self._last)
        groups = [[key] for key in keys] if is_clustered(self._redis) else [keys]
        await asyncio.gather(*(self._follow(group) for group in groups))

    async def _follow(self, keys: list[str]) -> None:
        while True:
            streams: Any = {key: self._last[key] for key in keys}
            try:
                answer: Any = await guarded(self._redis.xread(streams, block=BLOCK_MS))
            except StoreUnavailable:
                await asyncio.sleep(AGAIN_S)
                continue
            except Exception:
                # Without this task no request of this process would get its replies any more.
                log.exception("rest.replies_failed")
                await asyncio.sleep(AGAIN_S)
                continue
            for key, rows in answer or ():
                for row, fields in rows:
                    self._last[key] = row
                    self._take(unpack(fields["body"]))

    def _take(self, body: dict[str, Any]) -> None:
        # Replies for other ingress processes, and for requests that are gone, come by too.
        turn = self._turns.get(body["in_reply_to"])
        if turn is None or turn.done.done():
            return
        if "text" in body:
            reply = Outbound.from_dict(body)
            turn.found[reply.id] = reply
            if len(turn.found) < int(reply.metadata.get("of", 1)):
                return
        turn.done.set_result(list(turn.found.values()))


REPLIES: web.AppKey[Replies] = web.AppKey("replies", Replies)


async def _fetch(app: web.Application) -> AsyncIterator[None]:
    reader = asyncio.create_task(app[REPLIES].run())
    yield
    while not reader.done():  # a cancellation that comes while the driver connects can get lost
        reader.cancel()
        await asyncio.wait([reader], timeout=AGAIN_S)


def add_routes(app: web.Application) -> None:
    """Serve the channel if the settings say so."""
    if app[SETTINGS].rest_channel:
        app[REPLIES] = Replies(app[REDIS], app[SETTINGS].shards)
        app.cleanup_ctx.append(_fetch)
        app.router.add_post("/webhooks/rest/webhook", webhook)


async def webhook(request: web.Request) -> web.Response:
    """Take a message, wait for the turn's replies, return them."""
    _only_loopback(request)
    settings = request.app[SETTINGS]
    inbound = parse_message(await request.read(), settings.max_text_chars, time.time())
    with request.app[REPLIES].expected(inbound.id) as turn:
        if not await request.app[INBOX].accept(inbound):
            shard = redis_keys.shard_of(inbound.conversation, settings.shards)
            await request.app[REPLIES].look_back(shard)
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                replies = await asyncio.shield(turn.done)
        except TimeoutError as error:
            reason = "no reply yet; the message is kept and will be answered"
            raise web.HTTPGatewayTimeout(text=reason) from error
    body = pack([shape(reply, inbound) for reply in replies])
    return web.Response(text=body, content_type="application/json")


def parse_message(body: bytes, max_chars: int, now: float) -> Inbound:
    """Read a request body.

    Raises:
        BadRequest: It is no JSON object with texts `sender` and `message` (or `quick_reply`).
    """
    try:
        data = json.loads(body)  # which takes half a character, too
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


def _is_name(value: Any, longest: int) -> TypeGuard[str]:
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


def _only_loopback(request: web.Request) -> None:
    """Refuse strangers, also those whom a proxy on this machine lets through."""
    forwarded = {"X-Forwarded-For", "Forwarded", "X-Real-IP"} & set(request.headers)
    try:
        local = ipaddress.ip_address(request.remote or "").is_loopback
    except ValueError:
        local = False
    if forwarded or not local:
        raise BadRequest("loopback-only", "this channel is for this machine only", status=403)
