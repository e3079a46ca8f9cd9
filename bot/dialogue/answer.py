"""Answer: let Rasa choose the responses to a decision, and the NLG word them.

Nothing happens here. A handoff comes back as a value: an action of Rasa's asks for it by uttering
`HANDOFF`, and the turn acts on it afterwards (bot.dialogue.move).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import structlog
from rasa.core.channels.channel import UserMessage

from bot.content.models import PERSON
from bot.dialogue import replay
from bot.dialogue.asking import Asking, Tracker, Voice, under_way
from bot.dialogue.decide import Choice
from bot.dialogue.engine import CollectingChannel, Engine
from bot.dialogue.nlg import FAILED
from bot.dialogue.situation import Situation
from bot.errors import SamvadError
from bot.streams.messages import Inbound

LOG = structlog.get_logger(__name__)

Output = Mapping[str, Any]
"""What Rasa sends: keys of `bot.dialogue.nlg`, and `utter_action`."""
HANDOFF = "utter_handoff"
"""Response by which an action passes the customer on; the turn puts the place in the queue in."""


@dataclass(frozen=True)
class Answer:
    """What is said to a message, in order."""

    outputs: tuple[Output, ...]
    tracker: Tracker
    """As Rasa left it."""
    second: Output | None = None
    """The output that answers a second question in the message."""

    @property
    def has_failed(self) -> bool:
        """Tell whether the customer would hear nothing, or not what was meant."""
        return not self.outputs or any(output.get(FAILED) for output in self.outputs)

    @property
    def hands_off(self) -> bool:
        """Tell whether an action asked for a person."""
        return any(output.get("utter_action") == HANDOFF for output in self.outputs)

    def with_notice(self, notice: Output) -> tuple[Output, ...]:
        """Put a notice of the queue where an action asked for a person, in place of its words.

        What the action sends along, such as cards, stays.
        """
        return tuple(
            {**output, **notice} if output.get("utter_action") == HANDOFF else output
            for output in self.outputs
        )


class Answerer:
    """Asks Rasa; one per process."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._replays = replay.Replays()

    async def answer(self, choice: Choice, inbound: Inbound, situation: Situation) -> Answer:
        """Find the words for a choice; silence counts as a failure."""
        if not choice.intent:
            return Answer((), situation.tracker)
        voice = voice_of(choice, inbound, situation)
        slots = {**situation.tracker.get("slots", {}), "language": choice.language}
        asking = Asking(voice, {**situation.tracker, "slots": slots})
        with under_way(asking):
            outputs = await self._ask(asking, choice, inbound)
            answer = Answer(tuple(outputs), asking.tracker)
            if answer.has_failed or not answers_second(choice, situation):
                return answer
            return await self._with_second(answer, choice, inbound.channel)

    async def _ask(self, asking: Asking, choice: Choice, inbound: Inbound) -> list[dict[str, Any]]:
        """Play what Rasa decided before in the same state, or ask it."""
        before = asking.tracker
        if plan := self._replays.find(before, choice.parsed):
            asking.tracker, outputs = await replay.play(
                plan,
                before,
                choice.parsed,
                nlg=self._engine.nlg,
                channel=inbound.channel,
                message=inbound.id,
            )
            return outputs
        channel = CollectingChannel(inbound.channel)
        message = UserMessage(
            text=inbound.text or choice.intent,
            output_channel=channel,
            sender_id=inbound.conversation,
            input_channel=inbound.channel,
            message_id=inbound.id,
            parse_data=choice.parsed,
        )
        try:
            await self._engine.handle_message(message)
        except SamvadError:
            raise  # a store is away: the turn is run again
        except Exception:
            LOG.exception("engine.failed", conversation=inbound.conversation)
            return []
        self._replays.learn(before, asking.tracker, choice.parsed, channel.messages)
        return channel.messages

    async def _with_second(self, answer: Answer, choice: Choice, channel: str) -> Answer:
        """Add the answer to a second question, or put it before a handoff; only the last message
        keeps its buttons, as channels show no others."""
        utter = f"utter_faq/{choice.also}"
        made = await self._engine.nlg.generate(utter, None, channel)
        if not made or made.get(FAILED):
            return answer
        second = {**made, "utter_action": utter}
        if choice.hands_off:
            first = {**second, "quick_replies": []}
            return replace(answer, outputs=(first, *answer.outputs), second=second)
        others = [{**output, "quick_replies": []} for output in answer.outputs]
        return replace(answer, outputs=(*others, second), second=second)


def voice_of(choice: Choice, inbound: Inbound, situation: Situation) -> Voice:
    """How answers to this message are worded."""
    named = {"language_name": choice.language_name} if choice.language_name else {}
    return Voice(
        language=choice.language,
        content=situation.content,
        today=situation.today,
        text=inbound.text,
        belief=choice.belief,
        values=named,
    )


def answers_second(choice: Choice, situation: Situation) -> bool:
    """Tell whether the other question of a message is answered as well.

    Where one of them needs a person, only what the bot can answer by itself goes in front.
    """
    if not choice.also or choice.intent == "faq":
        return bool(choice.also)
    by_bot = situation.content.by_id[choice.also].policy != PERSON
    return choice.intent == "handoff" and choice.answers_first and by_bot
