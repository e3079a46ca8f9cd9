"""Translation at the desk: agents read and write their language, customers theirs.

What a customer said is translated once and kept in SQL beside the message, never in the cache that
answers share. A translator that is slow or dead is waited for as long as its deadline says; then
the original stands alone, and the page says why.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from bot.desk.conversation.moves import get_conversation
from bot.desk.people import scope
from bot.desk.people.users import User
from bot.desk.tables import translations
from bot.errors import TranslationUnavailable
from bot.language import codes
from bot.language.translate import Translator
from bot.stores.database import Database, insert_ignore
from bot.stores.tables import messages

MOST_MESSAGES = 12
"""Of one request; the page asks again for more."""
AT_ONCE = 2
"""Requests of one page under way at once: the translator refuses a crowd."""


@dataclass(frozen=True)
class Translated:
    """A message in the reader's language, or the reason why not."""

    id: str
    source: str
    """Language it was written in."""
    text: str = ""
    reason: str = ""
    """Of `TranslationUnavailable`; empty when `text` is there."""


@dataclass(frozen=True)
class Preview:
    """A reply as the customer would read it, or the reason why it cannot be sent."""

    language: str
    """The customer's."""
    text: str = ""
    provider: str = ""
    reason: str = ""
    """As in `Translated`."""


class DeskTranslator:
    """Translator of messages and replies; one per process.

    Args:
        translator: None when no provider is set; nothing is offered then.
    """

    def __init__(self, database: Database, translator: Translator | None) -> None:
        self._database = database
        self._translator = translator

    @property
    def available(self) -> bool:
        return self._translator is not None

    async def messages(
        self, conversation_id: str, ids: Sequence[str], target: str, reader: User | None = None
    ) -> list[Translated]:
        """Translate messages of a conversation; those in the target language are left out.

        Args:
            reader: Who asks: messages they may not read are left out, too; None reads all.

        Raises:
            BadRequest: There is no such conversation (status 404).
        """
        wanted = list(dict.fromkeys(ids))[:MOST_MESSAGES]
        translated, missing = await self._database.read(
            lambda c: _look_up(c, conversation_id, wanted, target, reader)
        )
        free = asyncio.Semaphore(AT_ONCE)

        async def translate(ident: str, text: str, source: str, at: float) -> Translated:
            async with free:
                try:
                    made, provider = await self._ask(text, source, target)
                except TranslationUnavailable as error:
                    return Translated(ident, source, reason=error.reason)
            row = {
                "message": ident,
                "language": target,
                "conversation": conversation_id,
                "source": source,
                "text": made,
                "provider": provider,
                # The message's own time: both are forgotten together (bot.housekeeping.retention).
                "created_at": at,
            }
            await self._database.run(lambda c: _keep(c, row))
            return Translated(ident, source, made)

        return translated + list(await asyncio.gather(*(translate(*each) for each in missing)))

    async def preview(self, conversation_id: str, text: str, source: str) -> Preview:
        """Say what a customer would read if an agent sent this.

        Raises:
            BadRequest: There is no such conversation (status 404).
        """
        conversation = await self._database.read(lambda c: get_conversation(c, conversation_id))
        try:
            made, provider = await self._ask(text, source, conversation.language)
        except TranslationUnavailable as error:
            return Preview(conversation.language, reason=error.reason)
        return Preview(conversation.language, made, provider)

    async def _ask(self, text: str, source: str, target: str) -> tuple[str, str]:
        if self._translator is None:
            raise TranslationUnavailable("none", "refused")
        made = await self._translator.translate(text, source, target, keep=False)
        return made.text, made.provider


def same(code: str, other: str) -> bool:
    """Whether two codes name one language, in whatever script."""
    return codes.normalise(code) == codes.normalise(other)


def _look_up(
    connection: Connection,
    conversation_id: str,
    ids: Sequence[str],
    target: str,
    reader: User | None,
) -> tuple[list[Translated], list[tuple[str, str, str, float]]]:
    """Stored translations, and what has none yet: id, text, language, time."""
    conversation, t, m = get_conversation(connection, conversation_id), translations.c, messages.c
    seen = scope.of(connection, reader) if reader else scope.EVERYTHING
    readable = connection.execute(
        sa.select(m.id).where(
            m.id.in_(ids),
            m.conversation == conversation_id,
            seen.reads(m.conversation, m.created_at, m.episode_id),
        )
    )
    ids = list(readable.scalars())
    stored = connection.execute(
        sa.select(t.message, t.source, t.text).where(
            t.message.in_(ids), t.language == target, t.conversation == conversation_id
        )
    ).all()
    translated = [Translated(row.message, row.source, row.text) for row in stored]
    translated_ids = {row.message for row in stored}
    rows = connection.execute(
        sa.select(m.id, m.text, m.language, m.author, m.created_at)
        .where(m.id.in_(ids), m.conversation == conversation_id)
        .order_by(m.created_at.desc())
    ).all()
    missing = []
    for row in rows:
        source = row.language or conversation.language
        if codes.normalise(source) == codes.UNDETERMINED:
            source = conversation.language
        needed = row.id not in translated_ids and not same(source, target)
        if needed and row.text.strip():
            missing.append((row.id, row.text, source, row.created_at))
    return translated, missing


def _keep(connection: Connection, row: dict[str, object]) -> None:
    # Erased or forgotten meanwhile: then the translation must not outlive it.
    if connection.execute(sa.select(messages.c.id).where(messages.c.id == row["message"])).first():
        insert_ignore(connection, translations, [row])
