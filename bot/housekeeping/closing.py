"""Conversations that end or move by time alone: idle ones, abandoned waits, agents gone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import redis.asyncio
import sqlalchemy as sa
import structlog
from sqlalchemy.engine import Connection

from bot.content.texts import SystemTexts
from bot.conversation import store
from bot.conversation.changes import Changes
from bot.conversation.states import State
from bot.conversation.store import Conversation
from bot.errors import StoreUnavailable, TransitionRefused
from bot.events import Event
from bot.handoff.opening import Attendance, attendance, sentence
from bot.handoff.waiting import actions_under, buttons, notice
from bot.routing import presence, roster, teams
from bot.routing.model import Team
from bot.routing.queue import QueuePlace, place_of
from bot.settings import Settings
from bot.stores.database import Database
from bot.stores.tables import conversations, customers, events, users
from bot.stores.tasks import goes_on
from bot.streams import delivery
from bot.streams.messages import Outbound

LOG = structlog.get_logger(__name__)
EVERY_S = 15
BATCH = 200


class Sweeper:
    """Closes and requeues what time has decided; every housekeeper may, one of them wins."""

    def __init__(self, settings: Settings, database: Database, client: redis.asyncio.Redis) -> None:
        self._settings = settings
        self._database = database
        self._redis = client
        self._changes = Changes(settings.shards, database, client)
        self._texts = SystemTexts.load(settings.default_language)

    async def run(self) -> None:
        """Sweep until cancelled."""
        while goes_on():
            await asyncio.sleep(EVERY_S)
            try:
                await self.step(time.time())
            except StoreUnavailable as error:
                LOG.warning("sweep.delayed", reason=str(error))

    async def step(self, now: float) -> int:
        """Sweep once; return how many conversations changed."""
        idle = now - self._settings.episode_idle_s
        changed = 0
        for conversation in await self._older(State.BOT, idle):
            changed += await self._close(conversation, now)
        for conversation in await self._abandoned(now):
            changed += await self._close(conversation, now, "utter_abandoned")
        for conversation in await self._waiting_too_long(now):
            changed += await self._apologise(conversation, now)
        for owner in await self._database.run(_owners):
            if await presence.offline_s(self._redis, owner, now) > self._settings.agent_gone_s:
                for conversation in await self._database.run(partial(_owned_by, owner=owner)):
                    changed += await self._requeue(conversation, now)
        return changed

    async def _older(self, state: State, before: float) -> list[Conversation]:
        def work(connection: Connection) -> list[Conversation]:
            rows = connection.execute(
                sa.select(conversations)
                .where(
                    conversations.c.state == state.value,
                    conversations.c.last_message_at < before,
                )
                .order_by(conversations.c.last_message_at)
                .limit(BATCH)
            ).mappings()
            return [Conversation.from_row(row) for row in rows]

        return await self._database.read(work)

    async def _abandoned(self, now: float) -> list[Conversation]:
        """Waiting ones nobody wrote in while the team worked; those left as a message are kept for
        longer, by the calendar alone."""
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
        return await self._waiting(older)

    async def _waiting_too_long(self, now: float) -> list[Conversation]:
        """Those who wait in the chat, and were not told yet that it takes longer."""
        if not self._settings.wait_apology_s:
            return []
        c, limit_s = conversations.c, self._settings.wait_apology_s
        late = await self._by_team(c.waiting_since, lambda team: _late_since(team, now, limit_s))
        return await self._waiting(late, c.callback_at.is_(None), c.late_told_at.is_(None))

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

    async def _waiting(self, *conditions: sa.ColumnElement[bool]) -> list[Conversation]:
        def work(connection: Connection) -> list[Conversation]:
            rows = connection.execute(
                sa.select(conversations)
                .where(conversations.c.state == State.WAITING.value, *conditions)
                .order_by(conversations.c.waiting_since)
                .limit(BATCH)
            ).mappings()
            return [Conversation.from_row(row) for row in rows]

        return await self._database.read(work)

    async def _apologise(self, seen: Conversation, now: float) -> int:
        """Say sorry, with place and estimate as they are now, and offer to leave a message."""
        key = f"late:{seen.episode_id}:{seen.version}"
        waited_s = round(now - (seen.waiting_since or now), 3)
        delayed = _event(seen, "handoff.delayed", key, now, {"waited_s": waited_s})
        try:
            told = await self._changes.apply(
                seen.id,
                lambda c: store.amend(c, seen, key=key, events=(delayed,), late_told_at=now),
            )
        except TransitionRefused:
            return 0
        if told.blocked:
            return 1
        here = await presence.here(self._redis)
        away_s = self._settings.away_after_s

        def work(connection: Connection) -> tuple[QueuePlace, Attendance, str, str]:
            team = teams.find_team(connection, told.team)
            people = roster.serving(roster.seats(connection, here, away_s), team)
            place = place_of(connection, told, len(people))
            there = attendance(team.hours, now)
            who = customers.c
            row = connection.execute(
                sa.select(who.locale, who.zone).where(who.id == told.customer_id)
            ).first()
            locale, zone = row or ("", "")
            return replace(place, closed=there.closed), there, locale, zone

        place, there, locale, zone = await self._database.read(work)
        hours = sentence(self._texts, told.language, there, now, locale, zone)
        utter, values = notice("late", place, hours)
        await self._tell(told, utter, key, **values)
        return 1

    async def _close(self, seen: Conversation, now: float, utter: str = "") -> int:
        key = f"sweep:{seen.episode_id}:{seen.version}"

        def work(connection: Connection) -> Conversation:
            outcome = "abandoned" if utter else _bot_outcome(connection, seen.episode_id)
            closed = _event(seen, "episode.closed", key, now, {"outcome": outcome})
            return store.change(connection, seen, State.CLOSED, key=key, events=(closed,), now=now)

        try:
            closed = await self._changes.apply(seen.id, work)
        except TransitionRefused:
            return 0
        if utter and not closed.blocked:
            await self._tell(closed, utter, key)
        return 1

    async def _requeue(self, seen: Conversation, now: float) -> int:
        key = f"sweep:{seen.episode_id}:{seen.version}"
        requeued = _event(seen, "handoff.requeued", key, now, {"reason": "agent-gone"})
        try:
            waiting = await self._changes.apply(
                seen.id,
                lambda c: store.change(
                    c, seen, State.WAITING, key=key, events=(requeued,), now=now
                ),
            )
        except TransitionRefused:
            return 0
        if waiting.callback_at or store.is_elsewhere(seen):
            # They left a message and were never told who has it, or talked to people without a
            # name of ours, whose inbox may well go on answering.
            return 1
        agents = await presence.online(self._redis)
        place = await self._database.read(lambda c: place_of(c, waiting, agents))
        name = await self._database.read(lambda c: _name_of(c, seen.owner))
        await self._tell(waiting, "utter_agent_transferred", key, agent=name, place=place.place)
        return 1

    async def _tell(
        self, conversation: Conversation, utter: str, key: str, **values: object
    ) -> None:
        id_ = f"{key}:{utter}"[:96]
        ways = actions_under(utter) if conversation.state == State.WAITING else ()
        message = Outbound(
            id=id_,
            conversation=conversation.id,
            channel=conversation.channel,
            account=conversation.account,
            vendor_user=conversation.vendor_user,
            text=self._texts.render(utter, conversation.language, **values),
            author="automatic",
            language=self._texts.language_for(utter, conversation.language),
            quick_replies=buttons(self._texts, id_, conversation.language, ways),
            utter=utter,
            created_at=time.time(),
            state=conversation.state.value,
        )
        await delivery.send(
            self._redis, self._settings.shards, message, episode_id=conversation.episode_id
        )


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


def _owned_by(connection: Connection, owner: str) -> list[Conversation]:
    rows = connection.execute(
        sa.select(conversations)
        .where(conversations.c.owner == owner, conversations.c.state == State.ASSIGNED.value)
        .limit(BATCH)
    ).mappings()
    return [Conversation.from_row(row) for row in rows]


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


def _event(seen: Conversation, kind: str, key: str, now: float, data: dict[str, Any]) -> Event:
    return Event(
        id=f"{key}:{kind}",
        type=kind,
        conversation=seen.id,
        episode_id=seen.episode_id,
        channel=seen.channel,
        language=seen.language,
        actor="system",
        data=data,
        occurred_at=now,
    )
