"""Conversations that end or move by time alone: idle ones, abandoned waits, agents gone."""

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


class Sweeper:
    """Closes and requeues what time has decided; every housekeeper may, one of them wins."""

    def __init__(self, settings: Settings, database: Database, client: redis.asyncio.Redis) -> None:
        self._settings = settings
        self._database = database
        self._redis = client
        self._changes = Changes(settings.shards, database, client)
        self._notices = Notices(settings, database, client)
        self.aside = SetAside("closing")

    async def step(self, now: float) -> int:
        """Sweep once; return how many conversations changed."""
        changed = 0
        for part in (self._idle, self._abandoned, self._waiting_too_long, self._left_alone):
            # What no conversation is to blame for, such as a team that cannot be read, must not
            # stop the other parts.
            if part.__name__ not in self.aside:
                with self.aside.row(part.__name__):
                    changed += await part(now)
        return changed

    async def _idle(self, now: float) -> int:
        """Close the bot's conversations nobody writes in any more."""
        c, before = conversations.c, now - self._settings.episode_idle_s
        old = (c.state == State.BOT.value, c.last_message_at < before)
        return await self._each(old, self._close, now, c.last_message_at)

    async def _abandoned(self, now: float) -> int:
        """Close waiting ones nobody wrote in while the team worked; those left as a message are
        kept for longer, by the calendar alone."""
        c, limit_s = conversations.c, self._settings.queue_abandon_s
        left = now - self._settings.callback_keep_s
        # Who was told that people are back on Monday keeps their place until then.
        queued = await self._by_team(
            c.last_message_at, lambda team: team.hours.back(now, limit_s) or 0.0
        )
        older = sa.or_(
            sa.and_(c.callback_at.is_(None), queued),
            sa.and_(c.callback_at.is_not(None), c.last_message_at < left),
        )
        return await self._each((_WAITING, older), self._abandon, now, c.waiting_since)

    async def _waiting_too_long(self, now: float) -> int:
        """Tell those who wait in the chat, once, that it takes longer."""
        if not self._settings.wait_apology_s:
            return 0
        c, limit_s = conversations.c, self._settings.wait_apology_s
        late = await self._by_team(c.waiting_since, lambda team: _late_since(team, now, limit_s))
        untold = (_WAITING, late, c.callback_at.is_(None), c.late_told_at.is_(None))
        return await self._each(untold, self._apologise, now, c.waiting_since)

    async def _left_alone(self, now: float) -> int:
        """Put conversations of agents who are gone back into the queue."""
        c, changed = conversations.c, 0
        for owner in await self._database.run(_owners):
            if await presence.offline_s(self._redis, owner, now) > self._settings.agent_gone_s:
                theirs = (c.owner == owner, c.state == State.ASSIGNED.value)
                changed += await self._each(theirs, self._requeue, now, c.id)
        return changed

    async def _each(
        self, which: Conditions, act: Act, now: float, order: sa.ColumnElement[Any]
    ) -> int:
        """Do something with each conversation of a kind; return how many changed.

        Each is read by itself, since one that cannot be read must hold up no other.
        """
        left = (*which, conversations.c.id.not_in(self.aside.ids()))
        changed = 0
        for id_ in await self._database.read(lambda c: _ids(c, left, order)):
            with self.aside.row(id_):
                seen = await self._database.read(partial(_one, id_=id_, which=which))
                changed += await act(seen, now) if seen else 0
        return changed

    async def _by_team(
        self, moment: sa.ColumnElement[float], since: Callable[[Team], float]
    ) -> sa.ColumnElement[bool]:
        """Those whose `moment` lies before what `since` says for their team."""
        c = conversations.c
        known = await self._database.read(teams.list_teams)
        named = [team.id for team in known if not team.everyone]
        before = [
            sa.and_(
                sa.or_(c.team.is_(None), c.team.not_in(named))
                if team.everyone
                else c.team == team.id,
                moment < since(team),
            )
            for team in known
        ]
        return sa.or_(*before)

    async def _apologise(self, seen: Conversation, now: float) -> int:
        """Say sorry, with place and estimate as they are now, and offer to leave a message."""
        key = f"late:{seen.episode_id}:{seen.version}"
        waited_s = round(now - (seen.waiting_since or now), 3)
        delayed = _event(seen, HandoffDelayed(waited_s), key, now)
        try:
            told = await self._changes.apply(
                seen.id,
                lambda c: store.amend(c, seen, key=key, events=(delayed,), late_told_at=now),
            )
        except TransitionRefused:
            return 0
        if told.blocked:
            return 1
        here = await presence.idle_times(self._redis)
        away_s = self._settings.away_after_s

        def work(connection: Connection) -> tuple[QueuePlace, Attendance, str, str]:
            team = teams.find_team(connection, told.team)
            people = roster.serving(roster.agents(connection, here, away_s), team)
            place = place_of(connection, told, len(people))
            there = attendance(team.hours, now)
            who = customers.c
            row = connection.execute(
                sa.select(who.locale, who.zone).where(who.id == told.customer_id)
            ).first()
            locale, zone = row or ("", "")
            return replace(place, closed=there.closed), there, locale, zone

        place, there, locale, zone = await self._database.read(work)
        hours = sentence(self._notices.texts, told.language, there, now, locale, zone)
        utter, values = notice("late", place, hours)
        await self._tell(told, utter, key, **values)
        return 1

    async def _abandon(self, seen: Conversation, now: float) -> int:
        return await self._close(seen, now, "utter_abandoned")

    async def _close(self, seen: Conversation, now: float, utter: str = "") -> int:
        key = f"sweep:{seen.episode_id}:{seen.version}"

        def work(connection: Connection) -> Conversation:
            outcome = "abandoned" if utter else _bot_outcome(connection, seen.episode_id)
            closed = _event(seen, EpisodeClosed(outcome), key, now)
            return store.change(connection, seen, State.CLOSED, key=key, events=(closed,), now=now)

        try:
            closed = await self._changes.apply(seen.id, work)
        except TransitionRefused:
            return 0
        if utter:
            await self._tell(closed, utter, key)
        return 1

    async def _requeue(self, seen: Conversation, now: float) -> int:
        key = f"sweep:{seen.episode_id}:{seen.version}"
        requeued = _event(seen, HandoffRequeued("agent-gone"), key, now)
        try:
            waiting = await self._changes.apply(
                seen.id,
                lambda c: store.change(
                    c, seen, State.WAITING, key=key, events=(requeued,), now=now
                ),
            )
        except TransitionRefused:
            return 0
        if waiting.callback_at or store.is_answered_elsewhere(seen):
            # They left a message and were never told who has it, or talked to people without a
            # name of ours, whose inbox may well go on answering.
            return 1
        agents = await presence.count_online(self._redis)
        place = await self._database.read(lambda c: place_of(c, waiting, agents))
        name = await self._database.read(lambda c: _name_of(c, seen.owner))
        await self._tell(waiting, "utter_agent_transferred", key, agent=name, place=place.place)
        return 1

    async def _tell(
        self, conversation: Conversation, utter: str, key: str, **values: object
    ) -> None:
        actions = actions_under(utter) if conversation.state == State.WAITING else ()
        await self._notices.say(conversation, utter, f"{key}:{utter}", values, actions=actions)


