"""A connector's place in the log of events, in SQL.

The log has no order of its own: every process stamps its rows with its own clock (`stored_at`), and
a transaction may commit later than one that began after it. So the place is a moment, and each look
begins `OVERLAP_S` before it; `connector_seen` tells which events of this span were had already. An
event that reaches SQL more than `OVERLAP_S` after its stamp (a transaction held up for so long, a
machine whose clock is so far behind) is missed. A clock that is ahead does no harm: the place never
passes the reader's own.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from bot.errors import StaleCursor
from bot.events import StoredEvent
from bot.stores.database import insert_ignore
from bot.stores.tables import connector_cursors, connector_seen, dead_letters, events
from bot.streams import dead_letters as letters

OVERLAP_S = 120.0


@dataclass(frozen=True)
class Place:
    """How far a connector has come."""

    connector: str
    stored_at: float
    """It has had what was stored before this moment, Unix seconds."""
    stuck_on: str
    """Id of the event that failed last; empty for none."""
    tries: int
    """How often that failed."""
    due_at: float
    """Unix seconds before which it is not tried again."""
    version: int


def begin(connection: Connection, connector: str, now: float) -> None:
    """Give a connector its first place: it gets what is stored from now on."""
    # Each look begins that much before the place.
    first = {"connector": connector, "stored_at": now + OVERLAP_S}
    insert_ignore(connection, connector_cursors, [first])


def place_of(connection: Connection, connector: str) -> Place | None:
    """Read a connector's place; None before it has one."""
    row = (
        connection.execute(
            sa.select(connector_cursors).where(connector_cursors.c.connector == connector)
        )
        .mappings()
        .first()
    )
    return Place(**row) if row else None


def unread(
    connection: Connection, place: Place, types: Sequence[str], limit: int
) -> list[StoredEvent]:
    """Read the next events after a place, the oldest first."""
    had = (
        sa.select(connector_seen.c.event)
        .where(connector_seen.c.connector == place.connector, connector_seen.c.event == events.c.id)
        .exists()
    )
    rows = connection.execute(
        sa.select(events)
        .where(
            events.c.stored_at >= place.stored_at - OVERLAP_S,
            events.c.type.in_(types),
            ~had,
        )
        .order_by(events.c.stored_at, events.c.id)
        .limit(limit)
    ).mappings()
    return [StoredEvent.from_row(dict(row)) for row in rows]


def pass_by(connection: Connection, place: Place, batch: Sequence[StoredEvent], now: float) -> None:
    """Note events as had and move the place behind them.

    Raises:
        StaleCursor: Another process has moved it meanwhile.
    """
    newest = max(event.stored_at for event in batch)
    reached = max(place.stored_at, min(now, newest))
    _move(connection, place, stored_at=reached, stuck_on="", tries=0, due_at=0.0)
    insert_ignore(
        connection,
        connector_seen,
        [{"connector": place.connector, "event": e.id, "stored_at": e.stored_at} for e in batch],
    )
    seen = connector_seen.c
    connection.execute(
        sa.delete(connector_seen).where(
            seen.connector == place.connector, seen.stored_at < reached - OVERLAP_S
        )
    )


def try_later(
    connection: Connection, place: Place, event: StoredEvent, tries: int, due_at: float
) -> None:
    """Stay in front of an event that failed; raises as `pass_by`."""
    _move(connection, place, stuck_on=event.id, tries=tries, due_at=due_at)


def give_up(
    connection: Connection, place: Place, event: StoredEvent, error: str, now: float
) -> None:
    """Put an event aside as a dead letter and move on; raises as `pass_by`."""
    pass_by(connection, place, [event], now)
    letter = {
        "id": _letter_id(place.connector, event.id),
        "direction": letters.EVENT,
        "conversation": event.conversation,
        "error": error,
        "body": {"connector": place.connector, "event": event.to_dict()},
        "created_at": time.time(),
        "replayed_at": None,
    }
    letters.store(connection, [letter])


def replayed(connection: Connection, connector: str) -> list[tuple[str, StoredEvent]]:
    """Dead letters of a connector that somebody has sent on their way again, with their ids."""
    c = dead_letters.c
    rows = connection.execute(
        sa.select(c.id, c.body)
        .where(
            c.direction == letters.EVENT,
            c.replayed_at.is_not(None),
            c.id.startswith(f"{connector}:", autoescape=True),
        )
        .order_by(c.created_at, c.id)
    )
    return [(row.id, StoredEvent.from_row(row.body["event"])) for row in rows]


def settle(connection: Connection, letter: str, error: str = "") -> None:
    """Take a replayed letter away; with an error it waits for people again."""
    c = dead_letters.c
    if error:
        again = sa.update(dead_letters).where(c.id == letter)
        connection.execute(again.values(replayed_at=None, error=error))
    else:
        connection.execute(sa.delete(dead_letters).where(c.id == letter))


def _move(connection: Connection, place: Place, **values: object) -> None:
    c = connector_cursors.c
    done = connection.execute(
        sa.update(connector_cursors)
        .where(c.connector == place.connector, c.version == place.version)
        .values(version=place.version + 1, **values)
    )
    if done.rowcount != 1:
        raise StaleCursor(place.connector)


def _letter_id(connector: str, event: str) -> str:
    """Name a letter; ids of events may be as long as the column."""
    return f"{connector}:{hashlib.sha256(event.encode()).hexdigest()[:32]}"
