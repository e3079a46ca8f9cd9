"""Position of a connector in the event log, in SQL.

The log has no strict order: every process stamps its rows with its own clock (`stored_at`), and a
transaction may commit later than one that began after it. So the position is a moment, and each
read begins `OVERLAP_S` before it; `connector_seen` has the events of this span that were delivered.
An event that reaches SQL more than `OVERLAP_S` after its stamp (a delayed transaction, a machine
whose clock is that far behind) is missed. A clock that is ahead does no harm: the position never
passes the reader's clock.
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
class Position:
    """How far a connector has read the event log."""

    connector: str
    stored_at: float
    """Events stored before this moment (Unix seconds) are delivered."""
    stuck_on: str
    """Id of the event that failed last; empty for none."""
    tries: int
    """How often that event failed."""
    due_at: float
    """Unix seconds until which it is not tried again."""
    version: int


def begin(connection: Connection, connector: str, now: float) -> None:
    """Store a connector's first position: it gets events stored from now on."""
    # Each read begins that much before the position.
    first = {"connector": connector, "stored_at": now + OVERLAP_S}
    insert_ignore(connection, connector_cursors, [first])


def position_of(connection: Connection, connector: str) -> Position | None:
    """Read a connector's position; None before it has one."""
    row = (
        connection.execute(
            sa.select(connector_cursors).where(connector_cursors.c.connector == connector)
        )
        .mappings()
        .first()
    )
    return Position(**row) if row else None


def unread(
    connection: Connection, position: Position, types: Sequence[str], limit: int
) -> list[StoredEvent]:
    """Read the next events after a position, oldest first."""
    delivered = (
        sa.select(connector_seen.c.event)
        .where(
            connector_seen.c.connector == position.connector, connector_seen.c.event == events.c.id
        )
        .exists()
    )
    rows = connection.execute(
        sa.select(events)
        .where(
            events.c.stored_at >= position.stored_at - OVERLAP_S,
            events.c.type.in_(types),
            ~delivered,
        )
        .order_by(events.c.stored_at, events.c.id)
        .limit(limit)
    ).mappings()
    return [StoredEvent.from_row(dict(row)) for row in rows]


def mark_delivered(
    connection: Connection, position: Position, batch: Sequence[StoredEvent], now: float
) -> None:
    """Mark events as delivered and move the position behind them.

    Raises:
        StaleCursor: Another process has moved it meanwhile.
    """
    newest = max(event.stored_at for event in batch)
    reached = max(position.stored_at, min(now, newest))
    _move(connection, position, stored_at=reached, stuck_on="", tries=0, due_at=0.0)
    insert_ignore(
        connection,
        connector_seen,
        [{"connector": position.connector, "event": e.id, "stored_at": e.stored_at} for e in batch],
    )
    c = connector_seen.c
    connection.execute(
        sa.delete(connector_seen).where(
            c.connector == position.connector, c.stored_at < reached - OVERLAP_S
        )
    )


def try_later(
    connection: Connection, position: Position, event: StoredEvent, tries: int, due_at: float
) -> None:
    """Keep the position before an event that failed; raises like `mark_delivered`."""
    _move(connection, position, stuck_on=event.id, tries=tries, due_at=due_at)


def give_up(
    connection: Connection, position: Position, event: StoredEvent, error: str, now: float
) -> None:
    """Store an event as a dead letter and move on; raises like `mark_delivered`."""
    mark_delivered(connection, position, [event], now)
    letter = {
        "id": _letter_id(position.connector, event.id),
        "direction": letters.EVENT,
        "conversation": event.conversation,
        "error": error,
        "body": {"connector": position.connector, "event": event.to_dict()},
        "created_at": time.time(),
        "replayed_at": None,
    }
    letters.store(connection, [letter])


def replayed(connection: Connection, connector: str) -> list[tuple[str, StoredEvent]]:
    """Return a connector's dead letters that were replayed at the desk, with their ids."""
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
    """Delete a replayed letter; with an error, list it as not replayed again."""
    c = dead_letters.c
    if error:
        again = sa.update(dead_letters).where(c.id == letter)
        connection.execute(again.values(replayed_at=None, error=error))
    else:
        connection.execute(sa.delete(dead_letters).where(c.id == letter))


def _move(connection: Connection, position: Position, **values: object) -> None:
    c = connector_cursors.c
    result = connection.execute(
        sa.update(connector_cursors)
        .where(c.connector == position.connector, c.version == position.version)
        .values(version=position.version + 1, **values)
    )
    if result.rowcount != 1:
        raise StaleCursor(position.connector)


def _letter_id(connector: str, event: str) -> str:
    """Make the id of a letter; ids of events may be as long as the column."""
    return f"{connector}:{hashlib.sha256(event.encode()).hexdigest()[:32]}"
