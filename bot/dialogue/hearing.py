"""What a message says: a tapped button, or words read off the event loop."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import sqlalchemy as sa

from bot.dialogue.turn import Turn
from bot.language import codes
from bot.language.follow import follow
from bot.settings import Settings
from bot.stores.database import Database
from bot.stores.tables import messages
from bot.streams.messages import QuickReply
from bot.understanding.service import Reading, Understander

OLD_MESSAGES = 200
"""How far back an old button is looked for."""


class Hearing:
    """Reads messages; one a process."""

    def __init__(self, settings: Settings, database: Database, understander: Understander) -> None:
        self._settings = settings
        self._database = database
        self._understander = understander
        # One thread: the embedding uses the core it runs on, and order of arrival is fair.
        self._thinking = ThreadPoolExecutor(1, thread_name_prefix="understand")

    async def read(self, turn: Turn) -> Reading:
        """Understand the text and follow its language; the turn then speaks that language."""
        text, knowledge = turn.inbound.text, turn.knowledge
        # A glance takes a millisecond: less than handing it to the thread and back under load.
        glance = self._understander.glance(text, knowledge, turn.context.negative_mean)
        reading = glance.reading
        if reading is None:
            reading = await asyncio.get_running_loop().run_in_executor(
                self._thinking, self._understander.read, text, knowledge, glance
            )
        self._follow(turn, reading)
        return reading

    def command(self, text: str) -> str:
        """Dialogue intent of a word we told the customer to write; else empty."""
        return self._understander.command(text)

    async def button(self, turn: Turn) -> QuickReply | None:
        """The button that was tapped, or whose title was typed; only this conversation's own."""
        inbound = turn.inbound
        if not inbound.tap:
            return turn.context.typed(inbound.text)
        found = turn.context.find(inbound.tap)
        if found is None:
            found = await self._database.read(
                lambda c: _stored_button(c, inbound.conversation, inbound.tap)
            )
        if found and not inbound.text:
            turn.inbound = replace(inbound, text=found.title)
        return found

    def speak_in(self, turn: Turn, language: str) -> None:
        """Answer in this language from here on, or in the default one if we cannot."""
        known = language in self._settings.languages
        turn.language = language if known else self._settings.default_language
        if turn.conversation.language != turn.language:
            turn.conversation = replace(turn.conversation, language=turn.language)

    def first_language(self, locale: str) -> str:
        """Language to start with, from what the channel reports."""
        code = codes.normalise(locale) if locale else ""
        return code if code in self._settings.languages else self._settings.default_language

    def _follow(self, turn: Turn, reading: Reading) -> None:
        before = turn.context.belief
        prior = turn.inbound.locale or turn.conversation.language
        # A translator answers in languages that are not ours.
        answered = None if self._settings.translation_provider else self._settings.languages
        belief, switched = follow(
            before, reading.language, text=turn.inbound.text, prior=prior, answered=answered
        )
        turn.context = replace(turn.context, belief=belief)
        turn.event(
            "language.detected",
            language=reading.language.language,
            script=reading.language.script,
            confidence=round(reading.language.confidence, 3),
            romanised=reading.language.romanised,
        )
        if switched and before is not None:
            turn.event("language.switched", to=belief.language, was=before.language)
        self.speak_in(turn, belief.explicit or belief.language)


def _stored_button(
    connection: sa.engine.Connection, conversation: str, wanted: str
) -> QuickReply | None:
    rows = connection.execute(
        sa.select(messages.c.quick_replies)
        .where(messages.c.conversation == conversation, messages.c.author.in_(("bot", "automatic")))
        .order_by(messages.c.created_at.desc())
        .limit(OLD_MESSAGES)
    ).scalars()
    for row in rows:
        for item in row or ():
            if item.get("id") == wanted:
                return QuickReply(**item)
    return None
