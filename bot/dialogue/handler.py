"""A message's way through the engine: whose turn is it, and the commit at its end."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import redis.asyncio
import sqlalchemy as sa
import structlog

from bot.conversation import store
from bot.conversation.escalation import Decision
from bot.conversation.states import ENDED, HUMAN, State
from bot.conversation.store import Conversation
from bot.dialogue.bot_turn import BotTurn
from bot.dialogue.catalog import Catalog
from bot.dialogue.context import Context
from bot.dialogue.engine import Engine
from bot.dialogue.hearing import Hearing
from bot.dialogue.queueing import Queueing, cancel_key, handoff_key
from bot.dialogue.turn import Turn, commit
from bot.dialogue.wording import Wording
from bot.errors import StaleConversation, TurnInterrupted
from bot.handoff.waiting import LEAVE, notice
from bot.settings import Settings
from bot.stores import redis_keys
from bot.stores.database import Database
from bot.stores.packing import pack, unpack
from bot.stores.redis_batches import lane_of
from bot.stores.redis_client import guarded
from bot.stores.tables import trackers
from bot.streams import attempts
from bot.streams.messages import Inbound
from bot.streams.ticket import Ticket
from bot.understanding import parse
from bot.understanding.service import Reading, Understander

LOG = structlog.get_logger(__name__)

INTERRUPTED_WAIT_S = 0.03


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
        self._catalog = catalog
        self._hearing = Hearing(settings, database, understander)
        self._queueing = Queueing(database, client, settings.away_after_s)
        self._wording = Wording(settings)
        self._bot = BotTurn(settings, engine, self._hearing, self._queueing, self._wording)

    async def handle(self, inbound: Inbound, ticket: Ticket) -> None:
        """Work a row off: understand, decide, answer, commit.

        Raises:
            LeaseLost: The shard moved; another engine does it.
            StoreUnavailable: Redis or SQL is away; the row stays in the inbox.
        """
        started = time.perf_counter()
        while True:
            begun = await self._begin(inbound, ticket)
            if begun is None:
                # Committed, and only the answer to the commit was lost; or erased meanwhile.
                LOG.info("message.done_already", conversation=inbound.conversation)
                return
            attempt, turn = begun
            try:
                if attempt > self._settings.attempts:
                    await self._give_up(turn, attempt)
                else:
                    await self._run(turn)
                written = await commit(self._redis, turn, ticket)
                break
            except (TurnInterrupted, StaleConversation):
                # Somebody changed the owner while we were thinking: look again, decide again. At
                # SQL, since an engine that died between SQL and its commit left an older copy.
                await self._look_again(inbound, ticket)
                await asyncio.sleep(INTERRUPTED_WAIT_S)
        if written and inbound.awaited and not turn.replies:
            # Whoever waits for the replies of this turn must learn that there are none.
            key = redis_keys.replies(ticket.shard)
            nothing = pack({"in_reply_to": inbound.id, "conversation": inbound.conversation})
            await guarded(
                lane_of(self._redis).run(
                    ("XADD", key, "*", "body", nothing),
                    ("EXPIRE", key, redis_keys.REPLIES_TTL_S),
                )
            )
        self._log(turn, time.perf_counter() - started, written)

    async def _begin(self, inbound: Inbound, ticket: Ticket) -> tuple[int, Turn] | None:
        """Read what the turn starts from: one round trip, and SQL only where Redis has nothing.

        Returns:
            Which try it is, and the turn; None when the row is no longer in the inbox, since a
            turn begun now would change the conversation in SQL and commit nothing.
        """
        shard = ticket.shard
        counted = (redis_keys.attempts(shard), redis_keys.inbox(shard))
        body, copy, attempt = await guarded(
            lane_of(self._redis).run(
                ("GET", redis_keys.tracker(shard, inbound.conversation)),
                ("GET", redis_keys.owner(shard, inbound.conversation)),
                ("EVAL", attempts.COUNT, 2, *counted, ticket.row, 1),
            )
        )
        if attempt is None:
            return None
        conversation = Conversation.from_json(copy) if copy else None
        ended = conversation is not None and conversation.state in ENDED
        if conversation is None or (ended and not conversation.blocked):
            language = self._hearing.first_language(inbound.locale)
            conversation = await self._database.run(lambda c: store.open_for(c, inbound, language))
        if body is None:
            body = await self._database.read(lambda c: _stored_tracker(c, inbound.conversation))
        tracker = unpack(body) if body else {}
        known = Context.from_dict(tracker.pop("context", None))
        context = known.in_episode(conversation.episode_id)
        if inbound.position:
            inbound = replace(inbound, received_at=context.hear(inbound.received_at))
            context = replace(context, heard_at=inbound.received_at)
        turn = Turn(
            inbound=inbound,
            conversation=conversation,
            context=context,
            tracker=tracker,
            knowledge=self._catalog.knowledge,
        )
        self._hearing.speak_in(turn, conversation.language)
        return int(attempt), turn

    async def _look_again(self, inbound: Inbound, ticket: Ticket) -> None:
        """Drop the copy of the conversation, and do not count the try."""
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.delete(redis_keys.owner(ticket.shard, inbound.conversation))
        counted = (redis_keys.attempts(ticket.shard), redis_keys.inbox(ticket.shard))
        pipeline.eval(attempts.COUNT, 2, *counted, ticket.row, -1)
        await guarded(pipeline.execute())

    async def _run(self, turn: Turn) -> None:
        inbound, state = turn.inbound, turn.conversation.state
        if turn.conversation.blocked:
            turn.dropped = True
            turn.event("message.refused", actor="customer", reason="blocked")
            return
        if inbound.kind == "message":
            turn.event(
                "message.received",
                actor="customer",
                kind=_kind_of(inbound),
                characters=len(inbound.text),
                files=len(inbound.attachments),
            )
        # After a crash between SQL and commit this very message may have changed the state.
        change = turn.conversation.last_change or ""
        queued_by_this = state == State.WAITING and change == handoff_key(inbound.id)
        freed_by_this = state == State.BOT and change == cancel_key(inbound.id)
        if state in HUMAN:
            await self._for_agent(turn)
        elif (state == State.WAITING and not queued_by_this) or freed_by_this:
            await self._while_waiting(turn)
        else:
            await self._bot.run(turn)

    async def _for_agent(self, turn: Turn) -> None:
        """An agent owns it: the message joins the transcript, the bot is silent."""
        if turn.conversation.state == State.SNOOZED:
            await self._queueing.wake(turn)
        await self._note(turn)

    async def _while_waiting(self, turn: Turn) -> None:
        """In the queue: place and estimate now and then, "cancel" back to the bot."""
        button = await self._hearing.button(turn)
        reading = await self._note(turn)
        command = self._hearing.command(turn.inbound.text)
        cancelled = bool(button and button.action == "cancel") or command == "cancel"
        if cancelled or (reading is not None and reading.intent == "cancel"):
            await self._queueing.leave(turn)
            self._wording.introduce(turn)
            self._wording.say(turn, "utter_cancelled")
            return
        if button and button.action == LEAVE:
            await self._queueing.leave_message(turn)
            self._wording.say(turn, "utter_left", cancel=True)
            turn.context = replace(turn.context, noticed_at=turn.inbound.received_at)
            return
        if turn.inbound.received_at < turn.context.noticed_at + self._settings.waiting_notice_s:
            return
        if turn.conversation.callback_at:
            self._wording.say(turn, "utter_left", cancel=True)
        else:
            place, turn.attendance = await self._queueing.place(turn)
            name, values = notice("waiting", place, self._wording.hours(turn))
            self._wording.say(turn, name, cancel=True, **values)
        turn.context = replace(turn.context, noticed_at=turn.inbound.received_at)

    async def _note(self, turn: Turn) -> Reading | None:
        """Read a message that only a person will answer, so that the desk can show the reading."""
        if not turn.inbound.text:
            return None
        try:
            reading = await self._hearing.read(turn)
        except Exception:
            LOG.exception("understanding.failed", conversation=turn.conversation.id)
            return None
        version = turn.knowledge.content.number
        turn.reading = parse.understanding(reading, version, Decision("silent"), [])
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
            await self._bot.apologise(turn)

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


def _kind_of(inbound: Inbound) -> str:
    if inbound.tap:
        return "tap"
    return "file" if inbound.attachments and not inbound.text else "text"


def _stored_tracker(connection: sa.engine.Connection, conversation: str) -> str | None:
    body: str | None = connection.execute(
        sa.select(trackers.c.body).where(trackers.c.conversation == conversation)
    ).scalar_one_or_none()
    return body
