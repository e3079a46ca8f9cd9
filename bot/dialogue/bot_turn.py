"""The bot's own turn, in steps: hear, decide, answer, move, word, remember.

Each step returns a value and does not change the turn; this file collects the values in the turn.
"""

from __future__ import annotations

from bot.conversation.states import State
from bot.dialogue import remember, turn_events
from bot.dialogue.answer import Answerer, Output
from bot.dialogue.decide import Choice, bot_failed, decide
from bot.dialogue.hear import Heard, Listener
from bot.dialogue.move import Handoff, Mover
from bot.dialogue.say import introduce_and_say, say
from bot.dialogue.situation import Situation
from bot.dialogue.turn import Turn
from bot.dialogue.word import Wording
from bot.handoff.allowance import HandoffAllowance
from bot.settings import Settings

ALBUM_S = 10.0
"""Time in which pictures count as sent together (Telegram's albums); they get one answer."""


class BotTurn:
    """Answers messages of conversations the bot owns; one per process."""

    def __init__(
        self,
        settings: Settings,
        listener: Listener,
        answerer: Answerer,
        mover: Mover,
        wording: Wording,
        allowance: HandoffAllowance,
    ) -> None:
        self._allowance = allowance
        self._settings = settings
        self._listener = listener
        self._answerer = answerer
        self._mover = mover
        self._wording = wording

    async def run(self, situation: Situation, turn: Turn) -> None:
        """Add replies and events to the turn."""
        if situation.inbound.attachments and situation.inbound.text:
            # The text is answered; the other pictures of the album come without text.
            turn.context = remember.files(turn.context, situation.inbound)
        heard = await self._listener.hear(situation)
        turn.inbound = heard.inbound
        turn.set_language(heard.language)
        turn_events.heard(turn, heard, situation)
        if heard.is_files_alone:
            self._decline_files(heard, turn)
            return
        choice = decide(heard, situation, self._settings)
        turn_events.chosen(turn, heard, choice)
        turn.set_choice(choice)
        turn.context = remember.chosen(turn.context, choice)
        if choice.leaves:
            await self._leave_message(choice, situation, turn)
        else:
            await self._answer(choice, situation, turn)

    async def apologise(self, choice: Choice | None, situation: Situation, turn: Turn) -> None:
        """Reply with an apology, and hand off to a person.

        Args:
            choice: The choice that failed; None where nothing was decided.
        """
        turn_events.failed(turn)
        choice = bot_failed(choice, situation, self._settings)
        turn.set_choice(choice)
        sorry = self._wording.system("utter_apology", turn.language)
        introduce_and_say(turn, self._wording, sorry)
        if turn.conversation.state == State.BOT:
            await self._hand_off(choice, situation, turn)
        say(turn, self._wording, await self._handoff_notice(turn))

    async def _answer(self, choice: Choice, situation: Situation, turn: Turn) -> None:
        """Get Rasa's answer, act on a handoff it requests, and word the replies."""
        answer = await self._answerer.answer(choice, turn.inbound, situation)
        turn.tracker = answer.tracker
        outputs = answer.outputs
        if answer.hands_off:
            await self._hand_off(choice, situation, turn)
        if answer.has_failed:
            await self.apologise(choice, situation, turn)
            return
        if answer.hands_off:
            outputs = answer.with_notice(await self._handoff_notice(turn))
        turn_events.answered_second(turn, choice, answer)
        introduce_and_say(turn, self._wording, *outputs)
        self._conclude(choice, turn)

    async def _hand_off(self, choice: Choice, situation: Situation, turn: Turn) -> None:
        """Put the conversation into the queue, with the cause and numbers of the decision.

        Where many chats of the same address wait already, it is left there as a message.
        """
        turn.conversation = await self._mover.hand_off(
            turn.conversation,
            turn.inbound,
            Handoff.of(choice, situation.content),
            turn.content_version,
            as_message=not await self._allowance.has_room(turn.inbound),
        )
        turn.context = remember.noticed(turn.context, turn.inbound)

    async def _handoff_notice(self, turn: Turn) -> Output:
        """Word the place in the queue, or that this message's handoff is left as a message."""
        if turn.conversation.callback_at == turn.inbound.received_at:
            return self._wording.in_queue("utter_left", turn.language)
        queue_status = await self._mover.queue_status(turn.conversation, turn.inbound.received_at)
        return self._wording.queue_status("handoff", queue_status, turn.inbound, turn.language)

    async def _leave_message(self, choice: Choice, situation: Situation, turn: Turn) -> None:
        """Put the conversation into the queue as a message that is answered later.

        The customer tapped the button of an old notice while the bot has the conversation.
        """
        await self._hand_off(choice, situation, turn)
        if not turn.conversation.callback_at:
            turn.conversation = await self._mover.leave_message(
                turn.conversation, turn.inbound, turn.content_version
            )
        output = self._wording.in_queue("utter_left", turn.language)
        introduce_and_say(turn, self._wording, output)
        self._conclude(choice, turn)

    def _decline_files(self, heard: Heard, turn: Turn) -> None:
        """Reply that the bot cannot open files, and offer a person who can."""
        since_s = heard.inbound.received_at - turn.context.files_at
        turn.context = remember.files(turn.context, heard.inbound)
        if not 0 <= since_s < ALBUM_S:
            offer = self._wording.offer_person("utter_cannot_open", turn.language)
            introduce_and_say(turn, self._wording, offer)

    @staticmethod
    def _conclude(choice: Choice, turn: Turn) -> None:
        """Note what the next turn and the reports need to know of this one."""
        turn_events.answered(turn, choice)
        turn_events.rated(turn, choice)
        turn.context = remember.answered(turn.context, choice, turn.content_version)
        if choice.starts_over:
            turn.tracker = {}
