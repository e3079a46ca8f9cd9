"""Hub of live updates: one WebSocket per page, one Redis subscription per process.

A change arrives as (conversation, what) on `redis_keys.LIVE_CHANNEL`, new messages as a list of
conversations on `NEWS_CHANNEL`. Changes are collected for `COALESCE_S`, read from SQL once,
rendered once, and sent to every page that shows them. Nothing depends on a notice arriving: a page
that reconnects fetches its list and thread again.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Iterable
from typing import Any

import redis.asyncio
import structlog

from bot.desk.conversation.suggestions import Suggester
from bot.desk.live.seats import Seat, Seats
from bot.desk.live.updates import Updates
from bot.desk.live.watchers import NOTICES, Watchers
from bot.desk.people import auth
from bot.desk.people.auth import Session
from bot.desk.rendering import Renderer
from bot.desk.texts import Texts
from bot.errors import StoreUnavailable
from bot.handoff.service import HandoffService
from bot.stores.database import Database
from bot.stores.redis_client import guarded
from bot.stores.redis_keys import LIVE_CHANNEL, NEWS_CHANNEL
from bot.stores.subscription import Subscription

log = structlog.get_logger()

COALESCE_S = 0.04
COUNT_S = 1.0
HEARTBEAT_S = 15.0
"""A third of the presence's life, so that one lost beat does not show."""
ACTIVE_S = 5.0
"""Noted at most this often, however much a user does."""
RETRY_S = 5.0
RESYNC = '{"type":"resync"}'
"""The frame that makes a page fetch its list and thread again."""