_WAITING = conversations.c.state == State.WAITING.value


def _late_since(team: Team, now: float, limit_s: float) -> float:
    """Who has waited since before this moment is told that it takes longer.

    Only working time counts: who came to a closed team was told when it opens, and is not told
    again before; who waited when it closed is.
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


def _ids(connection: Connection, which: Conditions, order: sa.ColumnElement[Any]) -> Sequence[str]:
    query = sa.select(conversations.c.id).where(*which).order_by(order).limit(BATCH)
    return connection.execute(query).scalars().all()


def _one(connection: Connection, id_: str, which: Conditions) -> Conversation | None:
    """The conversation, unless it changed meanwhile so that it is none of these any more."""
    row = connection.execute(
        sa.select(conversations).where(conversations.c.id == id_, *which)
    ).mappings()
    found = row.first()
    return Conversation.from_row(found) if found else None


def _bot_outcome(connection: Connection, episode: str) -> str:
    """`bot-resolved` if the customer said it helped, `abandoned` after a failure, else unknown."""
    last = connection.execute(
        sa.select(events.c.type, events.c.data)
        .where(
            events.c.episode_id == episode,
            events.c.type.in_(("answer.rated", "clarification.asked", "turn.failed")),
        )
        .order_by(events.c.occurred_at.desc())
        .limit(1)
    ).first()
    if last is None:
        return "unknown"
    if last.type == "answer.rated" and last.data.get("helped"):
        return "bot-resolved"
    return "abandoned"


def _event(seen: Conversation, what: EventData, key: str, now: float) -> Event:
    return Event.of(seen, what, key=key, actor="system", occurred_at=now)
