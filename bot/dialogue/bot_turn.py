"""The bot's own turn: what was said, what to do, what Rasa answers (D3, D15)."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import structlog
from rasa.core.channels.channel import UserMessage

from bot.content.models import PERSON
from bot.conversation.escalation import Decision, Signals, decide
from bot.conversation.states import Cause, State
from bot.dialogue import replay
from bot.dialogue import turn as turns
from bot.dialogue.context import Context
from bot.dialogue.engine import CollectingChannel, Engine
from bot.dialogue.hearing import Hearing
from bot.dialogue.nlg import FAILED
from bot.dialogue.queueing import Queueing
from bot.dialogue.turn import Turn
from bot.dialogue.wording import Wording
from bot.errors import SamvadError
from bot.handoff.waiting import LEAVE, notice
from bot.language import codes
from bot.language.follow import choose
from bot.routing.queue import QueuePlace
from bot.settings import Settings
from bot.streams.messages import QuickReply
from bot.understanding import parse
from bot.understanding.mood.sentiment import running_mean
from bot.understanding.service import Reading

LOG = structlog.get_logger(__name__)

ALBUM_S = 10.0
"""Pictures sent together come as several messages (Telegram's albums); one answer is enough."""


class BotTurn:
    """Answers messages the bot owns; one a process."""

    def __init__(
        self,
        settings: Settings,
        engine: Engine,
        hearing: Hearing,
        queueing: Queueing,
        wording: Wording,
    ) -> None:
        self._settings = settings
        self._engine = engine
        self._hearing = hearing
        self._queueing = queueing
        self._wording = wording
        self._recall = replay.Recall()

    async def run(self, turn: Turn) -> None:
        """Fill the turn with replies and events."""
        turn.handoff = lambda: self._hand_off(turn)
        if turn.inbound.attachments and turn.inbound.text:
            # The words are answered; the rest of the album comes without any.
            turn.context = replace(turn.context, files_at=turn.inbound.received_at)
        if turn.inbound.kind == "start":
            parsed = _parsed("greet")
        elif button := await self._hearing.button(turn):
            _note_tap(turn, button)
            if button.action == LEAVE:
                await self._leave_message(turn)
                return
            parsed = self._tapped(turn, button)
        elif turn.inbound.tap and not turn.inbound.text:
            # Forged, or from another conversation: there is nothing to act on.
            turn.event("message.refused", actor="customer", reason="unknown-quick-reply")
            turn.decision = Decision("clarify", Cause.LOW_CONFIDENCE, failed=True)
            parsed = _parsed("clarify")
        elif turn.inbound.attachments and not turn.inbound.text:
            self._decline_files(turn)
            return
        else:
            parsed = await self._typed(turn)
        turn.values["hours"] = self._wording.hours(turn)
        await self._speak(turn, parsed)

    async def apologise(self, turn: Turn) -> None:
        """Never silence: say sorry, and let a person take over."""
        turn.event("turn.failed", reason="no-output")
        turn.decision = decide(Signals(bot_failed=True), self._settings.thresholds)
        turn.replies.clear()
        self._wording.introduce(turn)
        self._wording.say(turn, "utter_apology")
        if turn.conversation.state == State.BOT:
            place = await self._queueing.enter(turn)
        else:
            place, turn.attendance = await self._queueing.place(turn)
        name, values = notice("handoff", place, self._wording.hours(turn))
        self._wording.say(turn, name, cancel=True, **values)

    def _decline_files(self, turn: Turn) -> None:
        """Say that the bot sees no files, and offer a person who does."""
        since_s = turn.inbound.received_at - turn.context.files_at
        turn.context = replace(turn.context, files_at=turn.inbound.received_at)
        if 0 <= since_s < ALBUM_S:
            return
        self._wording.introduce(turn)
        self._wording.offer_person(turn, "utter_cannot_open")

    async def _leave_message(self, turn: Turn) -> None:
        """An old notice's button, while the bot has the conversation: into the queue once more,
        and not waited for there."""
        asked = Signals(confidence=1.0, asked_for_person=True, tapped=True)
        turn.decision = decide(asked, self._settings.thresholds)
        await self._queueing.enter(turn)
        await self._queueing.leave_message(turn)
        self._wording.introduce(turn)
        self._wording.say(turn, "utter_left", cancel=True)
        self._remember(turn, "handoff")

    async def _hand_off(self, turn: Turn) -> QueuePlace:
        place = await self._queueing.enter(turn)
        turn.values["hours"] = self._wording.hours(turn)
        return place

    # — hearing —

    async def _typed(self, turn: Turn) -> dict[str, Any]:
        try:
            reading = await self._hearing.read(turn)
        except Exception:
            LOG.exception("understanding.failed", conversation=turn.conversation.id)
            turn.event("turn.failed", ordinal=":understanding", reason="understanding")
            return _parsed("")
        known = turn.context
        mean = running_mean(known.negative_mean, reading.sentiment.negative)
        turn.context = replace(known, negative_mean=mean, negative_count=known.negative_count + 1)
        # A word we told the customer to write means what we said it means.
        commanded = self._hearing.command(turn.inbound.text)
        intent = _after_answer(commanded or reading.intent, known.answered)
        turn.not_helped = intent == "not_helped"
        named = codes.language_named_in(turn.inbound.text)
        content = turn.knowledge.content
        if intent == "faq" and not content.answers(reading.entry, turn.today):
            intent = ""  # out of its dates: there is nothing to answer with
        second = intent == "faq" and content.answers(reading.also, turn.today)
        also = reading.also if second else ""
        signals = parse.signals(
            reading,
            content,
            also=also,
            intent="change_language" if named else intent,
            asked_for_person=intent == "ask_human"
            or (named is not None and codes.person_named_in(turn.inbound.text)),
            not_helped=turn.not_helped,
            negative_mean=mean,
            negative_count=turn.context.negative_count,
            failures=known.failures,
            wordless=_is_wordless(turn.inbound.text),
        )
        decision = decide(signals, self._settings.thresholds)
        offered = parse.choices(reading, content, turn.today)
        turn.decision = decision
        if intent == "faq":
            # The one that needs a person is what the message is about, wherever it stands.
            turn.entry = signals.entry
            turn.also = also if turn.entry == reading.entry else reading.entry
        turn.reading = parse.understanding(reading, content.number, decision, offered)
        self._log_reading(turn, reading, decision)
        if named and decision.kind != "handoff":
            return self._change_language(turn, named)
        return self._choose(turn, reading, decision, intent, offered)

    def _choose(
        self,
        turn: Turn,
        reading: Reading,
        decision: Decision,
        intent: str,
        offered: list[str],
    ) -> dict[str, Any]:
        """Name the intent Rasa's rules act on."""
        if decision.kind == "handoff":
            return _parsed("handoff", reading, turn.reading)
        if decision.kind == "clarify":
            if intent == "not_helped":
                return _parsed("not_helped", reading)
            if not decision.failed and reading.sentiment.label != "negative":
                # A thumb or a sticker asks nothing: neither do we ask what it meant.
                turn.decision = Decision("answer")
                return _parsed("affirm", reading)
            outside = intent == "out_of_scope" and not offered
            return _parsed("out_of_scope" if outside else "clarify", reading, turn.reading)
        if intent == "faq":
            return {**_parsed("faq", reading, turn.reading), **parse.parse_intent(reading)}
        return _parsed(intent, reading, turn.reading)

    def _tapped(self, turn: Turn, button: QuickReply) -> dict[str, Any]:
        action, content = button.action, turn.knowledge.content
        offered = content.answers(button.entry, turn.today)
        entry = content.by_id[button.entry] if offered else None
        turn.not_helped = action == "not-helped"
        signals = Signals(
            intent="faq" if button.entry else "",
            entry=button.entry,
            entry_needs_person=bool(entry and entry.policy == "person"),
            confidence=1.0,
            asked_for_person=action == "person",
            not_helped=turn.not_helped,
            failures=turn.context.failures,
            tapped=True,
        )
        turn.decision = decide(signals, self._settings.thresholds)
        if turn.decision.kind == "handoff":
            turn.entry = button.entry
            return _parsed("handoff")
        if action.startswith("language:"):
            return self._change_language(turn, action.removeprefix("language:"))
        if entry is not None:
            turn.entry = entry.id
            return {
                **_parsed("faq"),
                "response_selector": parse.response_selector(entry.id, 1.0),
            }
        if button.entry:
            # The entry has gone or ended since the button was shown.
            turn.decision = Decision("clarify", Cause.LOW_CONFIDENCE)
        intents = {"helped": "helped", "not-helped": "not_helped", "cancel": "cancel"}
        return _parsed(intents.get(action, "clarify"))

    def _change_language(self, turn: Turn, language: str) -> dict[str, Any]:
        turn.values["language_name"] = codes.name(language)
        turn.decision = Decision("answer")
        if language not in self._settings.languages:
            return _parsed("language_unsupported")
        turn.context = replace(turn.context, belief=choose(turn.context.belief, language))
        turn.event("language.switched", ordinal=":explicit", to=language, explicit=True)
        self._hearing.speak_in(turn, language)
        return _parsed("change_language")

    # — speaking —

    async def _speak(self, turn: Turn, parsed: dict[str, Any]) -> None:
        """Let Rasa choose and the NLG word the answer; silence counts as a failure."""
        intent = parsed["intent"]["name"]
        outputs = await self._ask_rasa(turn, parsed) if intent else []
        if not outputs or any(output.get(FAILED) for output in outputs):
            await self.apologise(turn)
            return
        if _both_answered(turn, intent):
            outputs = await self._answer_both(turn, outputs)
        self._wording.introduce(turn)
        for output in outputs:
            self._wording.add(turn, output)
        self._remember(turn, intent)

    async def _answer_both(self, turn: Turn, outputs: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Add the answer to a second question, or put it before a handoff; only the last message
        keeps its buttons, as channels show no others."""
        utter = f"utter_faq/{turn.also}"
        token = turns.CURRENT.set(turn)
        try:
            second = await self._engine.nlg.generate(utter, None, turn.conversation.channel)
        finally:
            turns.CURRENT.reset(token)
        if not second or second.get(FAILED):
            return outputs
        turn.event(
            "answer.sent",
            ordinal=":also",
            entry=turn.also,
            version=turn.knowledge.content.number,
            **_translation(second),
        )
        second = {**second, "utter_action": utter}
        if turn.decision and turn.decision.kind == "handoff":
            return [{**second, "quick_replies": []}, *outputs]
        first = [{**output, "quick_replies": []} for output in outputs]
        return [*first, second]

    async def _ask_rasa(self, turn: Turn, parsed: dict[str, Any]) -> list[dict[str, Any]]:
        before = turn.tracker = {
            **turn.tracker,
            "slots": {**turn.tracker.get("slots", {}), "language": turn.language},
        }
        if plan := self._recall.find(before, parsed):
            return await self._play(turn, plan, parsed)
        channel = CollectingChannel(turn.conversation.channel)
        message = UserMessage(
            text=turn.inbound.text or parsed["intent"]["name"],
            output_channel=channel,
            sender_id=turn.conversation.id,
            input_channel=turn.conversation.channel,
            message_id=turn.inbound.id,
            parse_data=parsed,
        )
        token = turns.CURRENT.set(turn)
        try:
            await self._engine.handle_message(message)
        except SamvadError:
            raise  # a store is away, or the owner changed: the turn is run again
        except Exception:
            LOG.exception("engine.failed", conversation=turn.conversation.id)
            return []
        finally:
            turns.CURRENT.reset(token)
        self._recall.learn(before, turn.tracker, parsed, channel.messages)
        return channel.messages

    async def _play(
        self, turn: Turn, plan: replay.Plan, parsed: dict[str, Any]
    ) -> list[dict[str, Any]]:
        """Do what Rasa did the last time."""
        token = turns.CURRENT.set(turn)
        try:
            turn.tracker, outputs = await replay.play(
                plan,
                turn.tracker,
                parsed,
                nlg=self._engine.nlg,
                channel=turn.conversation.channel,
                message=turn.inbound.id,
            )
        finally:
            turns.CURRENT.reset(token)
        return outputs

    def _remember(self, turn: Turn, intent: str) -> None:
        """Note what this turn means for the next one, and what the reports need."""
        decision = turn.decision or Decision("answer")
        version = turn.knowledge.content.number
        failures = turn.context.failures + 1 if decision.failed else 0
        answered = ""
        if decision.kind == "handoff":
            failures = 0
        elif intent == "faq":
            answered = f"{turn.entry}@{version}"
            told = next((r.to_dict() for r in turn.replies if r.entry == turn.entry), {})
            turn.event("answer.sent", entry=turn.entry, version=version, **_translation(told))
        elif decision.kind == "clarify" and intent != "not_helped":
            turn.event("clarification.asked", cause=decision.cause)
        self._rate(turn, intent)
        turn.context = replace(turn.context, failures=failures, answered=answered)
        if intent == "start_over":
            kept = turn.context
            turn.tracker = {}
            turn.context = Context(
                belief=kept.belief, introduced=kept.introduced, episode=kept.episode
            )

    @staticmethod
    def _rate(turn: Turn, intent: str) -> None:
        """Record "did that help?", yes or no, for the answer it was asked about."""
        if turn.context.answered and (intent == "helped" or turn.not_helped):
            entry, _, version = turn.context.answered.rpartition("@")
            turn.event(
                "answer.rated",
                actor="customer",
                entry=entry,
                version=int(version),
                helped=intent == "helped",
            )

    @staticmethod
    def _log_reading(turn: Turn, reading: Reading, decision: Decision) -> None:
        prediction = reading.prediction
        turn.event(
            "intent.classified",
            intent=prediction.best,
            confidence=round(prediction.confidence, 3),
            margin=round(prediction.margin, 3),
            threshold=round(prediction.threshold, 3),
            sentiment=reading.sentiment.label,
            negative=round(reading.sentiment.negative, 3),
            decision=decision.kind,
            cause=decision.cause.value if decision.cause else None,
        )


def _note_tap(turn: Turn, button: QuickReply) -> None:
    turn.event(
        "quick-reply.tapped",
        actor="customer",
        entry=button.entry,
        action=button.action,
        position=button.position,
        version=button.content_version,
        typed=not turn.inbound.tap,
    )
    turn.reading = {"language": turn.language, "tapped": button.entry or button.action}


def _both_answered(turn: Turn, intent: str) -> bool:
    """Tell whether the other question of a message is answered as well.

    Where one of them needs a person, only what the bot can answer by itself goes in front.
    """
    if not turn.also or intent == "faq":
        return bool(turn.also)
    for_policy = turn.decision is not None and turn.decision.cause == Cause.POLICY
    return (
        intent == "handoff"
        and for_policy
        and turn.knowledge.content.by_id[turn.also].policy != PERSON
    )


def _is_wordless(text: str) -> bool:
    """Tell whether a text is signs alone: emoji with their modifiers, no letter and no number."""
    kinds = [unicodedata.category(c) for c in text if not c.isspace()]
    return "So" in kinds and all(kind in ("So", "Sk", "Mn", "Cf", "Me") for kind in kinds)


def _translation(output: Mapping[str, Any]) -> dict[str, Any]:
    """A machine's part in an answer, for its event; empty when it had none."""
    metadata = output.get("metadata") or {}
    if metadata.get("machine"):
        return {"machine": True, "to": output["language"]}
    reason = metadata.get("untranslated")
    return {"untranslated": reason} if reason else {}


def _after_answer(intent: str, answered: str) -> str:
    """Read yes and no as the reply to "did that help?" while that is open."""
    return {"affirm": "helped", "deny": "not_helped"}.get(intent, intent) if answered else intent


def _parsed(intent: str, reading: Reading | None = None, told: Any = None) -> dict[str, Any]:
    """Parse data for Rasa, which acts on this alone: the text is never interpreted."""
    parsed: dict[str, Any] = {
        "text": "",
        "intent": {"name": intent, "confidence": reading.prediction.confidence if reading else 1.0},
        "entities": [],
        "intent_ranking": [],
    }
    if told:
        parsed["understanding"] = told
    return parsed
