"""What a turn starts from, read in one round trip."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

import redis.asyncio
import sqlalchemy as sa

from bot.content.models import Content
from bot.conversation import store
from bot.conversation.states import ENDED
from bot.conversation.store import Conversation
from bot.dialogue.asking import Tracker
from bot.dialogue.catalog import Catalog
from bot.dialogue.context import Context
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
    """What is known of a conversation before its message is heard."""

    inbound: Inbound
    conversation: Conversation
    """In the language it is answered in."""
    context: Context
    tracker: Tracker
    knowledge: Knowledge
    """Content and index, the same ones for the whole turn."""
    attempt: int = 1
    """Which try at this message it is."""

    @property
    def content(self) -> Content:
        return self.knowledge.content

    @property
    def language(self) -> str:
        return self.conversation.language

    @property
    def today(self) -> date:
        """Day of the message (UTC), so that a turn run again finds the same entries valid."""
        return datetime.fromtimestamp(self.inbound.received_at, UTC).date()


class Situations:
    """Reads what turns start from; one per process."""

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
        """Read what the turn starts from: one round trip, and SQL only where Redis has nothing.

        Returns:
            None when the row is no longer in the inbox, since a turn begun now would change the
            conversation in SQL and commit nothing.
        """
        shard = ticket.shard
        counted = (redis_keys.attempts(shard), redis_keys.inbox(shard))
        body, copy, attempt = await guarded(
            batches_of(self._redis).run(
                ("GET", redis_keys.tracker(shard, inbound.conversation)),
                ("GET", redis_keys.owner(shard, inbound.conversation)),
                ("EVAL", attempts.COUNT, 2, *counted, ticket.row, 1),
            )
        )
        if attempt is None:
            return None
        conversation = await self._conversation(inbound, copy)
        if body is None:
            body = await self._database.read(lambda c: _stored_tracker(c, inbound.conversation))
        tracker = unpack(body) if body else {}
        context = Context.from_dict(tracker.pop("context", None))
        context = context.in_episode(conversation.episode_id)
        if inbound.position:
            inbound = replace(inbound, received_at=context.hear(inbound.received_at))
            context = replace(context, heard_at=inbound.received_at)
        language = spoken(conversation.language, self._settings)
        return Situation(
            inbound=inbound,
            conversation=in_language(conversation, language),
            context=context,
            tracker=tracker,
            knowledge=self._catalog.knowledge,
            attempt=int(attempt),
        )

    async def forget(self, inbound: Inbound, ticket: Ticket) -> None:
        """Drop the copy of the conversation, so that SQL is asked, and do not count the try."""
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.delete(redis_keys.owner(ticket.shard, inbound.conversation))
        counted = (redis_keys.attempts(ticket.shard), redis_keys.inbox(ticket.shard))
        pipeline.eval(attempts.COUNT, 2, *counted, ticket.row, -1)
        await guarded(pipeline.execute())

    async def _conversation(self, inbound: Inbound, copy: str | None) -> Conversation:
        """The conversation as its copy has it, or opened in SQL: it is new or had ended."""
        if copy:
            conversation = Conversation.from_json(copy)
            if conversation.blocked or conversation.state not in ENDED:
                return conversation
        language = first_language(inbound.locale, self._settings)
        return await self._database.run(lambda c: store.open_for(c, inbound, language))


def spoken(language: str, settings: Settings) -> str:
    """Language to answer in: the one asked for, or the default one if we cannot."""
    return language if language in settings.languages else settings.default_language


def first_language(locale: str, settings: Settings) -> str:
    """Language to start with, from what the channel reports."""
    return spoken(codes.normalise(locale) if locale else "", settings)


def in_language(conversation: Conversation, language: str) -> Conversation:
    """The conversation in this language."""
    if conversation.language == language:
        return conversation
    return replace(conversation, language=language)


def _stored_tracker(connection: sa.engine.Connection, conversation: str) -> str | None:
    body: str | None = connection.execute(
        sa.select(trackers.c.body).where(trackers.c.conversation == conversation)
    ).scalar_one_or_none()
    return body
