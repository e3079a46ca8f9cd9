"""Open pages of this process: their frames to send, and the conversations they show."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from bot.desk.people.auth import Session
from bot.desk.texts import Texts

QUEUE_FRAMES = 256
"""Frames a slow page may lag behind before it must reconnect."""
MOST_ROWS = 4000
"""Rows noted of one page; beyond, those that leave its sight go at its next fetch."""
LOST = ""
"""In place of a frame: close the page's socket."""


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
    """The frame that last said who else looks."""
    active_at: float = field(default_factory=time.monotonic)
    """When we last noted that its user does something."""
    rows: set[str] = field(default_factory=set)
    """Conversations whose rows the page has, as it said or was sent."""
    answers: bool = False
    """Whether the conversation it shows is this user's, as last read."""

    def put(self, frame: str) -> None:
        """Queue a frame for the page; one that lags too far behind is given up."""
        try:
            self.frames.put_nowait(frame)
        except asyncio.QueueFull:
            self.lose()

    def has(self, conversations: Iterable[str]) -> None:
        """Note that the page has the rows of these conversations."""
        for conversation in conversations:
            if len(self.rows) < MOST_ROWS:
                self.rows.add(conversation)

    def lose(self) -> None:
        """Give the page up: it closes, comes back and fetches everything again."""
        while not self.frames.empty():
            self.frames.get_nowait()
        self.frames.put_nowait(LOST)


class Seats:
    """All open pages of this process.

    Loops may await between two seats: each way to go through them gives a copy.
    """

    def __init__(self) -> None:
        self._seats: set[Seat] = set()
        self._looking: dict[str, set[Seat]] = {}
        """Conversation → the seats that show it."""

    def __iter__(self) -> Iterator[Seat]:
        return iter(tuple(self._seats))

    def __len__(self) -> int:
        return len(self._seats)

    def add(self, seat: Seat) -> None:
        self._seats.add(seat)

    def discard(self, seat: Seat) -> None:
        """Take a page that has closed out; what it showed is still in `conversation`."""
        self._seats.discard(seat)

    def turn(self, seat: Seat, conversation: str) -> None:
        """Note that a page shows this conversation from now on; empty for none."""
        if others := self._looking.get(seat.conversation):
            others.discard(seat)
            if not others:
                del self._looking[seat.conversation]
        seat.conversation, seat.people = conversation, ""
        if conversation:
            self._looking.setdefault(conversation, set()).add(seat)

    def showing(self, conversation: str) -> tuple[Seat, ...]:
        """Pages that show a conversation."""
        return tuple(self._looking.get(conversation, ()))

    def of_user(self, user_id: str) -> list[Seat]:
        """Pages of one user."""
        return [seat for seat in self._seats if seat.session.user.id == user_id]

    def put_to_all(self, frame: str) -> None:
        """Queue a frame for every page."""
        for seat in self:
            seat.put(frame)
