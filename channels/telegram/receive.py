"""Receiving of Telegram's updates: verify, parse, store; the answer comes last.

Framework-neutral: the ingress, Rasa's input channel and the poll command all use it.
"""

from __future__ import annotations

import hmac
import time
from dataclasses import replace
from typing import Any

import redis.asyncio
import structlog

from bot.conversation.states import HUMAN, State
from bot.errors import BadRequest
from bot.events import ContactLost, ContactRegained, Event, Subject
from bot.settings import Settings
from bot.stores import redis_keys
from bot.stores.redis_client import guarded
from bot.streams.delivery import record_row
from bot.streams.messages import Inbound, conversation_id, message_id
from channels.kit import menu
from channels.kit.app_keys import TakesMessages
from channels.kit.copies import Copies
from channels.kit.reading import BODY_BYTES, number_at, read_object
from channels.telegram.client import origin_key
from channels.telegram.migrated_groups import Moves
from channels.telegram.payload import Update, chat_of, parse
from channels.telegram.settings import NAME, TelegramBot, TelegramSettings

LOG = structlog.get_logger(__name__)
WITH_PEOPLE = frozenset({State.WAITING, *HUMAN})
EDITED = "✏️ "


class TelegramReceiver:
    """Receiver for all our bots."""

    def __init__(
        self, settings: Settings, client: redis.asyncio.Redis, inbox: TakesMessages
    ) -> None:
        self._settings = settings
        self._bots = settings.of(TelegramSettings).bots
        self._redis = client
        self._inbox = inbox
        self._moves = Moves(settings, client)
        self._copies = Copies(settings, client)

    def check(self, name: str, secret: str) -> TelegramBot:
        """Find the bot a delivery is for; needs no body, so that none is read of a stranger's.

        Raises:
            BadRequest: 404 no such bot, 403 wrong secret.
        """
        bot = self._bots.get(name)
        if bot is None:
            raise BadRequest("unknown-bot", "there is no such bot", status=404)
        if not hmac.compare_digest(secret.encode("utf-8", "replace"), bot.secret.encode()):
            raise BadRequest("wrong-secret", "the secret token is not the right one", status=403)
        return bot

    async def take(self, name: str, secret: str, body: bytes) -> dict[str, Any] | None:
        """Take a delivery of the webhook.

        Args:
            name: Bot in the address.
            secret: Header X-Telegram-Bot-Api-Secret-Token.

        Returns:
            A method for Telegram to run, as the JSON body of the answer (Bot API, "Making requests
            when getting updates"), or None.

        Raises:
            BadRequest: 404 no such bot, 403 wrong secret, 400 no JSON object; nothing is kept.
            StoreUnavailable: Nothing is kept; Telegram sends it again.
        """
        bot = self.check(name, secret)
        callback = await self.handle(name, bot, read_object(body, BODY_BYTES))
        if not callback:
            return None
        return {"method": "answerCallbackQuery", "callback_query_id": callback}

    async def handle(self, name: str, bot: TelegramBot, data: dict[str, Any]) -> str:
        """Keep what an update says; return the callback query that must be answered, if any."""
        update = parse(data, name, bot, self._settings, time.time())
        if update.moved_to:
            await self._moves.note(name, update.chat, update.moved_to)
            LOG.info("telegram.moved", bot=name)
        elif update.blocked is not None:
            await self._note_contact(name, update, number_at(data, "update_id") or 0)
        elif update.inbound is None:
            LOG.info("telegram.ignored", bot=name, reason=update.ignored)
        else:
            await self._keep(update, update.inbound)
        return update.callback

    async def _note_contact(self, name: str, update: Update, number: int) -> None:
        """The customer blocked us, or took it back: agents see it; the same update again is one
        event."""
        conversation = conversation_id(NAME, name, update.chat)
        copy = await self._copies.of(conversation)
        event = Event.of(
            Subject(
                conversation,
                str(copy.get("episode_id", "")),
                NAME,
                str(copy.get("language", "")),
            ),
            ContactLost("blocked") if update.blocked else ContactRegained(),
            key=message_id(conversation, f"{number}:member"),
            actor="customer",
        )
        shard = redis_keys.shard_of(conversation, self._settings.shards)
        body = record_row("event", event.to_dict())
        await guarded(self._redis.xadd(redis_keys.record(shard), {"body": body}))
        LOG.info(
            "telegram.blocked" if update.blocked else "telegram.unblocked",
            conversation=conversation,
        )

    async def _keep(self, update: Update, inbound: Inbound) -> None:
        inbound = await self._named_as_before(inbound)
        if update.edited:
            # A corrected question is no new one; people shall see what it says now.
            state = (await self._copies.of(inbound.conversation)).get("state")
            if state not in WITH_PEOPLE or not inbound.text:
                LOG.info("telegram.ignored", bot=inbound.account, reason="edited")
                return
            # Its file came with the message it was.
            inbound = replace(inbound, text=EDITED + inbound.text, attachments=())
        elif update.command and inbound.kind == "message":
            language = await self._copies.language(inbound.conversation, inbound.locale)
            chosen_text = menu.customer_text(self._settings, update.command, language)
            inbound = replace(inbound, text=chosen_text or inbound.text)
        if update.reply_to:
            thread = str(update.thread or "")
            key = origin_key(self._settings, inbound.conversation, inbound.id)
            origin = f"{update.reply_to}:{thread}"
            await guarded(self._redis.set(key, origin, ex=redis_keys.SEEN_TTL_S))
        fresh = await self._inbox.accept(inbound)
        LOG.info(
            "telegram.received",
            conversation=inbound.conversation,
            message=inbound.id,
            duplicate=not fresh,
            kind=inbound.kind,
            tap=bool(inbound.tap),
        )

    async def _named_as_before(self, inbound: Inbound) -> Inbound:
        """A group that moved keeps its conversations."""
        chat, in_group = chat_of(inbound.vendor_user)
        first = await self._moves.first(inbound.account, chat) if in_group else chat
        if first == chat:
            return inbound
        user = first + inbound.vendor_user[len(chat) :]
        conversation = conversation_id(NAME, inbound.account, user)
        return replace(
            inbound,
            vendor_user=user,
            conversation=conversation,
            id=message_id(conversation, inbound.id),
        )