class Hub:
    """Hub of this process: its open pages and the tasks that keep them up to date."""

    def __init__(
        self,
        database: Database,
        client: redis.asyncio.Redis,
        service: HandoffService,
        renderer: Renderer,
        suggester: Suggester,
    ) -> None:
        self._database = database
        self._redis = client
        self._service = service
        self._seats = Seats()
        self._watchers = Watchers()
        self._updates = Updates(database, renderer, suggester, self._seats)
        self._dirty: set[str] = set()
        self._wake = asyncio.Event()
        self._recount = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self.listening = asyncio.Event()
        """Set while subscribed to the live channel."""
        self._ear = Subscription(
            client,
            "desk",
            (LIVE_CHANNEL, NEWS_CHANNEL),
            self._hear,
            begun=self._begun,
            lost=self.listening.clear,
        )

    def start(self) -> None:
        self._tasks = [
            asyncio.create_task(work(), name=work.__qualname__)
            for work in (
                self._ear.run,
                self._flush_forever,
                self._count_forever,
                self._beat_forever,
            )
        ]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for seat in self._seats:
            seat.lose()

    @contextlib.asynccontextmanager
    async def seated(self, session: Session, texts: Texts) -> AsyncIterator[Seat]:
        """Keep a page up to date while the context lasts; the agent is online meanwhile."""
        seat = Seat(session, texts)
        self._seats.add(seat)
        try:
            await self._service.arrived(session.user.id)
            yield seat
        finally:
            self._seats.discard(seat)
            shown = seat.conversation
            self._seats.turn(seat, "")
            await self._leave(seat, shown)

    def dismiss(self, user_id: str) -> None:
        """Close the pages of a user whose sessions have ended."""
        for seat in self._seats.of_user(user_id):
            seat.lose()

    async def look(self, seat: Seat, conversation: str, sent_versions: dict[str, str]) -> None:
        """Show a conversation on a page, and everything it has missed."""
        left = seat.conversation if seat.conversation != conversation else ""
        if left or not conversation:
            self._seats.turn(seat, "")
        if left:
            await self._announce(seat, "left", left)
        if not conversation:
            return
        if not await self._updates.may_show(seat, conversation):
            self._seats.turn(seat, "")  # it may have shown it before
            return
        # Only now: whatever is said of a conversation goes to all who show it.
        self._seats.turn(seat, conversation)
        seat.sent = dict(sent_versions)
        await self._updates.show(seat)
        if seat.conversation != conversation:
            return
        await self._announce(seat, "look", conversation)
        self._tell_watchers(conversation)

    def listed(self, seat: Seat, conversations: Iterable[str], *, more: bool) -> None:
        """Note which rows a page has (`more` beside those before): of these it hears when they
        leave its sight."""
        if not more:
            seat.rows.clear()
        seat.has(conversations)

    async def typing(self, seat: Seat, kind: str) -> None:
        """Notify colleagues of typing: a `reply`, or anything else as a note.

        The widget shows `typing` to the customer (channels.webchat.server.hub), so that is only
        ever said of a reply by the agent who has the conversation.
        """
        if seat.conversation:
            reply = kind == "reply" and seat.answers
            await self._announce(seat, "typing" if reply else "noting", seat.conversation)

    async def active(self, seat: Seat) -> None:
        """Note that the user of a page does something."""
        now = time.monotonic()
        if now - seat.active_at > ACTIVE_S:
            seat.active_at = now
            with contextlib.suppress(StoreUnavailable):
                await self._service.active(seat.session.user.id)

    async def publish(self, conversation: str, what: str, **more: str) -> None:
        """Tell every desk process that a conversation changed."""
        body = json.dumps({"conversation": conversation, "what": what, **more})
        await guarded(self._redis.publish(LIVE_CHANNEL, body))

    # -- incoming notices

    def _begun(self) -> None:
        self.listening.set()
        # What happened while nobody listened is unknown: let every page fetch again.
        self._seats.put_to_all(RESYNC)

    def _hear(self, channel: str, body: str) -> None:
        if channel == NEWS_CHANNEL:
            self._take_news(body)
        else:
            self._take(body)

    def _take(self, body: str) -> None:
        try:
            notice = json.loads(body)
            conversation, what = str(notice["conversation"]), str(notice.get("what", ""))
        except (ValueError, KeyError, TypeError):
            log.warning("desk.live_unreadable")
            return
        if what in NOTICES:
            user_id, name = str(notice.get("user", "")), str(notice.get("name", ""))
            self._watchers.note(conversation, what, user_id, name)
            self._tell_watchers(conversation)
            return
        if what == "mention":
            self._mention(conversation, notice)
        self._dirty.add(conversation)
        self._wake.set()

    def _take_news(self, body: str) -> None:
        if not self._seats:
            return
        try:
            self._dirty.update(map(str, json.loads(body)))
        except (ValueError, TypeError):
            log.warning("desk.live_unreadable")
            return
        self._wake.set()

    def _mention(self, conversation: str, notice: dict[str, Any]) -> None:
        frame = {"type": "mention", "conversation": conversation, "by": str(notice.get("by", ""))}
        for seat in self._seats.of_user(str(notice.get("user", ""))):
            seat.put(json.dumps(frame, ensure_ascii=False))

    # -- outgoing changes

    async def _flush_forever(self) -> None:
        while True:
            await self._wake.wait()
            await asyncio.sleep(COALESCE_S)
            self._wake.clear()
            changed, self._dirty = self._dirty, set()
            try:
                await self._flush(changed)
            except StoreUnavailable as error:
                log.warning("desk.live_skipped", reason=str(error), conversations=len(changed))
                self._seats.put_to_all(RESYNC)
                await asyncio.sleep(RETRY_S)
            except Exception:
                # The outermost loop of this task: one bad row must not end live updates.
                log.exception("desk.live_failed")
                self._seats.put_to_all(RESYNC)

    async def _flush(self, changed: set[str]) -> None:
        if self._seats:
            self._recount.set()
            await self._updates.send(changed)

    async def _count_forever(self) -> None:
        """Tell users how many conversations their own lists have, at most once in `COUNT_S`."""
        while True:
            await self._recount.wait()
            await asyncio.sleep(COUNT_S)
            self._recount.clear()
            try:
                await self._updates.send_sizes()
            except StoreUnavailable as error:
                log.warning("desk.counts_skipped", reason=str(error))
            except Exception:
                # The outermost loop of this task, as above.
                log.exception("desk.counts_failed")

    # -- presence

    async def _beat_forever(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_S)
            self._watchers.drop_all_silent()
            try:
                await self._drop_ended()
                for user_id in {seat.session.user.id for seat in self._seats}:
                    await self._service.seen(user_id)
                for seat in self._seats:
                    if seat.conversation:
                        await self._announce(seat, "look", seat.conversation)
                online = await self._service.online()
                self._seats.put_to_all(json.dumps({"type": "online", "agents": online}))
            except StoreUnavailable as error:
                log.warning("desk.presence_skipped", reason=str(error))
            except Exception:
                # The outermost loop of this task, as above.
                log.exception("desk.presence_failed")

    async def _drop_ended(self) -> None:
        """Close pages whose session has ended: expired, logged out elsewhere, new password."""
        now = time.time()
        held = {seat.session.digest for seat in self._seats}
        alive = await self._database.read(lambda c: auth.still_valid(c, held, now))
        for seat in self._seats:
            if seat.session.digest not in alive:
                seat.lose()

    async def _leave(self, seat: Seat, shown: str) -> None:
        user_id = seat.session.user.id
        with contextlib.suppress(StoreUnavailable):
            if shown:
                await self._announce(seat, "left", shown)
            if not self._seats.of_user(user_id):
                await self._service.gone(user_id)

    async def _announce(self, seat: Seat, what: str, conversation: str) -> None:
        user = seat.session.user
        with contextlib.suppress(StoreUnavailable):
            await self.publish(conversation, what, user=user.id, name=user.name)

    def _tell_watchers(self, conversation: str) -> None:
        """Send pages who else looks at their conversation, if that has changed."""
        self._watchers.drop_silent(conversation)
        for seat in self._seats.showing(conversation):
            others = self._watchers.others(conversation, seat.session.user.id)
            frame = {"type": "people", "conversation": conversation, "people": others}
            body = json.dumps(frame)
            if body != seat.people:
                seat.people = body
                seat.put(body)
