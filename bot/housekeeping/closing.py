"""Closing by time: idle conversations, abandoned waits, conversations of agents who left."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import redis.asyncio
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from bot.conversation import store
from bot.conversation.changes import Changes
from bot.conversation.states import State
from bot.conversation.store import Conversation
from bot.errors import TransitionRefused
from bot.events import EpisodeClosed, Event, EventData, HandoffDelayed, HandoffRequeued
from bot.handoff.notices import Notices
from bot.handoff.opening import Attendance, attendance, sentence
from bot.handoff.waiting import actions_under, notice
from bot.routing import presence, roster, teams
from bot.routing.model import Team
from bot.routing.queue import QueuePlace, place_of
from bot.settings import Settings
from bot.stores.database import Database
from bot.stores.set_aside import SetAside
from bot.stores.tables import conversations, customers, events, users

EVERY_S = 15.0
BATCH = 200
Conditions = tuple[sa.ColumnElement[bool], ...]
Act = Callable[[Conversation, float], Awaitable[int]]


class ConversationCloser:
    """Closer of conversations; every housekeeper may run it, one of them wins."""

    def __init__(self, settings: Settings, database: Database, client: redis.asyncio.Redis) -> None:
        self._settings = settings
        self._database = database
        self._redis = client
        self._changes = Changes(settings.shards, database, client)
        self._notices = Notices(settings, database, client)
        self.aside = SetAside("closing")

    async def step(self, now: float) -> int:
        """Run once; return how many conversations changed."""
        changed = 0
        for part in (self._idle, self._abandoned, self._waiting_too_long, self._left_alone):
            # A fault of no single conversation, such as a team that cannot be read, must not stop
            # the other parts.
            if part.__name__ not in self.aside:
                with self.aside.row(part.__name__):
                    changed += await part(now)
        return changed

    async def _idle(self, now: float) -> int:
        """Close the bot's conversations that nobody writes in any more."""
        c, before = conversations.c, now - self._settings.episode_idle_s
        old = (c.state == State.BOT.value, c.last_message_at < before)
        return await self._each(old, self._close, now, c.last_message_at)

    async def _abandoned(self, now: float) -> int:
        """Close waiting conversations that nobody wrote in during the team's working hours.

        Those left as a message are kept longer, by the calendar alone.
        """
        c, limit_s = conversations.c, self._settings.queue_abandon_s
        callback_limit = now - self._settings.callback_keep_s
        # A customer who was told that the team is back on Monday keeps their place until then.
        queued = await self._by_team(
            c.last_message_at, lambda team: team.hours.back(now, limit_s) or 0.0
        )
        older = sa.or_(
            sa.and_(c.callback_at.is_(None), queued),
            sa.and_(c.callback_at.is_not(None), c.last_message_at < callback_limit),
        )
        return await self._each((_WAITING, older), self._abandon, now, c.waiting_since)

    async def _waiting_too_long(self, now: float) -> int:
        """Tell customers who wait in the chat, once, that it takes longer."""
        if not self._settings.wait_apology_s:
            return 0
        c, limit_s = conversations.c, self._settings.wait_apology_s
        late = await self._by_team(c.waiting_since, lambda team: _late_since(team, now, limit_s))
        not_told_yet = (_WAITING, late, c.callback_at.is_(None), c.late_told_at.is_(None))
        return await self._each(not_told_yet, self._apologise, now, c.waiting_since)

    async def _left_alone(self, now: float) -> int:
        """Put conversations of agents who left back into the queue."""
        c, changed = conversations.c, 0
        for owner in await self._database.run(_owners):
            if await presence.offline_s(self._redis, owner, now) > self._settings.agent_gone_s:
                owned = (c.owner == owner, c.state == State.ASSIGNED.value)
                changed += await self._each(owned, self._requeue, now, c.id)
        return changed

    async def _each(
        self, conditions: Conditions, act: Act, now: float, order: sa.ColumnElement[Any]
    ) -> int:
        """Call `act` with each matching conversation; return how many changed.

        Each is read separately, since one that cannot be read must not hold up the others.
        """
        not_aside = (*conditions, conversations.c.id.not_in(self.aside.ids()))
        changed = 0
        for id_ in await self._database.read(lambda c: _ids(c, not_aside, order)):
            with self.aside.row(id_):
                conversation = await self._database.read(
                    partial(_read_if, id_=id_, conditions=conditions)
                )
                changed += await act(conversation, now) if conversation else 0
        return changed

    async def _by_team(
        self, moment: sa.ColumnElement[float], since: Callable[[Team], float]
    ) -> sa.ColumnElement[bool]:
        """Return the condition that `moment` is before what `since` returns for the team."""
        c = conversations.c
        all_teams = await self._database.read(teams.list_teams)
        team_ids = [team.id for team in all_teams if not team.everyone]
        conditions = [
            sa.and_(
                sa.or_(c.team.is_(None), c.team.not_in(team_ids))
                if team.everyone
                else c.team == team.id,
                moment < since(team),
            )
            for team in all_teams
        ]
        return sa.or_(*conditions)

    async def _apologise(self, conversation: Conversation, now: float) -> int:
        """Send an apology with the present place and estimate, and offer to leave a message."""
        key = f"late:{conversation.episode_id}:{conversation.version}"
        waited_s = round(now - (conversation.waiting_since or now), 3)
        delayed = _event(conversation, HandoffDelayed(waited_s), key, now)
        try:
            updated = await self._changes.apply(
                conversation.id,
                lambda c: store.amend(
                    c, conversation, key=key, events=(delayed,), late_told_at=now
                ),
            )
        except TransitionRefused:
            return 0
        if updated.blocked:
            return 1
        idle_times = await presence.idle_times(self._redis)
        away_s = self._settings.away_after_s

        def work(connection: Connection) -> tuple[QueuePlace, Attendance, str, str]:
            team = teams.find_team(connection, updated.team)
            people = roster.serving(roster.agents(connection, idle_times, away_s), team)
            place = place_of(connection, updated, len(people))
            team_attendance = attendance(team.hours, now)
            columns = customers.c
            row = connection.execute(
                sa.select(columns.locale, columns.zone).where(columns.id == updated.customer_id)
            ).first()
            locale, zone = row or ("", "")
            return replace(place, closed=team_attendance.closed), team_attendance, locale, zone

        place, team_attendance, locale, zone = await self._database.read(work)
        hours = sentence(self._notices.texts, updated.language, team_attendance, now, locale, zone)
        utter, values = notice("late", place, hours)
        await self._send_notice(updated, utter, key, **values)
        return 1

    async def _abandon(self, conversation: Conversation, now: float) -> int:
        return await self._close(conversation, now, "utter_abandoned")

    async def _close(self, conversation: Conversation, now: float, utter: str = "") -> int:
        key = f"sweep:{conversation.episode_id}:{conversation.version}"

        def work(connection: Connection) -> Conversation:
            outcome = "abandoned" if utter else _bot_outcome(connection, conversation.episode_id)
            closed = _event(conversation, EpisodeClosed(outcome), key, now)
            return store.change(
                connection, conversation, State.CLOSED, key=key, events=(closed,), now=now
            )

        try:
            closed = await self._changes.apply(conversation.id, work)
        except TransitionRefused:
            return 0
        if utter:
            await self._send_notice(closed, utter, key)
        return 1

    async def _requeue(self, conversation: Conversation, now: float) -> int:
        key = f"sweep:{conversation.episode_id}:{conversation.version}"
        requeued = _event(conversation, HandoffRequeued("agent-gone"), key, now)
        try:
            waiting = await self._changes.apply(
                conversation.id,
                lambda c: store.change(
                    c, conversation, State.WAITING, key=key, events=(requeued,), now=now
                ),
            )
        except TransitionRefused:
            return 0
        if waiting.callback_at or store.is_answered_elsewhere(conversation):
            # They left a message and were never told which agent has it, or people answered from a
            # page's inbox, who may continue to do so.
            return 1
        agents = await presence.count_online(self._redis)
        place = await self._database.read(lambda c: place_of(c, waiting, agents))
        name = await self._database.read(lambda c: _name_of(c, conversation.owner))
        await self._send_notice(
            waiting, "utter_agent_transferred", key, agent=name, place=place.place
        )
        return 1

    async def _send_notice(
        self, conversation: Conversation, utter: str, key: str, **values: object
    ) -> None:
        actions = actions_under(utter) if conversation.state == State.WAITING else ()
        await self._notices.say(conversation, utter, f"{key}:{utter}", values, actions=actions)


