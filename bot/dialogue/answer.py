"""Answers: Rasa chooses the responses to a decision, and our NLG words them.

This step changes nothing. A handoff comes back as a value: an action requests it by uttering
`HANDOFF`, and the turn acts on it afterwards (bot.dialogue.move).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import structlog
from rasa.core.channels.channel import UserMessage

from bot.dialogue import replay
from bot.dialogue.decide import Choice, answers_second
from bot.dialogue.engine import CollectingChannel, Engine
from bot.dialogue.nlg import FAILED
from bot.dialogue.rasa_call import AnswerOptions, RasaCall, Tracker, calling_rasa
from bot.dialogue.situation import Situation
from bot.errors import SamvadError
from bot.streams.messages import Inbound

LOG = structlog.get_logger(__name__)

Output = Mapping[str, Any]
"""What Rasa sends: keys of `bot.dialogue.nlg`, and `utter_action`."""
HANDOFF = "utter_handoff"
"""Response by which an action hands off; the turn replaces it by a notice with the queue place."""


@dataclass(frozen=True)
class Answer:
    """Rasa's outputs for a message, in order."""

    outputs: tuple[Output, ...]
    tracker: Tracker
    """The tracker after Rasa's answer."""
    second: Output | None = None
    """The output that answers a second question in the message."""

    @property
    def has_failed(self) -> bool:
        """Tell whether there is no output, or one that failed."""
        return not self.outputs or any(output.get(FAILED) for output in self.outputs)

    @property
    def hands_off(self) -> bool:
        """Tell whether an action requested a handoff."""
        return any(output.get("utter_action") == HANDOFF for output in self.outputs)

    def with_notice(self, notice: Output) -> tuple[Output, ...]:
        """Replace the words of a handoff request by a notice of the queue.

        What the action sends with it, such as cards, stays.
        """
        return tuple(
            {**output, **notice} if output.get("utter_action") == HANDOFF else output
            for output in self.outputs
        )


class Answerer:
    """Gets answers from Rasa; one per process."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._replays = replay.Replays()

    async def answer(self, choice: Choice, inbound: Inbound, situation: Situation) -> Answer:
        """Get the outputs for a choice; no output counts as a failure."""
        if not choice.intent:
            return Answer((), situation.tracker)
        options = options_of(choice, inbound, situation)
        slots = {**situation.tracker.get("slots", {}), "language": choice.language}
        call = RasaCall(options, {**situation.tracker, "slots": slots})
        with calling_rasa(call):
            outputs = await self._call_rasa(call, choice, inbound)
            answer = Answer(tuple(outputs), call.tracker)
            if answer.has_failed or not answers_second(choice, situation):
                return answer
            return await self._with_second(answer, choice, inbound.channel)

    async def _call_rasa(
        self, call: RasaCall, choice: Choice, inbound: Inbound
    ) -> list[dict[str, Any]]:
        """Replay what Rasa decided before in the same state, or call Rasa."""
        tracker_before = call.tracker
        if plan := self._replays.find(tracker_before, choice.parsed):
            call.tracker, outputs = await replay.play(
                plan,
                tracker_before,
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
            raise  # a store is down: the turn is run again
        except Exception:
            LOG.exception("engine.failed", conversation=inbound.conversation)
            return []
        self._replays.learn(tracker_before, call.tracker, choice.parsed, channel.messages)
        return channel.messages

    async def _with_second(self, answer: Answer, choice: Choice, channel: str) -> Answer:
        """Add the answer to a second question, before a handoff if there is one.

        Only the last message keeps its buttons, as channels show no others.
        """
        utter = f"utter_faq/{choice.also}"
        generated = await self._engine.nlg.generate(utter, None, channel)
        if not generated or generated.get(FAILED):
            return answer
        second = {**generated, "utter_action": utter}
        if choice.hands_off:
            first = {**second, "quick_replies": []}
            return replace(answer, outputs=(first, *answer.outputs), second=second)
        without_buttons = [{**output, "quick_replies": []} for output in answer.outputs]
        return replace(answer, outputs=(*without_buttons, second), second=second)


def options_of(choice: Choice, inbound: Inbound, situation: Situation) -> AnswerOptions:
    """Return how answers to this message are worded."""
    values = {"language_name": choice.language_name} if choice.language_name else {}
    return AnswerOptions(
        language=choice.language,
        content=situation.content,
        today=situation.today,
        text=inbound.text,
        belief=choice.belief,
        values=values,
    )
