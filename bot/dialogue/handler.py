"""Message handler of the engine: decides whose turn it is, runs it, and commits it."""

from __future__ import annotations

import asyncio
import time

import redis.asyncio
import structlog

from bot.conversation.states import HUMAN, State
from bot.dialogue import turn_events
from bot.dialogue.answer import Answerer
from bot.dialogue.bot_turn import BotTurn
from bot.dialogue.catalog import Catalog
from bot.dialogue.engine import Engine
from bot.dialogue.hear import Listener
from bot.dialogue.move import Mover, is_freed_by, is_queued_by
from bot.dialogue.people_turn import PeopleTurn
from bot.dialogue.situation import Situation, Situations
from bot.dialogue.turn import Turn, commit
from bot.dialogue.word import Wording
from bot.errors import StaleConversation, TurnInterrupted
from bot.handoff.allowance import HandoffAllowance
from bot.settings import Settings
from bot.stores import redis_keys
from bot.stores.database import Database
from bot.stores.packing import pack
from bot.stores.redis_batches import batches_of
from bot.stores.redis_client import guarded
from bot.streams.messages import Inbound
from bot.streams.ticket import Ticket
from bot.understanding.service import Understander

LOG = structlog.get_logger(__name__)

INTERRUPTED_WAIT_S = 0.03


class MessageHandler:
    """Handles inbox rows, one at a time per conversation; one per process."""

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
        self._redis = client
        self._situations = Situations(settings, database, client, catalog)
        listener = Listener(settings, database, understander)
        mover = Mover(database, client, settings.away_after_s)
        wording = Wording(settings)
        allowance = HandoffAllowance(client, settings.handoffs_per_address)
        self._bot = BotTurn(settings, listener, Answerer(engine), mover, wording, allowance)
        self._reading_thread = listener.reading_thread
        self._people = PeopleTurn(listener, mover, wording, settings.waiting_notice_s)

    @property
    def reading_since(self) -> float | None:
        """When the message began that is being understood; None when there is none."""
        return self._reading_thread.since

    async def handle(self, inbound: Inbound, ticket: Ticket) -> None:
        """Handle a row: understand, decide, answer, commit.

        Raises:
            LeaseLost: Another engine has the shard now and handles the row.
            StoreUnavailable: Redis or SQL is down; the row stays in the inbox.
        """
        started = time.perf_counter()
        while True:
            situation = await self._situations.read(inbound, ticket)
            if situation is None:
                # It was committed and only Redis' reply was lost, or it was erased meanwhile.
                LOG.info("message.done_already", conversation=inbound.conversation)
                return
            turn = Turn.of(situation)
            try:
                if situation.attempt > self._settings.attempts:
                    await self._give_up(situation, turn)
                else:
                    await self._run(situation, turn)
                written = await commit(self._redis, turn, ticket)
                break
            except (TurnInterrupted, StaleConversation):
                # The owner changed during the turn: read and decide again. From SQL, since an
                # engine that died between SQL and its commit left an older copy.
                await self._situations.forget(inbound, ticket)
                await asyncio.sleep(INTERRUPTED_WAIT_S)
        if written and inbound.awaited and not turn.replies:
            # The request that waits for replies of this turn must learn that there are none.
            key = redis_keys.replies(ticket.shard)
            nothing = pack({"in_reply_to": inbound.id, "conversation": inbound.conversation})
            await guarded(
                batches_of(self._redis).run(
                    ("XADD", key, "*", "body", nothing),
                    ("EXPIRE", key, redis_keys.REPLIES_TTL_S),
                )
            )
        _log(turn, time.perf_counter() - started, written=written)

    async def _run(self, situation: Situation, turn: Turn) -> None:
        """Run the turn of the conversation's owner."""
        inbound, conversation = situation.inbound, situation.conversation
        if conversation.blocked:
            turn.dropped = True
            turn_events.refused(turn, "blocked")
            return
        turn_events.received(turn, inbound)
        is_waiting = conversation.state == State.WAITING
        if inbound.excess:
            return  # stored like every message, for people to read
        if conversation.state in HUMAN:
            await self._people.for_agent(situation, turn)
        # After a crash between SQL and commit this very message may have changed the state.
        elif is_freed_by(conversation, inbound.id) or (
            is_waiting and not is_queued_by(conversation, inbound.id)
        ):
            await self._people.while_waiting(situation, turn)
        else:
            await self._bot.run(situation, turn)

    async def _give_up(self, situation: Situation, turn: Turn) -> None:
        """Store a message that keeps failing as a dead letter, and tell the customer."""
        failed = situation.attempt - 1
        LOG.error("message.dead", conversation=turn.conversation.id, attempts=failed)
        turn.dead = {
            "id": turn.inbound.id,
            "direction": "in",
            "conversation": turn.conversation.id,
            "error": f"failed {failed} times",
            "body": turn.inbound.to_dict(),
            "created_at": time.time(),
            "replayed_at": None,
        }
        if turn.conversation.state in (State.BOT, State.WAITING):
            await self._bot.apologise(None, situation, turn)


def _log(turn: Turn, took_s: float, *, written: bool) -> None:
    """Write the one log line of a message."""
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
        content=turn.content_version,
        took_ms=round(took_s * 1000, 1),
        waited_ms=round((time.time() - turn.inbound.received_at) * 1000, 1),
    )
