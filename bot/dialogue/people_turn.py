"""Turns in which the bot is silent: an agent answers, or the customer waits for one."""

from __future__ import annotations

from bot.conversation.escalation import Decision
from bot.conversation.states import State
from bot.dialogue import remember, turn_events
from bot.dialogue.hear import Heard, Listener
from bot.dialogue.move import Mover
from bot.dialogue.say import introduce_and_say, say
from bot.dialogue.situation import Situation
from bot.dialogue.turn import Turn
from bot.dialogue.word import Wording
from bot.handoff.waiting import LEAVE
from bot.understanding import parse


class PeopleTurn:
    """Handles messages to agents and of waiting customers; one per process.

    Args:
        notice_s: Least seconds between two notices to a customer who waits.
    """

    def __init__(self, listener: Listener, mover: Mover, wording: Wording, notice_s: float) -> None:
        self._listener = listener
        self._mover = mover
        self._wording = wording
        self._notice_s = notice_s

    async def for_agent(self, situation: Situation, turn: Turn) -> None:
        """Add a message to an agent's conversation; the bot is silent."""
        if turn.conversation.state == State.SNOOZED:
            turn.conversation = await self._mover.wake(turn.conversation, turn.inbound)
        self._note(await self._listener.hear_for_agent(situation), situation, turn)

    async def while_waiting(self, situation: Situation, turn: Turn) -> None:
        """Handle a message in the queue: give notices, or return to the bot on "cancel"."""
        heard = await self._listener.hear_waiting(situation)
        self._note(heard, situation, turn)
        version = turn.content_version
        if _cancels(heard):
            turn.conversation = await self._mover.back_to_bot(
                turn.conversation, turn.inbound, version
            )
            cancelled = self._wording.system("utter_cancelled", turn.language)
            introduce_and_say(turn, self._wording, cancelled)
        elif heard.button and heard.button.action == LEAVE:
            turn.conversation = await self._mover.leave_message(
                turn.conversation, turn.inbound, version
            )
            self._confirm_message(turn)
        elif turn.inbound.received_at >= turn.context.noticed_at + self._notice_s:
            await self._send_notice(turn)

    async def _send_notice(self, turn: Turn) -> None:
        """Send a notice with place and estimate, or that the message is kept for later."""
        if turn.conversation.callback_at:
            self._confirm_message(turn)
            return
        queue_status = await self._mover.queue_status(turn.conversation, turn.inbound.received_at)
        say(
            turn,
            self._wording,
            self._wording.queue_status("waiting", queue_status, turn.inbound, turn.language),
        )
        turn.context = remember.noticed(turn.context, turn.inbound)

    def _confirm_message(self, turn: Turn) -> None:
        say(turn, self._wording, self._wording.in_queue("utter_left", turn.language))
        turn.context = remember.noticed(turn.context, turn.inbound)

    @staticmethod
    def _note(heard: Heard, situation: Situation, turn: Turn) -> None:
        """Store the reading of a message that only an agent will answer, for the desk."""
        turn.inbound = heard.inbound
        turn.set_language(heard.language)
        turn_events.heard(turn, heard, situation)
        turn.context = remember.heard(turn.context, heard)
        if heard.reading is not None:
            version = turn.content_version
            turn.reading = parse.understanding(heard.reading, version, Decision("silent"), [])


def _cancels(heard: Heard) -> bool:
    """Tell whether the customer returns to the bot, by button, word or intent."""
    if heard.button and heard.button.action == "cancel":
        return True
    intent = heard.reading.intent if heard.reading else ""
    return "cancel" in (heard.command, intent)
