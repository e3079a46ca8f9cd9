"""Changes of a conversation's owner in a turn: into the queue, and out of it.

SQL comes first, keyed by the message, so that a turn run again after a crash finds it done. An
engine whose shard has passed to another changes nothing: its successor may have decided otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import redis.asyncio
from sqlalchemy.engine import Connection

from bot.content.models import Content
from bot.conversation import store
from bot.conversation.escalation import Decision
from bot.conversation.states import Cause, State
from bot.conversation.store import Conversation
from bot.dialogue.decide import Choice
from bot.dialogue.situation import in_language
from bot.events import Event, EventData, HandoffCancelled, HandoffLeft, HandoffRequested
from bot.handoff.opening import Attendance, attendance
from bot.routing import presence, roster, teams
from bot.routing.match import team_for
from bot.routing.queue import QueuePlace, place_of
from bot.stores.database import Database
from bot.streams.lease import lease_check
from bot.streams.messages import Inbound

PRIORITY = {Cause.POLICY: 2, Cause.NEGATIVE_SENTIMENT: 1, Cause.BOT_FAILURE: 1}
"""Queue priority by cause; 0 for all others."""


@dataclass(frozen=True)
class Handoff:
    """Cause and details of a handoff, for routing and the desk."""

    cause: Cause
    numbers: Mapping[str, Any]
    """Numbers of the decision, and the thresholds."""
    language: str
    sentiment: float
    """Running mean of negativity, 0–1."""
    topic: str = ""
    """Topic of the entry; empty if nothing was understood."""

    @classmethod
    def of(cls, choice: Choice, content: Content) -> Handoff:
        """Build it from the choice."""
        decision = choice.decision or Decision("handoff", Cause.ASKED, {})
        numbers = decision.numbers or {}
        entry = content.by_id.get(choice.entry or str(numbers.get("entry") or ""))
        return cls(
            cause=decision.cause or Cause.ASKED,
            numbers=numbers,
            language=choice.language,
            sentiment=choice.negative_mean,
            topic=entry.topic if entry else "",
        )


@dataclass(frozen=True)
class QueueStatus:
    """Place of a waiting conversation, and its team's working hours."""

    place: QueuePlace
    attendance: Attendance


class Mover:
    """Changes owners of conversations in turns; one per process."""

    def __init__(
        self, database: Database, client: redis.asyncio.Redis, away_after_s: float
    ) -> None:
        self._database = database
        self._redis = client
        self._away_after_s = away_after_s

    async def hand_off(
        self,
        conversation: Conversation,
        inbound: Inbound,
        handoff: Handoff,
        version: int,
        *,
        as_message: bool = False,
    ) -> Conversation:
        """Put a conversation into the queue.

        Args:
            version: Content version the message was decided with.
            as_message: The customer does not wait for the answer, and goes before nobody.
        """
        detail = {**handoff.numbers, "message": inbound.id}
        requested_data = HandoffRequested(handoff.cause.value, **detail)
        conversation_in_language = in_language(conversation, handoff.language)
        requested = _event(conversation_in_language, inbound, requested_data, version, actor="bot")
        events = [requested]
        left: dict[str, Any] = {}
        if as_message:
            events.append(_event(conversation_in_language, inbound, HandoffLeft(), version))
            left = {"callback_at": inbound.received_at}
        return await self._change(
            lambda c: store.change(
                c,
                conversation,
                State.WAITING,
                key=handoff_key(inbound.id),
                events=tuple(events),
                now=inbound.received_at or None,
                cause=handoff.cause.value,
                cause_detail=detail,
                priority=0 if as_message else PRIORITY.get(handoff.cause, 0),
                language=handoff.language,
                sentiment=handoff.sentiment,
                topic=handoff.topic or conversation.topic,
                team=team_for(handoff.language, handoff.topic, teams.list_teams(c)).id,
                **left,
            )
        )

    async def back_to_bot(
        self, conversation: Conversation, inbound: Inbound, version: int
    ) -> Conversation:
        """Give the conversation back to the bot, when the customer cancels the wait."""
        cancelled = _event(conversation, inbound, HandoffCancelled(), version)
        return await self._change(
            lambda c: store.change(
                c, conversation, State.BOT, key=cancel_key(inbound.id), events=(cancelled,)
            )
        )

    async def leave_message(
        self, conversation: Conversation, inbound: Inbound, version: int
    ) -> Conversation:
        """Note that the customer waits for an answer later, not in the chat."""
        left_event = _event(conversation, inbound, HandoffLeft(), version)
        return await self._change(
            lambda c: store.amend(
                c,
                conversation,
                key=f"{inbound.id}:left",
                events=(left_event,),
                callback_at=inbound.received_at,
            )
        )

    async def wake(self, conversation: Conversation, inbound: Inbound) -> Conversation:
        """End a snooze because the customer wrote."""
        return await self._change(
            lambda c: store.change(c, conversation, State.ASSIGNED, key=f"{inbound.id}:woken")
        )

    async def queue_status(self, conversation: Conversation, now: float) -> QueueStatus:
        """Return the place of a waiting conversation, and its team's hours."""
        online = await presence.idle_times(self._redis)

        def read(connection: Connection) -> QueueStatus:
            team = teams.find_team(connection, conversation.team)
            serving = roster.serving(roster.agents(connection, online, self._away_after_s), team)
            place = place_of(connection, conversation, len(serving))
            calendar = attendance(team.hours, now)
            return QueueStatus(replace(place, closed=calendar.closed), calendar)

        return await self._database.read(read)

    async def _change(self, work: Callable[[Connection], Conversation]) -> Conversation:
        require_lease = lease_check()

        def fenced(connection: Connection) -> Conversation:
            changed = work(connection)
            require_lease()
            return changed

        return await self._database.run(fenced)


def _event(
    conversation: Conversation,
    inbound: Inbound,
    data: EventData,
    version: int,
    actor: str = "customer",
) -> Event:
    """Build the event of a change that the customer's message caused."""
    return Event.of(
        conversation,
        data,
        key=inbound.id,
        actor=actor,
        content_version=version,
        occurred_at=inbound.received_at,
    )


def handoff_key(message: str) -> str:
    """Return the idempotency key of the handoff a message causes."""
    return f"{message}:handoff"


def cancel_key(message: str) -> str:
    """Return the idempotency key of leaving the queue by a message."""
    return f"{message}:cancel"


def is_queued_by(conversation: Conversation, message: str) -> bool:
    """Tell whether this message put the conversation into the queue, before a crash."""
    return conversation.state == State.WAITING and conversation.last_change == handoff_key(message)


def is_freed_by(conversation: Conversation, message: str) -> bool:
    """Tell whether this message took the conversation out of the queue, before a crash."""
    return conversation.state == State.BOT and conversation.last_change == cancel_key(message)
