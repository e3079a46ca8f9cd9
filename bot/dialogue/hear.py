"""Hear a message: the button that was tapped, or the words, read off the event loop."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import sqlalchemy as sa
import structlog

from bot.dialogue.situation import Situation, spoken
from bot.language.follow import Belief, follow
from bot.settings import Settings
from bot.stores.database import Database
from bot.stores.tables import messages
from bot.streams.messages import Inbound, QuickReply
from bot.understanding.service import Reading, Understander

LOG = structlog.get_logger(__name__)
OLD_MESSAGES = 200
"""How far back an old button is looked for."""


@dataclass(frozen=True)
class Heard:
    """What a message says."""

    inbound: Inbound
    """With the title of the tapped button as its text, where the vendor sends none."""
    language: str
    """Language to answer in from here on."""
    button: QuickReply | None = None
    """Tapped, or typed by its title or number."""
    reading: Reading | None = None
    """Of the words; None where nothing had to be read."""
    failed: bool = False
    """The understanding raised."""
    command: str = ""
    """Dialogue intent of a word that we told the customer to write."""
    belief: Belief | None = None
    """Which language the customer is taken to speak."""
    switched: bool = False
    """The language they are taken to speak is another one than before."""

    @property
    def is_unknown_tap(self) -> bool:
        """Tell whether a button was tapped that is forged, or from another conversation."""
        return bool(self.inbound.tap) and self.button is None and not self.inbound.text

    @property
    def is_files_alone(self) -> bool:
        """Tell whether files came, and neither words nor a tap."""
        came = self.inbound
        return bool(came.attachments) and not (came.text or came.tap) and came.kind != "start"


class Listener:
    """Hears messages; one per process."""

    def __init__(self, settings: Settings, database: Database, understander: Understander) -> None:
        self._settings = settings
        self._database = database
        self._understander = understander
        # One thread: the embedding uses the core it runs on, and order of arrival is fair.
        self._thinking = ThreadPoolExecutor(1, thread_name_prefix="understand")

    async def hear(self, situation: Situation) -> Heard:
        """Hear a message that the bot answers: a button, or else the words."""
        heard = Heard(situation.inbound, situation.language, belief=situation.context.belief)
        if situation.inbound.kind == "start":
            return heard
        heard = await self._with_button(heard, situation)
        if heard.button or heard.is_unknown_tap or heard.is_files_alone:
            return heard
        return await self._with_words(heard, situation)

    async def hear_waiting(self, situation: Situation) -> Heard:
        """Hear a message of a customer in the queue: a button, and its title read like words."""
        heard = Heard(situation.inbound, situation.language, belief=situation.context.belief)
        heard = await self._with_button(heard, situation)
        if heard.inbound.text:
            heard = await self._with_words(heard, situation)
        if heard.reading:
            return heard
        return replace(heard, command=self._understander.command(heard.inbound.text))

    async def overhear(self, situation: Situation) -> Heard:
        """Read the words of a message that an agent answers, so that the desk can show how."""
        heard = Heard(situation.inbound, situation.language, belief=situation.context.belief)
        return await self._with_words(heard, situation) if situation.inbound.text else heard

    async def _with_button(self, heard: Heard, situation: Situation) -> Heard:
        """Look a button up that was tapped, or whose title was typed; only their own."""
        inbound = heard.inbound
        if not inbound.tap:
            button = situation.context.typed(inbound.text)
            return replace(heard, button=button) if button else heard
        button = situation.context.find(inbound.tap)
        if button is None:
            button = await self._database.read(
                lambda c: _stored_button(c, inbound.conversation, inbound.tap)
            )
        if button is None:
            return heard
        if not inbound.text:
            inbound = replace(inbound, text=button.title)
        return replace(heard, inbound=inbound, button=button)

    async def _with_words(self, heard: Heard, situation: Situation) -> Heard:
        """Understand the text and follow its language."""
        try:
            reading = await self._read(heard.inbound.text, situation)
            belief, switched = self._follow(heard.inbound, reading, situation)
        except Exception:
            LOG.exception("understanding.failed", conversation=situation.conversation.id)
            return replace(heard, failed=True)
        return replace(
            heard,
            reading=reading,
            command=self._understander.command(heard.inbound.text),
            belief=belief,
            switched=switched,
            language=spoken(belief.explicit or belief.language, self._settings),
        )

    async def _read(self, text: str, situation: Situation) -> Reading:
        # A glance takes a millisecond: less than handing it to the thread and back under load.
        knowledge = situation.knowledge
        glance = self._understander.glance(text, knowledge, situation.context.negative_mean)
        if glance.reading is not None:
            return glance.reading
        return await asyncio.get_running_loop().run_in_executor(
            self._thinking, self._understander.read, text, knowledge, glance
        )

    def _follow(
        self, inbound: Inbound, reading: Reading, situation: Situation
    ) -> tuple[Belief, bool]:
        before = situation.context.belief
        # A translator answers in languages that are not ours.
        answered = None if self._settings.translation_provider else self._settings.languages
        belief, switched = follow(
            before,
            reading.language,
            text=inbound.text,
            prior=inbound.locale or situation.language,
            answer_languages=answered,
        )
        return belief, switched and before is not None


def _stored_button(
    connection: sa.engine.Connection, conversation: str, wanted: str
) -> QuickReply | None:
    """Find an old button in what the conversation was sent."""
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
