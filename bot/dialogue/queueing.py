"""The turn's own change of owner: into the queue, and back out of it.

SQL first, keyed by the message, so that a turn run again after a crash finds it done. An engine
whose shard has passed on meanwhile changes nothing: its successor may have decided otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import redis.asyncio
from sqlalchemy.engine import Connection

from bot.conversation import store
from bot.conversation.escalation import Decision
from bot.conversation.states import Cause, State
from bot.conversation.store import Conversation
from bot.dialogue.turn import Turn
from bot.events import Event
from bot.handoff.opening import Attendance, attendance
from bot.routing import presence, roster, teams
from bot.routing.match import team_for
from bot.routing.queue import QueuePlace, place_of
from bot.stores.database import Database
from bot.streams.lease import holding

PRIORITY = {Cause.POLICY: 2, Cause.NEGATIVE_SENTIMENT: 1, Cause.BOT_FAILURE: 1}
"""Queue priority by cause; 0 for all others."""


class Queueing:
    """Moves conversations of turns; one a process."""

    def __init__(
        self, database: Database, client: redis.asyncio.Redis, away_after_s: float
    ) -> None:
        self._database = database
        self._redis = client
        self._away_after_s = away_after_s

    async def enter(self, turn: Turn) -> QueuePlace:
        """Hand the conversation off, with the cause and numbers of the turn's decision."""
        decision = turn.decision or Decision("handoff", Cause.ASKED, {})
        cause = decision.cause or Cause.ASKED
        key = handoff_key(turn.inbound.id)
        detail = {**(decision.numbers or {}), "message": turn.inbound.id}
        requested = self._event(turn, "handoff.requested", {"cause": cause.value, **detail})
        topic = _topic_of(turn)
        turn.conversation = await self._change(
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
                topic=topic or turn.conversation.topic,
                team=team_for(turn.language, topic, teams.list_teams(c)).id,
            )
        )
        turn.context = replace(turn.context, noticed_at=turn.inbound.received_at)
        turn.place, turn.attendance = await self.place(turn)
        return turn.place

    async def leave(self, turn: Turn) -> None:
        """Give the conversation back to the bot: the customer does not want to wait."""
        cancelled = self._event(turn, "handoff.cancelled", {})
        turn.conversation = await self._change(
            lambda c: store.change(
                c,
                turn.conversation,
                State.BOT,
                key=cancel_key(turn.inbound.id),
                events=(cancelled,),
            )
        )

    async def leave_message(self, turn: Turn) -> None:
        """The customer does not wait in the chat, but for an answer later."""
        left = self._event(turn, "handoff.left", {})
        turn.conversation = await self._change(
            lambda c: store.amend(
                c,
                turn.conversation,
                key=f"{turn.inbound.id}:left",
                events=(left,),
                callback_at=turn.inbound.received_at,
            )
        )

    async def wake(self, turn: Turn) -> None:
        """A customer's message ends a snooze."""
        turn.conversation = await self._change(
            lambda c: store.change(
                c, turn.conversation, State.ASSIGNED, key=f"{turn.inbound.id}:woken"
            )
        )

    async def place(self, turn: Turn) -> tuple[QueuePlace, Attendance]:
        """Where a waiting conversation stands now, and what its team's calendar says."""
        conversation, now = turn.conversation, turn.inbound.received_at
        here = await presence.here(self._redis)

        def work(connection: Connection) -> tuple[QueuePlace, Attendance]:
            team = teams.find_team(connection, conversation.team)
            people = roster.serving(roster.seats(connection, here, self._away_after_s), team)
            place = place_of(connection, conversation, len(people))
            there = attendance(team.hours, now)
            return replace(place, closed=there.closed), there

        return await self._database.read(work)

    async def _change(self, work: Callable[[Connection], Conversation]) -> Conversation:
        must_hold = holding()

        def fenced(connection: Connection) -> Conversation:
            changed = work(connection)
            must_hold()
            return changed

        return await self._database.run(fenced)

    @staticmethod
    def _event(turn: Turn, kind: str, data: dict[str, object]) -> Event:
        return Event(
            id=f"{turn.inbound.id}:{kind}",
            type=kind,
            conversation=turn.conversation.id,
            episode_id=turn.conversation.episode_id,
            channel=turn.conversation.channel,
            language=turn.language,
            actor="bot" if kind == "handoff.requested" else "customer",
            content_version=turn.knowledge.content.number,
            data=data,
            occurred_at=turn.inbound.received_at,
        )


def _topic_of(turn: Turn) -> str:
    """Topic of what the conversation is handed off about; empty if nothing was understood."""
    numbers = (turn.decision.numbers if turn.decision else None) or {}
    entry = turn.knowledge.content.by_id.get(turn.entry or str(numbers.get("entry") or ""))
    return entry.topic if entry else ""


def handoff_key(message: str) -> str:
    """Idempotency key of the handoff a message causes."""
    return f"{message}:handoff"


def cancel_key(message: str) -> str:
    """Idempotency key of leaving the queue by a message."""
    return f"{message}:cancel"
