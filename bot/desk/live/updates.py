"""Sends changes to open pages: read once, rendered once per language, to all who may see them."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy.engine import Connection

from bot.desk.conversation.suggestions import Suggester
from bot.desk.conversation.thread import Thread
from bot.desk.lists import saved_filters
from bot.desk.lists.counts import Counts, count_open
from bot.desk.lists.rows import Row, rows_of
from bot.desk.live.seats import Seat, Seats
from bot.desk.people import scope
from bot.desk.rendering import Renderer
from bot.desk.texts import Texts
from bot.routing import teams
from bot.stores.database import Database


class Updates:
    """Reads what changed and puts it into the queues of the pages."""

    def __init__(
        self, database: Database, renderer: Renderer, suggester: Suggester, seats: Seats
    ) -> None:
        self._database = database
        self._renderer = renderer
        self._suggester = suggester
        self._seats = seats

    async def send(self, changed: set[str]) -> None:
        """Send the rows of these conversations to all pages, and their threads to who shows them.

        Raises:
            StoreUnavailable: SQL does not answer; pages must fetch again.
        """
        if not self._seats:
            return

        def work(connection: Connection) -> tuple[list[Row], Counts, dict[str, frozenset[str]]]:
            rows = rows_of(connection, sorted(changed))
            return rows, count_open(connection), teams.members(connection)

        rows, counts, memberships = await self._database.read(work)
        # Rendered once per language and circle of readers, however many pages show it.
        bodies: dict[tuple[str, frozenset[str]], str] = {}
        for seat in self._seats:
            seen = scope.among(seat.session.user, memberships)
            hidden = frozenset(row.id for row in rows if not seen.sees(row.team, row.owner))
            kind = (seat.texts.language, hidden)
            if kind not in bodies:
                shown = [self._row(row, seat.texts) for row in rows if row.id not in hidden]
                more = f',"gone":{json.dumps(sorted(hidden))}' if hidden else ""
                bodies[kind] = json.dumps(shown, ensure_ascii=False) + more
            own = json.dumps(counts.of(seat.session.user.id, seen))
            seat.put(f'{{"type":"rows","counts":{own},"rows":{bodies[kind]}}}')
        for conversation in changed:
            for seat in self._seats.showing(conversation):
                await self.show(seat)

    async def send_sizes(self) -> None:
        """Send users how many conversations their own lists have.

        Raises:
            StoreUnavailable: SQL does not answer.
        """
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
        for seat in self._seats:
            if own := sizes.get(seat.session.user.id):
                seat.put(json.dumps({"type": "saved", "counts": own}))

    async def show(self, seat: Seat) -> None:
        """Send a page what it lacks of the conversation it shows.

        Raises:
            StoreUnavailable: SQL does not answer.
        """
        conversation, session = seat.conversation, seat.session

        def work(connection: Connection) -> Thread | None:
            if not scope.of(connection, session.user).covers(connection, conversation):
                return None
            return self._suggester.load(connection, conversation, session.user.id)

        thread = await self._database.read(work)
        if thread is None and seat.conversation == conversation:
            # It went to a team this user is not in, or was erased: no more of it from now on.
            self._seats.turn(seat, "")
        if thread is None or seat.conversation != conversation:
            return
        seat.answers = thread.conversation.owner == session.user.id
        seat.put(json.dumps(self._thread_frame(seat, thread), ensure_ascii=False))

    def _thread_frame(self, seat: Seat, thread: Thread) -> dict[str, Any]:
        session = seat.session
        fresh = []
        for piece in self._renderer.pieces(thread.items, thread.names, seat.texts):
            if seat.sent.get(piece.id) != piece.digest:
                seat.sent[piece.id] = piece.digest
                fresh.append({"id": piece.id, "at": piece.at, "html": piece.html})
        return {
            "type": "thread",
            "conversation": thread.conversation.id,
            "items": fresh,
            "panels": self._renderer.panels(thread, session.user, session.csrf, seat.texts),
            "last": thread.last_customer_message,
        }

    def _row(self, row: Row, texts: Texts) -> dict[str, Any]:
        return {"id": row.id, "html": self._renderer.row(row, texts)}
