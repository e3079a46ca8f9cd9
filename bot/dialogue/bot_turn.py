"""The bot's own turn, as a line: hear, decide, answer, move, word, remember (D3, D15).

Each step returns a value and leaves the turn alone; here their outputs are collected.
"""

from __future__ import annotations

from bot.conversation.states import State
from bot.dialogue import happened, remember
from bot.dialogue.answer import Answerer
from bot.dialogue.decide import Choice, bot_failed, decide
from bot.dialogue.hear import Heard, Listener
from bot.dialogue.move import Handoff, Mover
from bot.dialogue.say import introduce_and_say, say
from bot.dialogue.situation import Situation
from bot.dialogue.turn import Turn
from bot.dialogue.word import Wording
from bot.settings import Settings

ALBUM_S = 10.0
"""Pictures sent together come as several messages (Telegram's albums); one answer is enough."""


class BotTurn:
    """Answers messages the bot owns; one per process."""

    def __init__(
        self,
        settings: Settings,
        listener: Listener,
        answerer: Answerer,
        mover: Mover,
        wording: Wording,
    ) -> None:
        self._settings = settings
        self._listener = listener
        self._answerer = answerer
        self._mover = mover
        self._wording = wording

    async def run(self, situation: Situation, turn: Turn) -> None:
        """Fill the turn with replies and events."""
        if situation.inbound.attachments and situation.inbound.text:
            # The words are answered; the rest of the album comes without any.
            turn.context = remember.files(turn.context, situation.inbound)
        heard = await self._listener.hear(situation)
        turn.inbound = heard.inbound
        turn.speak(heard.language)
        happened.heard(turn, heard, situation)
        if heard.is_files_alone:
            self._decline_files(heard, turn)
            return
        choice = decide(heard, situation, self._settings)
        happened.chosen(turn, heard, choice)
        turn.choose(choice)
        turn.context = remember.chosen(turn.context, choice)
        if choice.leaves:
            await self._leave_message(choice, situation, turn)
        else:
            await self._answer(choice, situation, turn)

    async def apologise(self, choice: Choice | None, situation: Situation, turn: Turn) -> None:
        """Say sorry instead of nothing, and let a person take over.

        Args:
            choice: What could not be answered; None where nothing was decided.
        """
        happened.failed(turn)
        choice = bot_failed(choice, situation, self._settings)
        turn.choose(choice)
        sorry = self._wording.system("utter_apology", turn.language)
        introduce_and_say(turn, self._wording, sorry)
        if turn.conversation.state == State.BOT:
            await self._hand_off(choice, situation, turn)
        standing = await self._mover.standing(turn.conversation, turn.inbound.received_at)
        notice = self._wording.standing("handoff", standing, turn.inbound, turn.language)
        say(turn, self._wording, notice)

    async def _answer(self, choice: Choice, situation: Situation, turn: Turn) -> None:
        """Let Rasa answer, act on a handoff it asks for, and word the replies."""
        answer = await self._answerer.answer(choice, turn.inbound, situation)
        turn.tracker = answer.tracker
        outputs = answer.outputs
        if answer.hands_off:
            await self._hand_off(choice, situation, turn)
        if answer.has_failed:
            await self.apologise(choice, situation, turn)
            return
        if answer.hands_off:
            standing = await self._mover.standing(turn.conversation, turn.inbound.received_at)
            notice = self._wording.standing("handoff", standing, turn.inbound, turn.language)
            outputs = answer.with_notice(notice)
        happened.answered_second(turn, choice, answer)
        introduce_and_say(turn, self._wording, *outputs)
        self._conclude(choice, turn)

    async def _hand_off(self, choice: Choice, situation: Situation, turn: Turn) -> None:
        """Put the conversation into the queue, with the cause and numbers of the decision."""
        handoff = Handoff.of(choice, situation.content)
        turn.conversation = await self._mover.hand_off(
            turn.conversation, turn.inbound, handoff, turn.content_version
        )
        turn.context = remember.noticed(turn.context, turn.inbound)

    async def _leave_message(self, choice: Choice, situation: Situation, turn: Turn) -> None:
        """Put the conversation into the queue once more, and do not let the customer wait there:
        they tapped an old notice's button while the bot has the conversation."""
        await self._hand_off(choice, situation, turn)
        turn.conversation = await self._mover.leave_message(
            turn.conversation, turn.inbound, turn.content_version
        )
        left = self._wording.in_queue("utter_left", turn.language)
        introduce_and_say(turn, self._wording, left)
        self._conclude(choice, turn)

    def _decline_files(self, heard: Heard, turn: Turn) -> None:
        """Say that the bot sees no files, and offer a person who does."""
        since_s = heard.inbound.received_at - turn.context.files_at
        turn.context = remember.files(turn.context, heard.inbound)
        if not 0 <= since_s < ALBUM_S:
            offer = self._wording.offer_person("utter_cannot_open", turn.language)
            introduce_and_say(turn, self._wording, offer)

    @staticmethod
    def _conclude(choice: Choice, turn: Turn) -> None:
        """Note what this turn means for the next one, and what the reports need."""
        happened.answered(turn, choice)
        happened.rated(turn, choice)
        turn.context = remember.answered(turn.context, choice, turn.content_version)
        if choice.starts_over:
            turn.tracker = {}
