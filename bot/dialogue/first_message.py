"""What a text would get as the first message of a new conversation, without sending anything.

The text goes the way of a customer's message up to the decision: first look, full reading,
language, choice. Only the wording, which decides nothing, is left out.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from bot.conversation.states import State
from bot.conversation.store import Conversation
from bot.dialogue.context import Context
from bot.dialogue.decide import Choice, answers_second, decide
from bot.dialogue.hear import Heard, with_reading
from bot.dialogue.situation import Situation, first_language
from bot.settings import Settings
from bot.streams.messages import Inbound
from bot.understanding.budget import Budget
from bot.understanding.service import Knowledge, Reading, Understander

_CHANNEL = ""
"""No channel's: wording, the only thing that a channel changes, is left out."""


@dataclass(frozen=True)
class FirstMessage:
    """A text, how it was read, and what the bot chose to do."""

    reading: Reading
    choice: Choice
    also: str
    """Entry answered beside the first; empty where one is answered."""

    @property
    def kind(self) -> str:
        """Return `answer`, `clarify` or `handoff`."""
        return self.choice.decision.kind if self.choice.decision else "answer"

    @property
    def entries(self) -> tuple[str, ...]:
        """List the entries the customer is given, in order."""
        choice = self.choice
        if self.kind == "answer":
            given = (choice.entry, self.also) if choice.intent == "faq" else ()
        elif self.kind == "handoff":
            given = (choice.entry if choice.answers_first else "", self.also)
        else:
            given = ()
        return tuple(entry for entry in given if entry)

    @property
    def offered(self) -> tuple[str, ...]:
        """List what the customer may tap when the bot asks back."""
        if self.choice.intent != "clarify":
            return ()
        return tuple((self.choice.understanding or {}).get("choices", ()))

    def to_dict(self) -> dict[str, Any]:
        """Shape for `evaluate messages --json` and `parse`."""
        entries, belief = self.entries, self.choice.belief
        return {
            "kind": self.kind,
            "cause": self.choice.cause.value if self.choice.cause else None,
            "intent": self.choice.intent,
            "entry": entries[0] if entries else None,
            "also": entries[1] if len(entries) > 1 else None,
            "offered": list(self.offered),
            "language": belief.language if belief else self.reading.language.language,
            "answered_in": self.choice.language,
        }


class FirstMessages:
    """Chooses for texts as if each opened a conversation of its own."""

    def __init__(
        self, understander: Understander, knowledge: Knowledge, settings: Settings
    ) -> None:
        self._understander = understander
        self._knowledge = knowledge
        self._settings = settings

    def choose(self, text: str, locale: str = "") -> FirstMessage:
        """Read a text and choose.

        Args:
            locale: What the channel would report, such as "hi-IN"; empty for nothing.
        """
        situation = self._situation(text, locale)
        budget = Budget(self._settings.understanding_s)
        reading = self._understander.understand(text, self._knowledge, budget=budget)
        heard = Heard(situation.inbound, situation.language)
        command = self._understander.command(text)
        heard = with_reading(heard, situation, reading, command, self._settings)
        choice = decide(heard, situation, self._settings)
        also = choice.also if answers_second(choice, situation) else ""
        return FirstMessage(reading, choice, also)

    def _situation(self, text: str, locale: str) -> Situation:
        now = time.time()
        inbound = Inbound(
            "message", "conversation", _CHANNEL, "", "", text, received_at=now, locale=locale
        )
        conversation = Conversation(
            id="conversation",
            channel=_CHANNEL,
            account="",
            vendor_user="",
            customer_id="",
            state=State.BOT,
            version=1,
            owner=None,
            episode_id="episode",
            episode_started_at=now,
            stint=1,
            language=first_language(locale, self._settings),
            priority=0,
            cause=None,
            cause_detail=None,
            waiting_since=None,
            last_message_at=now,
            last_change=None,
            sentiment=None,
        )
        return Situation(inbound, conversation, Context(), {}, self._knowledge)
