"""What is live at the desk: one WebSocket a page, one Redis subscription a process.

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
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import redis
import redis.asyncio
import structlog
from sqlalchemy.engine import Connection

from bot.desk.conversation.suggestions import Suggester
from bot.desk.conversation.thread import Thread
from bot.desk.lists import queries, saved_filters
from bot.desk.lists.queries import Counts, Row
from bot.desk.people import auth, scope
from bot.desk.people.auth import Session
from bot.desk.rendering import Renderer
from bot.desk.texts import Texts
from bot.errors import StoreUnavailable
from bot.handoff.service import HandoffService
from bot.routing import teams
from bot.stores.database import Database
from bot.stores.redis_client import guarded
from bot.stores.redis_keys import LIVE_CHANNEL, NEWS_CHANNEL

log = structlog.get_logger()

COALESCE_S = 0.04
COUNT_S = 1.0
HEARTBEAT_S = 15.0
"""A third of the presence's life, so that one lost beat does not show."""
PEOPLE_S = 40.0
"""How long "is looking" lasts without a beat."""
TYPING_S = 6.0
ACTIVE_S = 5.0
"""Noted at most this often, however much a user does."""
QUEUE_FRAMES = 256
"""Frames a slow page may lag behind before it must reconnect."""
LOST = ""
"""In place of a frame: close the page's socket."""
RETRY_FIRST_S = 0.2
RETRY_LONGEST_S = 5.0


@dataclass(eq=False)
class Seat:
    """One open page."""

    session: Session
    texts: Texts
    frames: asyncio.Queue[str] = field(default_factory=lambda: asyncio.Queue(QUEUE_FRAMES))
    conversation: str = ""
    """The one it shows."""
    sent: dict[str, str] = field(default_factory=dict)
    """Item id → digest of what the page has."""
    people: str = ""
    """The frame that last told who else looks."""
    active_at: float = field(default_factory=time.monotonic)
    """When we last noted that its user does something."""
    answers: bool = False
    """Whether the conversation it shows is this user's, as last read."""

    def put(self, frame: str) -> None:
        try:
            self.frames.put_nowait(frame)
        except asyncio.QueueFull:
            self.lose()

    def lose(self) -> None:
        """Give the page up: it closes, comes back and fetches everything again."""
        while not self.frames.empty():
            self.frames.get_nowait()
        self.frames.put_nowait(LOST)


@dataclass
class _Person:
    name: str
    looks_until: float
    types_until: float = 0.0
    types: str = ""
    """`typing` a reply or `noting`."""


