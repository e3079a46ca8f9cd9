"""First step of a turn: finds the tapped button, or understands the text in a thread."""

from __future__ import annotations

from dataclasses import dataclass, replace

import sqlalchemy as sa
import structlog

from bot.dialogue.reading_thread import Priority, ReadingThread
from bot.dialogue.situation import Situation, answer_language
from bot.errors import LeaseLost
from bot.language.follow import Belief, follow
from bot.settings import Settings
from bot.stores.database import Database
from bot.stores.tables import messages
from bot.streams.attempts import FREE_LOSSES
from bot.streams.inbox import LONG
from bot.streams.messages import Inbound, QuickReply
from bot.understanding.budget import Budget
from bot.understanding.service import Reading, Understander

LOG = structlog.get_logger(__name__)
OLD_MESSAGES = 200
"""How many messages are searched for an old button."""


@dataclass(frozen=True)
class Heard:
    """Result of reading a message: button, or reading and language."""

    inbound: Inbound
    """The message; its text is the title of the tapped button where the vendor sends none."""
    language: str
    """Language to answer in from here on."""
    button: QuickReply | None = None
    """Tapped, or typed by its title or number."""
    reading: Reading | None = None
    """Reading of the text; None where nothing was read."""
    failed: bool = False
    """Whether understanding raised an error."""
    command: str = ""
    """Dialogue intent of a word the bot told the customer to write."""
    belief: Belief | None = None
    """The customer's language, as concluded so far."""
    switched: bool = False
    """Whether that language has changed with this message."""

    @property
    def is_unknown_tap(self) -> bool:
        """Tell whether a button was tapped that is forged, or from another conversation."""
        return bool(self.inbound.tap) and self.button is None and not self.inbound.text

    @property
    def is_files_alone(self) -> bool:
        """Tell whether the message has files, and neither text nor a tap."""
        inbound = self.inbound
        return (
            bool(inbound.attachments)
            and not (inbound.text or inbound.tap)
            and inbound.kind != "start"
        )


class Listener:
    """Reads messages for turns; one per process."""

    def __init__(self, settings: Settings, database: Database, understander: Understander) -> None:
        self._settings = settings
        self._database = database
        self._understander = understander
        self.reading_thread = ReadingThread()

    async def hear(self, situation: Situation) -> Heard:
        """Read a message that the bot answers: its button, or else its text."""
        heard = Heard(situation.inbound, situation.language, belief=situation.context.belief)
        if situation.inbound.kind == "start":
            return heard
        heard = await self._with_button(heard, situation)
        if heard.button or heard.is_unknown_tap or heard.is_files_alone:
            return heard
        return await self._with_words(heard, situation)

    async def hear_waiting(self, situation: Situation) -> Heard:
        """Read a message of a customer in the queue: its button, and its text or title."""
        heard = Heard(situation.inbound, situation.language, belief=situation.context.belief)
        heard = await self._with_button(heard, situation)
        if heard.inbound.text:
            heard = await self._with_words(heard, situation)
        if heard.reading:
            return heard
        return replace(heard, command=self._understander.command(heard.inbound.text))

    async def hear_for_agent(self, situation: Situation) -> Heard:
        """Read the text of a message that an agent answers, for the desk."""
        heard = Heard(situation.inbound, situation.language, belief=situation.context.belief)
        return await self._with_words(heard, situation) if situation.inbound.text else heard

    async def _with_button(self, heard: Heard, situation: Situation) -> Heard:
        """Look up this conversation's button that was tapped, or whose title was typed."""
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
            command = self._understander.command(heard.inbound.text)
            return with_reading(heard, situation, reading, command, self._settings)
        except LeaseLost:
            raise  # somebody else answers
        except Exception:
            LOG.exception("understanding.failed", conversation=situation.conversation.id)
            return replace(heard, failed=True)

    async def _read(self, text: str, situation: Situation) -> Reading:
        # A first look takes a millisecond, less than passing it to the thread under load.
        knowledge = situation.knowledge
        glance = self._understander.glance(text, knowledge, situation.context.negative_mean)
        if glance.reading is not None:
            return glance.reading
        budget_s = self._settings.understanding_s
        return await self.reading_thread.run(
            lambda: self._understander.read(text, knowledge, glance, Budget(budget_s)),
            _priority(text, situation),
        )


def with_reading(
    heard: Heard, situation: Situation, reading: Reading, command: str, settings: Settings
) -> Heard:
    """Add the reading of the text, and the language that follows from it."""
    inbound, before = heard.inbound, situation.context.belief
    belief, switched = follow(
        before,
        reading.language,
        text=inbound.text,
        prior=inbound.locale or situation.language,
        # With a translator the bot answers in any language.
        answer_languages=None if settings.translation_provider else settings.languages,
    )
    return replace(
        heard,
        reading=reading,
        command=command,
        belief=belief,
        switched=switched and before is not None,
        language=answer_language(belief.explicit or belief.language, settings),
    )


def _priority(text: str, situation: Situation) -> Priority:
    if situation.losses >= FREE_LOSSES:
        return Priority.SUSPECT
    return Priority.LONG if len(text) > LONG else Priority.SHORT


def _stored_button(
    connection: sa.engine.Connection, conversation: str, button_id: str
) -> QuickReply | None:
    """Find an old button in the messages the conversation was sent."""
    rows = connection.execute(
        sa.select(messages.c.quick_replies)
        .where(messages.c.conversation == conversation, messages.c.author.in_(("bot", "automatic")))
        .order_by(messages.c.created_at.desc())
        .limit(OLD_MESSAGES)
    ).scalars()
    for row in rows:
        for item in row or ():
            if item.get("id") == button_id:
                return QuickReply(**item)
    return None
