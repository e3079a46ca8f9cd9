"""A message's way through the bot: whose turn is it, what does it say, what is done (D7, D15)."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import redis.asyncio
import sqlalchemy as sa
import structlog
from rasa.core.channels.channel import UserMessage

from bot import redis_keys
from bot.content.catalog import Catalog
from bot.content.texts import SystemTexts
from bot.conversation import store
from bot.conversation.messages import Inbound, Outbound, QuickReply
from bot.conversation.states import ENDED, HUMAN, Cause, State
from bot.conversation.store import Conversation, QueuePlace
from bot.database import Database, messages, trackers
from bot.dialogue import turn as turns
from bot.dialogue.context import Context
from bot.dialogue.engine import CollectingChannel, Engine
from bot.dialogue.nlg import FAILED
from bot.dialogue.turn import Ticket, Turn, commit
from bot.errors import (
    LeaseLost,
    StaleConversation,
    StoreUnavailable,
    TransitionRefused,
    TurnInterrupted,
)
from bot.escalation import Decision, Signals, decide
from bot.events import Event
from bot.handoff import presence
from bot.handoff.waiting import notice
from bot.language import codes
from bot.language.follow import choose, follow
from bot.redis_client import guarded
from bot.settings import Settings
from bot.understanding import parse
from bot.understanding.sentiment import running_mean
from bot.understanding.service import Reading, Understander

LOG = structlog.get_logger(__name__)

PRIORITY = {Cause.POLICY: 2, Cause.NEGATIVE_SENTIMENT: 1, Cause.BOT_FAILURE: 1}
"""Queue priority by cause; 0 for all others."""
SENTIMENT_DECAY = 0.6
"""Weight of the past in the running mean of negativity."""
INTERRUPTED_WAIT_S = 0.03
REST = "rest"


class Handler:
    """Handles inbox rows, one at a time for each conversation; one a process."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        client: redis.asyncio.Redis,
        engine: Engine,
        understander: Understander,
        catalog: Catalog,
    ) -> None:
        self._settings = settings
        self._database = database
        self._redis = client
        self._engine = engine
        self._understander = understander
        self._catalog = catalog
        self._texts = SystemTexts.load(settings.default_language)
        # One thread: the embedding uses the core it runs on, and order of arrival is fair.
        self._thinking = ThreadPoolExecutor(1, thread_name_prefix="understand")

    async def handle(self, inbound: Inbound, ticket: Ticket) -> None:
        """Work a row off: understand, decide, answer, commit.

        Raises:
            LeaseLost: The shard moved; another engine does it.
            StoreUnavailable: Redis or SQL is away; the row stays in the inbox.
        """
        started = time.perf_counter()
        while True:
            attempt, turn = await self._begin(inbound, ticket)
            try:
                if attempt > self._settings.attempts:
                    await self._give_up(turn, attempt)
                else:
                    await self._run(turn)
                written = await commit(self._redis, turn, ticket)
                break
            except (TurnInterrupted, StaleConversation):
                # Somebody changed the owner while we were thinking: look again, decide again.
                await self._forgive(ticket)
                await asyncio.sleep(INTERRUPTED_WAIT_S)
        if written and inbound.channel == REST and not turn.replies:
            # Whoever waits for the replies of this turn must learn that there are none.
            key = redis_keys.replies(ticket.shard, inbound.id)
            await guarded(self._redis.xadd(key, {"end": "1"}))
            await guarded(self._redis.expire(key, redis_keys.REPLIES_TTL_S))
        self._log(turn, time.perf_counter() - started, written)

    async def _begin(self, inbound: Inbound, ticket: Ticket) -> tuple[int, Turn]:
        shard = ticket.shard
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.get(redis_keys.tracker(shard, inbound.conversation))
        pipeline.get(redis_keys.owner(shard, inbound.conversation))
        pipeline.hincrby(redis_keys.attempts(shard), ticket.row, 1)
        body, copy, attempt = await guarded(pipeline.execute())
        conversation = Conversation.from_json(copy) if copy else None
        if conversation is None or conversation.state in ENDED:
            conversation = await self._database.run(
                lambda c: store.open_for(c, inbound, self._first_language(inbound))
            )
        if body is None:
            body = await self._database.run(
                lambda c: c.execute(
                    sa.select(trackers.c.body).where(
                        trackers.c.conversation == inbound.conversation
                    )
                ).scalar_one_or_none()
            )
        tracker = json.loads(body) if body else {}
        context = Context.from_dict(tracker.pop("context", None))
        language = conversation.language
        if language not in self._settings.languages:
            language = self._settings.default_language
        turn = Turn(
            inbound=inbound,
            conversation=conversation,
            context=context.in_episode(conversation.episode_id),
            tracker=tracker,
            knowledge=self._catalog.knowledge,
            language=language,
        )
        turn.handoff = lambda: self._queue(turn)
        return int(attempt), turn

    async def _run(self, turn: Turn) -> None:
        inbound, state = turn.inbound, turn.conversation.state
        kind = "tap" if inbound.tap else inbound.kind
        if inbound.kind == "message":
            turn.event(
                "message.received", actor="customer", kind=kind, characters=len(inbound.text)
            )
        change = turn.conversation.last_change or ""
        replayed_handoff = state == State.WAITING and change == f"{inbound.id}:handoff"
        replayed_cancel = state == State.BOT and change == f"{inbound.id}:cancel"
        if state in HUMAN:
            await self._for_agent(turn)
        elif (state == State.WAITING and not replayed_handoff) or replayed_cancel:
            await self._while_waiting(turn)
        else:
            await self._bot(turn)

    # — the bot's turn —

    async def _bot(self, turn: Turn) -> None:
        inbound = turn.inbound
        if inbound.kind == "start":
            parsed = self._parsed("greet")
        else:
            button = await self._button(turn)
            if button:
                parsed = self._tapped(turn, button)
            elif inbound.tap and not inbound.text:
                # Forged, or from a conversation that is not this one: nothing to act on.
                turn.event("message.refused", reason="unknown-quick-reply")
                turn.decision = Decision("clarify", Cause.LOW_CONFIDENCE, failed=True)
                parsed = self._parsed("clarify")
            else:
                parsed = await self._typed(turn)
        turn.values.setdefault("hours", self._texts.render("utter_hours", turn.language))
        await self._speak(turn, parsed)

    async def _typed(self, turn: Turn) -> dict[str, Any]:
        try:
            reading = await self._read(turn.inbound.text, turn)
        except Exception:
            LOG.exception("understanding.failed", conversation=turn.conversation.id)
            return self._failed(turn, "understanding")
        self._follow_language(turn, reading)
        content = turn.knowledge.content
        known = turn.context
        mean = running_mean(known.negative_mean, reading.sentiment, decay=SENTIMENT_DECAY)
        named = codes.language_named_in(turn.inbound.text)
        context = replace(known, negative_mean=mean, negative_count=known.negative_count + 1)
        turn.context = context
        # A word we told the customer to write means what we said it means.
        commanded = self._understander.command(turn.inbound.text)
        intent = self._after_answer(commanded or reading.intent, known.answered)
        if named:
            intent = "change_language"
        signals = parse.signals(
            reading,
            content,
            intent=intent,
            asked_for_person=intent == "ask_human",
            not_helped=intent == "not_helped",
            negative_mean=mean,
            negative_count=context.negative_count,
            failures=known.failures,
        )
        decision = decide(signals, self._settings.thresholds)
        if named or (decision.cause == Cause.NEGATIVE_SENTIMENT and intent == "not_helped"):
            decision = Decision("answer") if named else decision
        turn.decision = decision
        turn.entry = reading.entry if intent == "faq" else ""
        offered = parse.choices(reading, content)
        turn.reading = parse.understanding(reading, content.number, decision, offered)
        turn.event(
            "language.detected", language=reading.language.language,
            script=reading.language.script, confidence=round(reading.language.confidence, 3),
            romanised=reading.language.romanised,
        )  # fmt: skip
        turn.event(
            "intent.classified", actor="bot", intent=reading.prediction.best,
            confidence=round(reading.prediction.confidence, 3),
            margin=round(reading.prediction.margin, 3),
            threshold=round(reading.prediction.threshold, 3),
            sentiment=reading.sentiment.label, negative=round(reading.sentiment.negative, 3),
            decision=decision.kind, cause=decision.cause.value if decision.cause else None,
        )  # fmt: skip
        if named:
            return self._change_language(turn, named)
        if decision.kind != "answer":
            if intent == "not_helped" and decision.kind == "clarify":
                return self._parsed("not_helped")
            if decision.kind == "clarify" and not offered:
                intent = "out_of_scope" if intent == "out_of_scope" else "clarify"
                return self._parsed(intent, reading, turn.reading)
            return self._parsed(decision.kind, reading, turn.reading)
        if intent == "faq":
            parsed = parse.parse_intent(reading)
            return {**self._parsed("faq", reading, turn.reading), **parsed}
        return self._parsed(intent, reading, turn.reading)

    def _tapped(self, turn: Turn, button: QuickReply) -> dict[str, Any]:
        typed = not turn.inbound.tap
        turn.event(
            "quick-reply.tapped", actor="customer", entry=button.entry, action=button.action,
            position=button.position, version=button.content_version, typed=typed,
        )  # fmt: skip
        turn.reading = {"language": turn.language, "tapped": button.entry or button.action}
        action, entry = button.action, turn.knowledge.content.by_id.get(button.entry)
        signals = Signals(
            intent="faq" if button.entry else "",
            entry=button.entry,
            entry_needs_person=bool(entry and entry.policy == "person"),
            confidence=1.0,
            asked_for_person=action == "person",
            not_helped=action == "not-helped",
            failures=turn.context.failures,
            tapped=True,
        )
        decision = decide(signals, self._settings.thresholds)
        turn.decision = decision
        if decision.kind == "handoff":
            turn.entry = button.entry
            return self._parsed("handoff")
        if action.startswith("language:"):
            return self._change_language(turn, action.removeprefix("language:"))
        if button.entry:
            if entry is None:
                # The entry has gone since the button was shown.
                turn.decision = Decision("clarify", Cause.LOW_CONFIDENCE)
                return self._parsed("clarify")
            turn.entry = entry.id
            selector = parse.response_selector(entry.id, 1.0)
            return {**self._parsed("faq"), "response_selector": selector}
        intents = {"helped": "helped", "not-helped": "not_helped", "cancel": "cancel"}
        return self._parsed(intents.get(action, "clarify"))

    def _change_language(self, turn: Turn, language: str) -> dict[str, Any]:
        turn.values["language_name"] = codes.name(language)
        turn.decision = Decision("answer")
        if language not in self._settings.languages:
            return self._parsed("language_unsupported")
        turn.context = replace(turn.context, belief=choose(turn.context.belief, language))
        turn.event("language.switched", to=language, explicit=True)
        self._speak_in(turn, language)
        return self._parsed("change_language")

    async def _speak(self, turn: Turn, parsed: dict[str, Any]) -> None:
        """Let Rasa choose and the NLG word the answer; silence counts as a failure."""
        outputs: list[dict[str, Any]] = []
        intent = parsed["intent"]["name"]
        if intent:
            turn.tracker.setdefault("slots", {})["language"] = turn.language
            channel = CollectingChannel(turn.conversation.channel)
            token = turns.CURRENT.set(turn)
            try:
                await self._engine.handle_message(
                    UserMessage(
                        text=turn.inbound.text or intent,
                        output_channel=channel,
                        sender_id=turn.conversation.id,
                        input_channel=turn.conversation.channel,
                        message_id=turn.inbound.id,
                        parse_data=parsed,
                    )
                )
                outputs = channel.messages
            except (StoreUnavailable, StaleConversation, TransitionRefused, LeaseLost):
                raise
            except Exception:
                LOG.exception("engine.failed", conversation=turn.conversation.id)
            finally:
                turns.CURRENT.reset(token)
        if not outputs or any(output.get(FAILED) for output in outputs):
            await self._apologise(turn)
            return
        self._introduce(turn)
        for output in outputs:
            self._add(turn, output)
        self._count(turn, intent)

    async def _apologise(self, turn: Turn) -> None:
        """Never silence: say sorry, and let a person take over."""
        turn.event("turn.failed", reason="no-output")
        turn.decision = decide(Signals(bot_failed=True), self._settings.thresholds)
        turn.replies.clear()
        self._introduce(turn)
        self._add(turn, self._text(turn, "utter_apology"))
        if turn.conversation.state == State.BOT:
            place = await self._queue(turn)
        else:
            place = turn.place or await self._place(turn.conversation)
        name, values = notice("handoff", place, self._hours(turn))
        self._add(turn, self._text(turn, name, **values))

    def _count(self, turn: Turn, intent: str) -> None:
        context = turn.context
        decision = turn.decision or Decision("answer")
        failures = context.failures + 1 if decision.failed else 0
        answered = ""
        if decision.kind == "handoff":
            failures = 0
        elif intent == "faq":
            answered = f"{turn.entry}@{turn.knowledge.content.number}"
            turn.event("answer.sent", entry=turn.entry, version=turn.knowledge.content.number)
        elif decision.kind == "clarify" and intent in ("clarify", "out_of_scope"):
            turn.event("clarification.asked", cause=decision.cause)
        if intent in ("helped", "not_helped") and context.answered:
            entry, _, version = context.answered.partition("@")
            turn.event(
                "answer.rated", actor="customer", entry=entry, version=int(version),
                helped=intent == "helped",
            )  # fmt: skip
        elif intent == "not_helped" or decision.kind == "handoff":
            if context.answered and decision.cause == Cause.REPEATED_FALLBACK:
                entry, _, version = context.answered.partition("@")
                turn.event(
                    "answer.rated", actor="customer", entry=entry, version=int(version),
                    helped=False,
                )  # fmt: skip
        turn.context = replace(turn.context, failures=failures, answered=answered)
        if intent == "start_over":
            turn.context = replace(
                Context(belief=turn.context.belief, introduced=turn.context.introduced,
                        shown=turn.context.shown),
                episode=turn.conversation.episode_id,
            )  # fmt: skip
            turn.tracker = {}

    # — other owners —

    async def _for_agent(self, turn: Turn) -> None:
        """An agent owns it: the message joins the transcript, the bot is silent."""
        if turn.conversation.state == State.SNOOZED:
            turn.conversation = await self._database.run(
                lambda c: store.change(
                    c, turn.conversation, State.ASSIGNED, key=f"{turn.inbound.id}:woken"
                )
            )
        await self._note(turn)

    async def _while_waiting(self, turn: Turn) -> None:
        """In the queue: place and estimate now and then, "cancel" back to the bot."""
        button = await self._button(turn)
        reading = await self._note(turn)
        wants_back = button.action == "cancel" if button else False
        if reading and "cancel" in (reading.intent, self._understander.command(turn.inbound.text)):
            wants_back = True
        if wants_back:
            turn.conversation = await self._database.run(
                lambda c: store.change(
                    c, turn.conversation, State.BOT, key=f"{turn.inbound.id}:cancel",
                    events=(self._cancelled(turn),),
                )
            )  # fmt: skip
            self._introduce(turn)
            self._add(turn, self._text(turn, "utter_cancelled"))
            return
        due = turn.context.noticed_at + self._settings.waiting_notice_s
        if turn.inbound.received_at < due:
            return
        place = await self._place(turn.conversation)
        name, values = notice("waiting", place, self._hours(turn))
        self._add(turn, self._with_cancel(turn, self._text(turn, name, **values)))
        turn.context = replace(turn.context, noticed_at=turn.inbound.received_at)

    async def _note(self, turn: Turn) -> Reading | None:
        """Read a message nobody but a person will answer, so that the desk can show the reading."""
        if not turn.inbound.text:
            return None
        try:
            reading = await self._read(turn.inbound.text, turn)
        except Exception:
            LOG.exception("understanding.failed", conversation=turn.conversation.id)
            return None
        self._follow_language(turn, reading)
        content = turn.knowledge.content
        turn.reading = parse.understanding(reading, content.number, Decision("silent"), [])
        return reading

    async def _give_up(self, turn: Turn, attempt: int) -> None:
        """The message keeps failing: keep it for people, tell the customer, go on with the rest."""
        LOG.error("message.dead", conversation=turn.conversation.id, attempts=attempt - 1)
        turn.dead = {
            "id": turn.inbound.id,
            "direction": "in",
            "conversation": turn.conversation.id,
            "error": f"failed {attempt - 1} times",
            "body": turn.inbound.to_dict(),
            "created_at": time.time(),
            "replayed_at": None,
        }
        if turn.conversation.state in (State.BOT, State.WAITING):
            await self._apologise(turn)

    # — the queue —

    async def _queue(self, turn: Turn) -> QueuePlace:
        """Move the conversation into the queue, once, and tell the place."""
        decision = turn.decision or Decision("handoff", Cause.ASKED, {})
        cause = decision.cause or Cause.ASKED
        key = f"{turn.inbound.id}:handoff"
        detail = {**(decision.numbers or {}), "message": turn.inbound.id}
        requested = Event(
            id=f"{key}.requested", type="handoff.requested", conversation=turn.conversation.id,
            episode_id=turn.conversation.episode_id, channel=turn.conversation.channel,
            language=turn.language, content_version=turn.knowledge.content.number,
            data={"cause": cause.value, **detail}, occurred_at=turn.inbound.received_at,
        )  # fmt: skip
        turn.conversation = await self._database.run(
            lambda c: store.change(
                c, turn.conversation, State.WAITING, key=key, events=(requested,),
                now=turn.inbound.received_at or None, cause=cause.value, cause_detail=detail,
                priority=PRIORITY.get(cause, 0), language=turn.language,
                sentiment=turn.context.negative_mean,
            )
        )  # fmt: skip
        turn.context = replace(turn.context, noticed_at=turn.inbound.received_at)
        turn.place = await self._place(turn.conversation)
        return turn.place

    async def _place(self, conversation: Conversation) -> QueuePlace:
        agents = await presence.online(self._redis)
        return await self._database.run(lambda c: store.place_of(c, conversation, agents))

    def _cancelled(self, turn: Turn) -> Event:
        return Event(
            id=f"{turn.inbound.id}:handoff.cancelled", type="handoff.cancelled",
            conversation=turn.conversation.id, episode_id=turn.conversation.episode_id,
            channel=turn.conversation.channel, language=turn.language, actor="customer",
            occurred_at=turn.inbound.received_at,
        )  # fmt: skip

    # — small parts —

    async def _read(self, text: str, turn: Turn) -> Reading:
        work: Callable[[], Reading] = lambda: self._understander.read(text, turn.knowledge)  # noqa: E731
        return await asyncio.get_running_loop().run_in_executor(self._thinking, work)

    async def _button(self, turn: Turn) -> QuickReply | None:
        inbound = turn.inbound
        if not inbound.tap:
            return turn.context.typed(inbound.text)
        found = turn.context.find(inbound.tap)
        if found is None:
            found = await self._database.run(
                lambda c: _stored_button(c, inbound.conversation, inbound.tap)
            )
        if found and not inbound.text:
            turn.inbound = replace(inbound, text=found.title)
        return found

    def _follow_language(self, turn: Turn, reading: Reading) -> None:
        before = turn.context.belief
        prior = turn.inbound.locale or turn.conversation.language
        belief, switched = follow(before, reading.language, text=turn.inbound.text, prior=prior)
        turn.context = replace(turn.context, belief=belief)
        if switched and before is not None:
            turn.event("language.switched", to=belief.language, was=before.language)
        self._speak_in(turn, belief.explicit or belief.language)

    def _speak_in(self, turn: Turn, language: str) -> None:
        known = language in self._settings.languages
        turn.language = language if known else self._settings.default_language
        if turn.conversation.language != turn.language:
            turn.conversation = replace(turn.conversation, language=turn.language)

    def _after_answer(self, intent: str, answered: str) -> str:
        """Read yes and no as the reply to "did that help?" while that is open."""
        if not answered:
            return intent
        return {"affirm": "helped", "deny": "not_helped"}.get(intent, intent)

    def _parsed(
        self, intent: str, reading: Reading | None = None, told: Any = None
    ) -> dict[str, Any]:
        confidence = reading.prediction.confidence if reading else 1.0
        parsed: dict[str, Any] = {
            "text": "",
            "intent": {"name": intent, "confidence": confidence},
            "entities": [],
            "intent_ranking": [],
        }
        if told:
            parsed["understanding"] = told
        return parsed

    def _failed(self, turn: Turn, part: str) -> dict[str, Any]:
        turn.event("turn.failed", ordinal=f":{part}", reason=part)
        return self._parsed("")

    def _introduce(self, turn: Turn) -> None:
        """Once an episode, and once after each return: say that it is a bot."""
        stint = f"{turn.conversation.episode_id}:{turn.conversation.stint}"
        if turn.context.introduced != stint:
            turn.context = replace(turn.context, introduced=stint)
            self._add(turn, self._text(turn, "utter_bot_intro"))

    def _text(self, turn: Turn, name: str, **values: object) -> dict[str, Any]:
        text = self._texts.render(
            name, turn.language, business=self._settings.business_name, **values
        )
        return {
            "text": text,
            "utter_action": name,
            "language": self._texts.language_for(name, turn.language),
        }

    def _with_cancel(self, turn: Turn, output: dict[str, Any]) -> dict[str, Any]:
        title = self._texts.render("utter_title_cancel", turn.language)
        return {**output, "quick_replies": [{"title": title, "action": "cancel"}]}

    def _hours(self, turn: Turn) -> str:
        return self._texts.render("utter_hours", turn.language)

    def _add(self, turn: Turn, output: dict[str, Any]) -> None:
        inbound, conversation = turn.inbound, turn.conversation
        ordinal = len(turn.replies)
        utter = str(output.get("utter_action") or "")
        version = int(output.get("content_version") or 0)
        if utter.startswith("utter_handoff"):
            output = self._with_cancel(turn, output)
        buttons = output.get("quick_replies") or []
        replies = tuple(
            QuickReply(
                id=_button_id(inbound.id, ordinal, position),
                title=button["title"],
                entry=button.get("entry", ""),
                action=button.get("action", ""),
                position=position,
                content_version=turn.knowledge.content.number,
            )
            for position, button in enumerate(buttons)
        )
        reply = Outbound(
            id=f"{inbound.id}:{ordinal}",
            conversation=conversation.id,
            channel=conversation.channel,
            account=conversation.account,
            vendor_user=conversation.vendor_user,
            text=str(output.get("text") or ""),
            language=str(output.get("language") or turn.language),
            quick_replies=replies,
            utter=utter,
            entry=str(output.get("entry") or ""),
            content_version=version,
            in_reply_to=inbound.id,
            created_at=time.time(),
            state=conversation.state.value,
        )
        turn.replies.append(reply)
        turn.context = turn.context.with_shown(reply.id, replies)
        if replies:
            turn.event(
                "quick-reply.shown", ordinal=f":{ordinal}",
                replies=[{"entry": r.entry, "action": r.action, "position": r.position}
                         for r in replies],
                version=turn.knowledge.content.number,
            )  # fmt: skip

    async def _forgive(self, ticket: Ticket) -> None:
        await guarded(self._redis.hincrby(redis_keys.attempts(ticket.shard), ticket.row, -1))  # type: ignore[arg-type]

    def _first_language(self, inbound: Inbound) -> str:
        code = codes.normalise(inbound.locale) if inbound.locale else ""
        known = code in self._settings.languages
        return code if known else self._settings.default_language

    def _log(self, turn: Turn, took_s: float, written: bool) -> None:
        decision = turn.decision
        LOG.info(
            "message.handled" if written else "message.repeated",
            conversation=turn.conversation.id,
            channel=turn.conversation.channel,
            state=turn.conversation.state.value,
            language=turn.language,
            entry=turn.entry or None,
            decision=decision.kind if decision else None,
            cause=decision.cause.value if decision and decision.cause else None,
            replies=len(turn.replies),
            content=turn.knowledge.content.number,
            took_ms=round(took_s * 1000, 1),
            waited_ms=round((time.time() - turn.inbound.received_at) * 1000, 1),
        )


def _button_id(message: str, ordinal: int, position: int) -> str:
    """Same message, same ids: a replayed turn shows the buttons the first run showed."""
    return hashlib.sha256(f"{message}:{ordinal}:{position}".encode()).hexdigest()[:16]


def _stored_button(
    connection: sa.engine.Connection, conversation: str, wanted: str
) -> QuickReply | None:
    """Look for an old button in this conversation's own messages, and nowhere else."""
    rows = connection.execute(
        sa.select(messages.c.quick_replies)
        .where(messages.c.conversation == conversation, messages.c.author == "bot")
        .order_by(messages.c.created_at.desc())
        .limit(200)
    ).scalars()
    for row in rows:
        for item in row or ():
            if item.get("id") == wanted:
                return QuickReply(**item)
    return None