_WAITING = conversations.c.state == State.WAITING.value


def _late_since(team: Team, now: float, limit_s: float) -> float:
    """Return the moment before which a wait must have begun for the apology.

    Only working time counts. A customer who came to a closed team was told when it opens, and is
    not told again before that; one who waited when it closed is.
    """
    since = team.hours.back(now, limit_s if team.hours.is_open(now) else 1.0)
    return 0.0 if since is None else min(now - limit_s, since)


def _name_of(connection: Connection, user_id: str | None) -> str:
    name = connection.execute(sa.select(users.c.name).where(users.c.id == user_id))
    return str(name.scalar_one_or_none() or "")


def _owners(connection: Connection) -> list[str]:
    c = conversations.c
    rows = connection.execute(
        sa.select(c.owner).distinct().where(c.state == State.ASSIGNED.value, c.owner.is_not(None))
    )
    return [row.owner for row in rows]


def _ids(
    connection: Connection, conditions: Conditions, order: sa.ColumnElement[Any]
) -> Sequence[str]:
    query = sa.select(conversations.c.id).where(*conditions).order_by(order).limit(BATCH)
    return connection.execute(query).scalars().all()


def _read_if(connection: Connection, id_: str, conditions: Conditions) -> Conversation | None:
    """Read a conversation; None if it no longer meets the conditions."""
    row = connection.execute(
        sa.select(conversations).where(conversations.c.id == id_, *conditions)
    ).mappings()
    first_row = row.first()
    return Conversation.from_row(first_row) if first_row else None


def _bot_outcome(connection: Connection, episode: str) -> str:
    """Return `bot-resolved` if rated helpful, `abandoned` after a failure, or else `unknown`."""
    last_event = connection.execute(
        sa.select(events.c.type, events.c.data)
        .where(
            events.c.episode_id == episode,
            events.c.type.in_(("answer.rated", "clarification.asked", "turn.failed")),
        )
        .order_by(events.c.occurred_at.desc())
        .limit(1)
    ).first()
    if last_event is None:
        return "unknown"
    if last_event.type == "answer.rated" and last_event.data.get("helped"):
        return "bot-resolved"
    return "abandoned"


def _event(conversation: Conversation, data: EventData, key: str, now: float) -> Event:
    return Event.of(conversation, data, key=key, actor="system", occurred_at=now)
