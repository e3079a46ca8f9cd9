"""Move a conversation for a turn: into the queue, and back out of it.

SQL first, keyed by the message, so that a turn run again after a crash finds it done. An engine
whose shard has passed on meanwhile changes nothing: its successor may have decided otherwise.
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
    """Why a conversation goes to a person, and what routing and the desk want to know."""

    cause: Cause
    numbers: Mapping[str, Any]
    """The numbers behind the decision and the thresholds in force."""
    language: str
    sentiment: float
    """Running mean of negativity, 0–1."""
    topic: str = ""
    """Of what it is about; empty if nothing was understood."""

    @classmethod
    def of(cls, choice: Choice, content: Content) -> Handoff:
        """Take cause and numbers from what was decided."""
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
class Standing:
    """Where a waiting conversation stands, and what its team's calendar says."""

    place: QueuePlace
    attendance: Attendance


class Mover:
    """Moves the conversations of turns; one per process."""

    def __init__(
        self, database: Database, client: redis.asyncio.Redis, away_after_s: float
    ) -> None:
        self._database = database
        self._redis = client
        self._away_after_s = away_after_s

    async def hand_off(
        self, conversation: Conversation, inbound: Inbound, handoff: Handoff, version: int
    ) -> Conversation:
        """Put a conversation into the queue.

        Args:
            version: Content version the message was decided with.
        """
        detail = {**handoff.numbers, "message": inbound.id}
        what = HandoffRequested(handoff.cause.value, **detail)
        spoken = in_language(conversation, handoff.language)
        requested = _event(spoken, inbound, what, version, actor="bot")
        return await self._change(
            lambda c: store.change(
                c,
                conversation,
                State.WAITING,
                key=handoff_key(inbound.id),
                events=(requested,),
                now=inbound.received_at or None,
                cause=handoff.cause.value,
                cause_detail=detail,
                priority=PRIORITY.get(handoff.cause, 0),
                language=handoff.language,
                sentiment=handoff.sentiment,
                topic=handoff.topic or conversation.topic,
                team=team_for(handoff.language, handoff.topic, teams.list_teams(c)).id,
            )
        )

    async def back_to_bot(
        self, conversation: Conversation, inbound: Inbound, version: int
    ) -> Conversation:
        """Give the conversation back to the bot: the customer does not want to wait."""
        cancelled = _event(conversation, inbound, HandoffCancelled(), version)
        return await self._change(
            lambda c: store.change(
                c, conversation, State.BOT, key=cancel_key(inbound.id), events=(cancelled,)
            )
        )

    async def leave_message(
        self, conversation: Conversation, inbound: Inbound, version: int
    ) -> Conversation:
        """Note that the customer does not wait in the chat, but for an answer later."""
        left = _event(conversation, inbound, HandoffLeft(), version)
        return await self._change(
            lambda c: store.amend(
                c,
                conversation,
                key=f"{inbound.id}:left",
                events=(left,),
                callback_at=inbound.received_at,
            )
        )

    async def wake(self, conversation: Conversation, inbound: Inbound) -> Conversation:
        """End a snooze: the customer wrote."""
        return await self._change(
            lambda c: store.change(c, conversation, State.ASSIGNED, key=f"{inbound.id}:woken")
        )

    async def standing(self, conversation: Conversation, now: float) -> Standing:
        """Look where a waiting conversation stands at a moment."""
        online = await presence.idle_times(self._redis)

        def look(connection: Connection) -> Standing:
            team = teams.find_team(connection, conversation.team)
            people = roster.serving(roster.agents(connection, online, self._away_after_s), team)
            place = place_of(connection, conversation, len(people))
            calendar = attendance(team.hours, now)
            return Standing(replace(place, closed=calendar.closed), calendar)

        return await self._database.read(look)

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
    what: EventData,
    version: int,
    actor: str = "customer",
) -> Event:
    """An event of the customer's message, written with the change it tells of."""
    return Event.of(
        conversation,
        what,
        key=inbound.id,
        actor=actor,
        content_version=version,
        occurred_at=inbound.received_at,
    )


def handoff_key(message: str) -> str:
    """Idempotency key of the handoff a message causes."""
    return f"{message}:handoff"


def cancel_key(message: str) -> str:
    """Idempotency key of leaving the queue by a message."""
    return f"{message}:cancel"


def is_queued_by(conversation: Conversation, message: str) -> bool:
    """Tell whether this message put the conversation into the queue, before a crash."""
    return conversation.state == State.WAITING and conversation.last_change == handoff_key(message)


def is_freed_by(conversation: Conversation, message: str) -> bool:
    """Tell whether this message took the conversation out of the queue, before a crash."""
    return conversation.state == State.BOT and conversation.last_change == cancel_key(message)
