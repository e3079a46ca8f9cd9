"""Sending to Telegram: in order, at the allowed rate, each part once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Any

import redis.asyncio
import structlog

from bot.errors import DeliveryFailed
from bot.settings import Settings
from bot.stores import redis_keys
from bot.stores.redis_client import guarded
from bot.streams.messages import Outbound
from channels.kit.fitting import Part
from channels.kit.pacing import Pace, Pacer
from channels.kit.progress import Progress, claim
from channels.kit.uploads import Uploads
from channels.kit.vendor_http import Upload, VendorHttp
from channels.telegram.api import BotApi, ChatMoved, PhotoRefused, bots
from channels.telegram.limits import LIMITS, fit
from channels.telegram.migrated_groups import Moves
from channels.telegram.payload import AS_DOCUMENT, chat_of, shape, shape_file
from channels.telegram.settings import TelegramSettings

LOG = structlog.get_logger(__name__)
SendCall = Callable[..., Awaitable[Any]]
"""A method of the Bot API that sends; gets the parameters and returns the message."""

ACTION_TIMEOUT_S = 2.0

# A little slower than allowed: messages may come closer together on the network than they left.
CHAT = Pace("telegram-chat", 1.05 / LIMITS.rule("messages in a chat").value)
# Four at once and one every 3.75 s are never more than 20 in a minute.
GROUP = Pace("telegram-group", 1.25 / LIMITS.rule("messages in a group").value, 4)
BOT = Pace("telegram-bot", 1.05 / LIMITS.rule("messages of a bot").value)


class TelegramClient:
    """Client that sends as any of our bots.

    Args:
        chat, group, bot: Paces; slower ones are for Bot API servers with other limits.
    """

    def __init__(
        self,
        settings: Settings,
        client: redis.asyncio.Redis,
        http: VendorHttp,
        *,
        chat: Pace = CHAT,
        group: Pace = GROUP,
        bot: Pace = BOT,
    ) -> None:
        self._settings = settings
        self._keyboard = settings.of(TelegramSettings).keyboard
        self._redis = client
        self._http = http
        self._bots = bots(settings, http)
        self._progress = Progress(client, settings.shards, fit)
        self._pacer = Pacer(client)
        self._moves = Moves(settings, client)
        self._paces = (chat, group, bot)
        self._uploads = Uploads(settings, LIMITS.most("file"))

    async def send(self, outbound: Outbound) -> str:
        """Send a message, as several where it is long; return the last one's id.

        Raises:
            DeliveryFailed: See `channels.telegram.api.refusal`; `channel-off` for a bot that is no
                longer in the settings.
        """
        api = self._bots.get(outbound.account)
        if api is None:
            raise DeliveryFailed("channel-off", permanent=True)
        stored_chat, in_group = chat_of(outbound.vendor_user)
        chat = await self._moves.now(outbound.account, stored_chat) if in_group else stored_chat
        hung = await self._hung_on(outbound) if in_group else {}

        async def send_shaped(body: dict[str, Any], more: bool, call: SendCall) -> str:
            nonlocal chat
            try:
                return await self._send(api, outbound.account, body, in_group, more, call)
            except ChatMoved as error:
                await self._moves.note(outbound.account, stored_chat, error.chat)
                chat = error.chat
                moved = {**body, "chat_id": int(chat)}
                return await self._send(api, outbound.account, moved, in_group, False, call)

        async def send_file(method: str, upload: Upload) -> str:
            call = partial(api.call, method, upload=upload)
            return await send_shaped({"chat_id": int(chat), **hung}, False, call)

        async def send_part(part: Part, number: int) -> str:
            if part.attachment is None:
                body = {**shape(part, chat, keyboard=self._keyboard), **hung}
                return await send_shaped(body, number > 0, partial(api.call, "sendMessage"))
            method, field = shape_file(part.attachment)
            async with self._uploads.open(part.attachment, field) as upload:
                try:
                    return await send_file(method, upload)
                except PhotoRefused:
                    LOG.info("telegram.photo_refused", conversation=outbound.conversation)
                    method, field = AS_DOCUMENT
                    return await send_file(method, replace(upload, field=field))

        return (await self._progress.send(outbound, send_part))[-1]

    async def show_typing(self, account: str, vendor_user: str) -> None:
        """Show a typing indicator; it lasts 5 s, or until the next message.

        Raises:
            DeliveryFailed: See `send`.
        """
        if api := self._bots.get(account):
            stored_chat, in_group = chat_of(vendor_user)
            chat = await self._moves.now(account, stored_chat) if in_group else stored_chat
            await api.call(
                "sendChatAction", action="typing", chat_id=int(chat), timeout_s=ACTION_TIMEOUT_S
            )

    async def aclose(self) -> None:
        """Close the session to the vendor."""
        await self._http.aclose()

    async def _send(
        self,
        api: BotApi,
        bot: str,
        body: dict[str, Any],
        in_group: bool,
        more: bool,
        call: SendCall,
    ) -> str:
        per_chat, per_group, per_bot = self._paces
        who = f"{bot}:{body['chat_id']}"
        wait_s = await self._pacer.take(per_chat, who)
        if in_group:
            wait_s = max(wait_s, await self._pacer.take(per_group, who))
        if more or wait_s > 0.3:
            await self._show_typing(api, body)
        await asyncio.sleep(wait_s)
        await self._pacer.wait((per_bot, bot))
        await claim()
        try:
            sent = await call(**body)
        except DeliveryFailed as error:
            if error.retry_after_s is not None:
                await self._pacer.hold(per_chat, who, error.retry_after_s)
            raise
        return str(sent.get("message_id", "")) if isinstance(sent, dict) else ""

    async def _show_typing(self, api: BotApi, body: dict[str, Any]) -> None:
        """Show that more is coming; nothing depends on it."""
        where = {k: body[k] for k in ("chat_id", "message_thread_id") if k in body}
        try:
            await api.call("sendChatAction", action="typing", timeout_s=ACTION_TIMEOUT_S, **where)
        except DeliveryFailed as error:
            LOG.debug("typing.failed", reason=error.reason)

    async def _hung_on(self, outbound: Outbound) -> dict[str, Any]:
        """In a group, hang the answer on the question, in its topic."""
        if not outbound.in_reply_to:
            return {}
        key = origin_key(self._settings, outbound.conversation, outbound.in_reply_to)
        message, _, thread = str(await guarded(self._redis.get(key)) or "").partition(":")
        options: dict[str, Any] = {}
        if message:
            options["reply_parameters"] = {
                "message_id": int(message),
                "allow_sending_without_reply": True,
            }
        if thread:
            options["message_thread_id"] = int(thread)
        return options


def origin_key(settings: Settings, conversation: str, message: str) -> str:
    """Where the receiver leaves `<message id>:<topic>` of a group's message for its answer."""
    shard = redis_keys.shard_of(conversation, settings.shards)
    return redis_keys.seen(shard, f"origin-{message}")