class Hub:
    """Seats of this process and what keeps them up to date."""

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
        self._renderer = renderer
        self._suggester = suggester
        self._seats: set[Seat] = set()
        self._looking: dict[str, set[Seat]] = {}
        """Conversation → the seats that show it."""
        self._dirty: set[str] = set()
        self._wake = asyncio.Event()
        self._recount = asyncio.Event()
        self._people: dict[str, dict[str, _Person]] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self.listening = asyncio.Event()
        """Set while subscribed to the live channel."""

    def start(self) -> None:
        self._tasks = [
            asyncio.create_task(work(), name=work.__name__)
            for work in (
                self._listen,
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
            self._turn(seat, "")
            await self._leave(seat, shown)

    def dismiss(self, user_id: str) -> None:
        """Close the pages of a user whose sessions have ended."""
        for seat in tuple(self._seats):
            if seat.session.user.id == user_id:
                seat.lose()

    async def look(self, seat: Seat, conversation: str, known: dict[str, str]) -> None:
        """Show a conversation on a page, and everything it has missed."""
        left = seat.conversation if seat.conversation != conversation else ""
        self._turn(seat, conversation)
        seat.sent = dict(known)
        if left:
            await self._announce(seat, "left", left)
        if not conversation:
            return
        await self._show(seat)
        if seat.conversation != conversation:
            return
        await self._announce(seat, "look", conversation)
        self._tell_people(conversation)

    def _turn(self, seat: Seat, conversation: str) -> None:
        if here := self._looking.get(seat.conversation):
            here.discard(seat)
            if not here:
                del self._looking[seat.conversation]
        seat.conversation, seat.people = conversation, ""
        if conversation:
            self._looking.setdefault(conversation, set()).add(seat)

    async def typing(self, seat: Seat, kind: str) -> None:
        """Tell colleagues that somebody writes: a `reply`, or anything else as a note.

        The widget shows `typing` to the customer (channels.webchat.hub), so that is only ever said
        of a reply by the agent who has the conversation.
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

    async def _listen(self) -> None:
        delay = RETRY_FIRST_S
        while True:
            pubsub = self._redis.pubsub(ignore_subscribe_messages=True)
            try:
                await pubsub.subscribe(LIVE_CHANNEL, NEWS_CHANNEL)
                self.listening.set()
                delay = RETRY_FIRST_S
                # What happened while nobody listened is unknown: let every page fetch again.
                self._to_all('{"type":"resync"}')
                async for message in pubsub.listen():
                    if message["channel"] == NEWS_CHANNEL:
                        self._take_news(message["data"])
                    else:
                        self._take(message["data"])
            except (redis.ConnectionError, redis.TimeoutError) as error:
                log.warning("desk.live_lost", reason=str(error), retry_s=delay)
            except Exception:
                # The outermost loop of this task: without it no page would hear anything more.
                log.exception("desk.live_failed")
            finally:
                self.listening.clear()
                with contextlib.suppress(redis.RedisError, OSError, RuntimeError):
                    await pubsub.aclose()  # type: ignore[no-untyped-call]
            await asyncio.sleep(delay)
            delay = min(RETRY_LONGEST_S, delay * 2)

    def _take(self, body: str) -> None:
        try:
            notice = json.loads(body)
            conversation, what = str(notice["conversation"]), str(notice.get("what", ""))
        except (ValueError, KeyError, TypeError):
            log.warning("desk.live_unreadable")
            return
        if what in {"look", "typing", "noting", "left"}:
            self._note_person(conversation, what, notice)
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
        for seat in tuple(self._seats):
            if seat.session.user.id == notice.get("user"):
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
                self._to_all('{"type":"resync"}')
                await asyncio.sleep(RETRY_LONGEST_S)
            except Exception:
                # The outermost loop of this task: one bad row must not end live updates.
                log.exception("desk.live_failed")
                self._to_all('{"type":"resync"}')

    async def _flush(self, changed: set[str]) -> None:
        if not self._seats:
            return

        def work(connection: Connection) -> tuple[list[Row], Counts, dict[str, frozenset[str]]]:
            rows = queries.rows_of(connection, sorted(changed))
            return rows, queries.counts(connection), teams.members(connection)

        rows, counts, memberships = await self._database.read(work)
        # Rendered once a language and circle of readers, however many pages show it.
        bodies: dict[tuple[str, frozenset[str]], str] = {}
        for seat in tuple(self._seats):
            seen = scope.among(seat.session.user, memberships)
            hidden = frozenset(row.id for row in rows if not seen.sees(row.team, row.owner))
            kind = (seat.texts.language, hidden)
            if kind not in bodies:
                shown = [self._row(row, seat.texts) for row in rows if row.id not in hidden]
                more = f',"gone":{json.dumps(sorted(hidden))}' if hidden else ""
                bodies[kind] = json.dumps(shown, ensure_ascii=False) + more
            own = json.dumps(counts.of(seat.session.user.id, seen))
            seat.put(f'{{"type":"rows","counts":{own},"rows":{bodies[kind]}}}')
        self._recount.set()
        for conversation in changed:
            for seat in tuple(self._looking.get(conversation, ())):
                await self._show(seat)

    async def _count_forever(self) -> None:
        """Tell users how many conversations their own lists have, at most once in `COUNT_S`."""
        while True:
            await self._recount.wait()
            await asyncio.sleep(COUNT_S)
            self._recount.clear()
            try:
                await self._count()
            except StoreUnavailable as error:
                log.warning("desk.counts_skipped", reason=str(error))
            except Exception:
                # The outermost loop of this task, as above.
                log.exception("desk.counts_failed")

    async def _count(self) -> None:
        people = {seat.session.user.id: seat.session.user for seat in self._seats}

        def work(connection: Connection) -> dict[str, dict[str, int]]:
            owned = saved_filters.of_users(connection, people)
            memberships = teams.members(connection)
            return {
                user: saved_filters.sizes(
                    connection, user, saved, scope.among(people[user], memberships)
                )
                for user, saved in owned.items()
            }

        sizes = await self._database.read(work)
        for seat in tuple(self._seats):
            if own := sizes.get(seat.session.user.id):
                seat.put(json.dumps({"type": "saved", "counts": own}))

    def _row(self, row: Row, texts: Texts) -> dict[str, Any]:
        return {"id": row.id, "html": self._renderer.row(row, texts)}

    async def _show(self, seat: Seat) -> None:
        conversation, session = seat.conversation, seat.session

        def work(connection: Connection) -> Thread | None:
            if not scope.of(connection, session.user).covers(connection, conversation):
                return None
            return self._suggester.load(connection, conversation, session.user.id)

        thread = await self._database.read(work)
        if thread is None and seat.conversation == conversation:
            # It went to a team this user is not in, or was erased: no more of it from here on.
            self._turn(seat, "")
        if thread is None or seat.conversation != conversation:
            return
        seat.answers = thread.conversation.owner == session.user.id
        fresh = []
        for piece in self._renderer.pieces(thread.items, thread.names, seat.texts):
            if seat.sent.get(piece.id) != piece.digest:
                seat.sent[piece.id] = piece.digest
                fresh.append({"id": piece.id, "at": piece.at, "html": piece.html})
        panels = self._renderer.panels(thread, session.user, session.csrf, seat.texts)
        frame = {
            "type": "thread",
            "conversation": conversation,
            "items": fresh,
            "panels": panels,
            "last": thread.last_customer_message,
        }
        seat.put(json.dumps(frame, ensure_ascii=False))

    def _to_all(self, frame: str) -> None:
        for seat in tuple(self._seats):
            seat.put(frame)

    # -- presence

    async def _beat_forever(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_S)
            try:
                await self._drop_ended()
                for user_id in {seat.session.user.id for seat in self._seats}:
                    await self._service.seen(user_id)
                for seat in tuple(self._seats):
                    if seat.conversation:
                        await self._announce(seat, "look", seat.conversation)
                online = await self._service.online()
                self._to_all(json.dumps({"type": "online", "agents": online}))
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
        for seat in tuple(self._seats):
            if seat.session.digest not in alive:
                seat.lose()

    async def _leave(self, seat: Seat, shown: str) -> None:
        user_id = seat.session.user.id
        with contextlib.suppress(StoreUnavailable):
            if shown:
                await self._announce(seat, "left", shown)
            if not any(other.session.user.id == user_id for other in self._seats):
                await self._service.gone(user_id)

    async def _announce(self, seat: Seat, what: str, conversation: str) -> None:
        user = seat.session.user
        with contextlib.suppress(StoreUnavailable):
            await self.publish(conversation, what, user=user.id, name=user.name)

    def _note_person(self, conversation: str, what: str, notice: dict[str, Any]) -> None:
        here = self._people.setdefault(conversation, {})
        user, now = str(notice.get("user", "")), time.monotonic()
        if what == "left":
            here.pop(user, None)
        else:
            person = here.setdefault(user, _Person(str(notice.get("name", "")), 0.0))
            person.looks_until = now + PEOPLE_S
            if what in {"typing", "noting"}:
                person.types_until, person.types = now + TYPING_S, what
        if not here:
            del self._people[conversation]
        self._tell_people(conversation)

    def _tell_people(self, conversation: str) -> None:
        now = time.monotonic()
        here = self._people.get(conversation, {})
        for user in [user for user, person in here.items() if person.looks_until < now]:
            del here[user]
        for seat in self._looking.get(conversation, ()):
            others = [
                {"name": person.name, "typing": person.types if person.types_until > now else ""}
                for user, person in here.items()
                if user != seat.session.user.id
            ]
            frame = {"type": "people", "conversation": conversation, "people": others}
            told = json.dumps(frame)
            if told != seat.people:
                seat.people = told
                seat.put(told)
