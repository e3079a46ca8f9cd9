"""The turn's own change of owner: into the queue, and back out of it.

SQL first, keyed by the message, so that a turn run again after a crash finds it done.
"""

from __future__ import annotations

from dataclasses import replace

import redis.asyncio

from bot.conversation import store
from bot.conversation.states import Cause, State
from bot.conversation.store import Conversation, QueuePlace
from bot.database import Database
from bot.dialogue.turn import Turn
from bot.escalation import Decision
from bot.events import Event
from bot.handoff import presence

PRIORITY = {Cause.POLICY: 2, Cause.NEGATIVE_SENTIMENT: 1, Cause.BOT_FAILURE: 1}
"""Queue priority by cause; 0 for all others."""


class Queueing:
    """Moves conversations of turns; one a process."""

    def __init__(self, database: Database, client: redis.asyncio.Redis) -> None:
        self._database = database
        self._redis = client

    async def enter(self, turn: Turn) -> QueuePlace:
        """Hand the conversation off, with the cause and numbers of the turn's decision."""
        decision = turn.decision or Decision("handoff", Cause.ASKED, {})
        cause = decision.cause or Cause.ASKED
        key = handoff_key(turn.inbound.id)
        detail = {**(decision.numbers or {}), "message": turn.inbound.id}
        requested = self._event(turn, "handoff.requested", {"cause": cause.value, **detail})
        turn.conversation = await self._database.run(
            lambda c: store.change(
                c,
                turn.conversation,
                State.WAITING,
                key=key,
                events=(requested,),
                now=turn.inbound.received_at or None,
                cause=cause.value,
                cause_detail=detail,
                priority=PRIORITY.get(cause, 0),
                language=turn.language,
                sentiment=turn.context.negative_mean,
            )
        )
        turn.context = replace(turn.context, noticed_at=turn.inbound.received_at)
        turn.place = await self.place(turn.conversation)
        return turn.place

    async def leave(self, turn: Turn) -> None:
        """Give the conversation back to the bot: the customer does not want to wait."""
        cancelled = self._event(turn, "handoff.cancelled", {})
        turn.conversation = await self._database.run(
            lambda c: store.change(
                c,
                turn.conversation,
                State.BOT,
                key=cancel_key(turn.inbound.id),
                events=(cancelled,),
            )
        )

    async def wake(self, turn: Turn) -> None:
        """A customer's message ends a snooze."""
        turn.conversation = await self._database.run(
            lambda c: store.change(
                c, turn.conversation, State.ASSIGNED, key=f"{turn.inbound.id}:woken"
            )
        )

    async def place(self, conversation: Conversation) -> QueuePlace:
        """Where a waiting conversation stands now."""
        agents = await presence.online(self._redis)
        return await self._database.read(lambda c: store.place_of(c, conversation, agents))

    @staticmethod
    def _event(turn: Turn, kind: str, data: dict[str, object]) -> Event:
        return Event(
            id=f"{turn.inbound.id}:{kind}",
            type=kind,
            conversation=turn.conversation.id,
            episode_id=turn.conversation.episode_id,
            channel=turn.conversation.channel,
            language=turn.language,
            actor="customer" if kind == "handoff.cancelled" else "bot",
            content_version=turn.knowledge.content.number,
            data=data,
            occurred_at=turn.inbound.received_at,
        )


def handoff_key(message: str) -> str:
    """Idempotency key of the handoff a message causes."""
    return f"{message}:handoff"


def cancel_key(message: str) -> str:
    """Idempotency key of leaving the queue by a message."""
    return f"{message}:cancel"
