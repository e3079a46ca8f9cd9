"""Replies from the page's own inbox: the conversation becomes theirs, the bot is silent.

Messenger echoes what they write. Nobody tells us when they are done: after `AGENT_GONE_S` without
a word from the page's inbox its conversations wait for the desk (bot.housekeeping.closing).
"""

from __future__ import annotations

import time

import redis.asyncio
import structlog
from sqlalchemy.engine import Connection

from bot.conversation import store
from bot.conversation.changes import Changes
from bot.conversation.states import ENDED, HUMAN
from bot.conversation.store import Conversation
from bot.events import AgentReplied, EventData
from bot.events import Event as LogEvent
from bot.handoff.taking import take
from bot.routing import presence
from bot.settings import Settings
from bot.stores import redis_keys
from bot.stores.database import Database
from bot.stores.redis_client import guarded
from bot.streams.delivery import message_row, record_row
from bot.streams.messages import Inbound, Outbound, message_id
from channels.facebook.payload import Event
from channels.facebook.settings import NAME

LOG = structlog.get_logger(__name__)
SHOWN_AS = "Page inbox"


class PageInbox:
    """Takes over conversations for people in a page's inbox."""

    def __init__(self, settings: Settings, client: redis.asyncio.Redis, database: Database) -> None:
        self._settings = settings
        self._redis = client
        self._changes = Changes(settings.shards, database, client)

    async def note(self, event: Event) -> None:
        """Record that a person wrote `event.text` to the customer; a repeated echo changes nothing.

        Raises:
            StoreUnavailable: Redis or SQL is away; Messenger must deliver it again.
        """
        key = f"echo-{message_id(event.conversation, event.mid)}"
        shard = redis_keys.shard_of(event.conversation, self._settings.shards)
        done = redis_keys.seen(shard, key)
        if await guarded(self._redis.exists(done)):
            return
        owner = owner_of(event.page)
        await presence.mark_offline(
            self._redis, owner
        )  # last seen now, and not one of the desk's agents
        changed = await self._changes.apply(
            event.conversation, lambda connection: self._take(connection, event, owner, key)
        )
        await self._record(event, changed, owner, key)
        await guarded(self._redis.set(done, "1", ex=redis_keys.SEEN_TTL_S))
        LOG.info("facebook.taken-over", conversation=event.conversation, state=changed.state.value)

    def _take(self, connection: Connection, event: Event, owner: str, key: str) -> Conversation:
        current = store.get(connection, event.conversation)
        now = time.time()
        if current is None or current.state in ENDED:
            opening = Inbound(
                id=key,
                conversation=event.conversation,
                channel=NAME,
                account=event.page,
                vendor_user=event.user,
                received_at=now,
            )
            current = store.open_for(connection, opening, self._settings.default_language)
        if current.state in HUMAN:
            return current
        return take(
            connection,
            current,
            owner,
            key=f"{key}-take",
            event=lambda c, what: _event(c, what, key, owner),
        )

    async def _record(self, event: Event, conversation: Conversation, owner: str, key: str) -> None:
        """Their words join the transcript; they have been sent already."""
        words = Outbound(
            id=key,
            conversation=conversation.id,
            channel=NAME,
            account=event.page,
            vendor_user=event.user,
            text=event.text,
            author="agent",
            agent=SHOWN_AS,
            language=conversation.language,
            created_at=event.at,
        )
        row = {**message_row(words, conversation.episode_id), "delivery": "sent"}
        replied = _event(conversation, AgentReplied(len(event.text)), key, owner)
        shard = redis_keys.shard_of(conversation.id, self._settings.shards)
        pipeline = self._redis.pipeline(transaction=False)
        for body in (record_row("message", row), record_row("event", replied.to_dict())):
            pipeline.xadd(redis_keys.record(shard), {"body": body})
        await guarded(pipeline.execute())


def owner_of(page: str) -> str:
    """Name the people of a page's inbox, as owner of conversations."""
    return f"{store.PAGE_INBOX}{page}"[:64]


def _event(conversation: Conversation, what: EventData, key: str, owner: str) -> LogEvent:
    return LogEvent.of(conversation, what, key=key, actor="agent", actor_id=owner)
