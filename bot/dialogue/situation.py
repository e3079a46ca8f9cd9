"""Situation: everything a turn starts from, read in one round trip."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

import redis.asyncio
import sqlalchemy as sa

from bot.content.models import Content
from bot.conversation import store
from bot.conversation.states import ENDED
from bot.conversation.store import Conversation
from bot.dialogue.catalog import Catalog
from bot.dialogue.context import Context
from bot.dialogue.rasa_call import Tracker
from bot.language import codes
from bot.settings import Settings
from bot.stores import redis_keys
from bot.stores.database import Database
from bot.stores.packing import unpack
from bot.stores.redis_batches import batches_of
from bot.stores.redis_client import guarded
from bot.stores.tables import trackers
from bot.streams import attempts
from bot.streams.messages import Inbound
from bot.streams.ticket import Ticket
from bot.understanding.service import Knowledge


@dataclass(frozen=True)
class Situation:
    """Everything known of a conversation before its message is read."""

    inbound: Inbound
    conversation: Conversation
    """The conversation, in the language the bot answers in."""
    context: Context
    tracker: Tracker
    knowledge: Knowledge
    """Content and index, the same for the whole turn."""
    attempt: int = 1
    """Number of this try, from 1."""
    losses: int = 0
    """How often leases were lost while it was tried."""

    @property
    def content(self) -> Content:
        return self.knowledge.content

    @property
    def language(self) -> str:
        return self.conversation.language

    @property
    def today(self) -> date:
        """Return the day of the message (UTC), so that a repeated turn has the same entries."""
        return datetime.fromtimestamp(self.inbound.received_at, UTC).date()


class Situations:
    """Reads situations; one per process."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        client: redis.asyncio.Redis,
        catalog: Catalog,
    ) -> None:
        self._settings = settings
        self._database = database
        self._redis = client
        self._catalog = catalog

    async def read(self, inbound: Inbound, ticket: Ticket) -> Situation | None:
        """Read the situation: one round trip, and SQL only where Redis has nothing.

        Returns:
            None when the row is no longer in the inbox, since a turn would then change the
            conversation in SQL and commit nothing.
        """
        shard = ticket.shard
        attempt_keys = (redis_keys.attempts(shard), redis_keys.inbox(shard))
        body, copy, attempt = await guarded(
            batches_of(self._redis).run(
                ("GET", redis_keys.tracker(shard, inbound.conversation)),
                ("GET", redis_keys.owner(shard, inbound.conversation)),
                ("EVAL", attempts.COUNT, 2, *attempt_keys, ticket.row, 1),
            )
        )
        if attempt is None:
            return None
        tries, losses = attempts.read(int(attempt))
        conversation = await self._conversation(inbound, copy)
        if body is None:
            body = await self._database.read(lambda c: _stored_tracker(c, inbound.conversation))
        tracker = unpack(body) if body else {}
        context = Context.from_dict(tracker.pop("context", None))
        context = context.in_episode(conversation.episode_id)
        if inbound.position:
            inbound = replace(inbound, received_at=context.hear(inbound.received_at))
            context = replace(context, heard_at=inbound.received_at)
        language = answer_language(conversation.language, self._settings)
        return Situation(
            inbound=inbound,
            conversation=in_language(conversation, language),
            context=context,
            tracker=tracker,
            knowledge=self._catalog.knowledge,
            attempt=tries,
            losses=losses,
        )

    async def forget(self, inbound: Inbound, ticket: Ticket) -> None:
        """Delete the copy of the conversation, so that SQL is read, and do not count the try."""
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.delete(redis_keys.owner(ticket.shard, inbound.conversation))
        attempt_keys = (redis_keys.attempts(ticket.shard), redis_keys.inbox(ticket.shard))
        pipeline.eval(attempts.COUNT, 2, *attempt_keys, ticket.row, -1)
        await guarded(pipeline.execute())

    async def _conversation(self, inbound: Inbound, copy: str | None) -> Conversation:
        """Return the conversation from its copy, or open it in SQL if it is new or has ended."""
        if copy:
            conversation = Conversation.from_json(copy)
            if conversation.blocked or conversation.state not in ENDED:
                return conversation
        language = first_language(inbound.locale, self._settings)
        return await self._database.run(lambda c: store.open_for(c, inbound, language))


def answer_language(language: str, settings: Settings) -> str:
    """Return the language to answer in: the requested one if we have it, else the default."""
    return language if language in settings.languages else settings.default_language


def first_language(locale: str, settings: Settings) -> str:
    """Return the language to start with, from the channel's locale."""
    return answer_language(codes.normalise(locale) if locale else "", settings)


def in_language(conversation: Conversation, language: str) -> Conversation:
    """Return the conversation with this language."""
    if conversation.language == language:
        return conversation
    return replace(conversation, language=language)


def _stored_tracker(connection: sa.engine.Connection, conversation: str) -> str | None:
    body: str | None = connection.execute(
        sa.select(trackers.c.body).where(trackers.c.conversation == conversation)
    ).scalar_one_or_none()
    return body
