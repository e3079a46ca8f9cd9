"""Updates for open pages: changes read once, rendered once per language."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from bot.desk.conversation.suggestions import Suggester
from bot.desk.conversation.thread import Thread
from bot.desk.lists import saved_filters
from bot.desk.lists.counts import Counts, count_open
from bot.desk.lists.rows import Row, rows_of
from bot.desk.live.seats import Seat, Seats
from bot.desk.people import scope
from bot.desk.people.scope import EVERYTHING, Scope
from bot.desk.rendering import Renderer
from bot.desk.texts import Texts
from bot.routing import teams
from bot.stores.database import Database
from bot.stores.tables import conversations, team_stints


@dataclass(frozen=True)
class Rows:
    """Rows of conversations as each of their readers may see them."""

    rows: tuple[Row, ...]
    """As supervisors see them."""
    veiled: dict[Scope, dict[str, Row]]
    """Circle of readers → those of the rows that may look different to them."""

    @classmethod
    def read(cls, connection: Connection, ids: Sequence[str], scopes: Iterable[Scope]) -> Rows:
        """Read rows once, and again for each circle those it sees and may not read all of."""
        rows = tuple(rows_of(connection, ids))
        found = connection.execute(
            sa.select(team_stints.c.conversation)
            .distinct()
            .where(team_stints.c.conversation.in_(ids))
        )
        mixed = sorted(found.scalars())
        made = cls(rows, {})
        circles = {made.circle(seen) for seen in scopes} if mixed else set()
        for circle in circles - {EVERYTHING}:
            partly = circle.only(connection, mixed, circle.veiled(conversations.c.id))
            if own := rows_of(connection, partly, seen=circle):
                made.veiled[circle] = {row.id: row for row in own}
        return made

    def circle(self, seen: Scope) -> Scope:
        """Who reads the same: everybody of the same teams who has none of another team's here."""
        if (own := seen.teams) is None:
            return EVERYTHING
        # Who has a conversation of their own team reads it as their colleagues do.
        outside = any(row.owner == seen.user_id and row.team not in own for row in self.rows)
        return seen if outside else Scope("", own)

    def of(self, seen: Scope) -> tuple[list[Row], frozenset[str], Scope]:
        """The rows one reader sees, the ids of the others, and who else sees them like this."""
        hidden = frozenset(row.id for row in self.rows if not seen.sees(row.team, row.owner))
        circle = self.circle(seen)
        own = self.veiled.get(circle, {})
        shown = [own.get(row.id, row) for row in self.rows if row.id not in hidden]
        return shown, hidden, circle if own else EVERYTHING


class Updates:
    """Reads what changed and queues frames for the pages."""

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

        people = {seat.session.user.id: seat.session.user for seat in self._seats}

        def work(connection: Connection) -> tuple[Counts, dict[str, Scope], Rows]:
            memberships = teams.members(connection)
            scopes = {id_: scope.among(user, memberships) for id_, user in people.items()}
            rows = Rows.read(connection, sorted(changed), scopes.values())
            return count_open(connection), scopes, rows

        counts, scopes, rows = await self._database.read(work)
        # Rendered once per language and circle of readers, however many pages show it.
        bodies: dict[tuple[str, frozenset[str], Scope], str] = {}
        for seat in self._seats:
            if (seen := scopes.get(seat.session.user.id)) is None:
                continue  # It came meanwhile, and fetched what there is.
            shown, hidden, circle = rows.of(seen)
            kind = (seat.texts.language, hidden, circle)
            if kind not in bodies:
                rendered = [self._row(row, seat.texts) for row in shown]
                bodies[kind] = json.dumps(rendered, ensure_ascii=False)
            # Ids of conversations the page never had are none of its business.
            gone = sorted(hidden & seat.rows)
            seat.rows.difference_update(gone)
            seat.has(row.id for row in shown)
            more = f',"gone":{json.dumps(gone)}' if gone else ""
            own = json.dumps(counts.of(seat.session.user.id, seen))
            seat.put(f'{{"type":"rows","counts":{own},"rows":{bodies[kind]}{more}}}')
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

    async def may_show(self, seat: Seat, conversation: str) -> bool:
        """Tell whether a page's user may see a conversation.

        Raises:
            StoreUnavailable: SQL does not answer.
        """
        user = seat.session.user
        return await self._database.read(lambda c: scope.of(c, user).covers(c, conversation))

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
        if thread is not None:
            seat.has([conversation])
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
