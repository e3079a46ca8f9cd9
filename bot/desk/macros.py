"""Macros: named lists of actions that one click does, in order; administrators write them."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from bot.desk.conversation import labels, moves, notes, present
from bot.desk.people import naming
from bot.desk.tables import macros as table
from bot.errors import BadRequest
from bot.handoff.service import MAX_REPLY_CHARS

MOST_CHARS = 60
MOST = 100
ENDS = ("return", "snooze", "resolve")
"""What may come last: the conversation leaves the agent's list."""

_PLACE = re.compile(r"\{(\w+)\}")

Step = Mapping[str, Any]
"""`do` and what it needs: `note` and `reply` have `text`, `label` has `label`, `priority` has
`priority`, `resolve` has `topic` and `outcome`; `snooze` (until a reply) and `return` have nothing.
"""


@dataclass(frozen=True)
class Macro:
    """One list of actions."""

    id: str
    name: str
    steps: tuple[Step, ...]


def parse(fields: Mapping[str, str], topics: Collection[str]) -> tuple[Step, ...]:
    """Read the form of a macro; empty fields do nothing.

    Raises:
        BadRequest: A field cannot be used, or the macro would do nothing.
    """
    steps: list[Step] = []
    if note := notes.clean(fields.get("note", "")):
        steps.append({"do": "note", "text": note})
    if label := fields.get("label", "").strip():
        steps.append({"do": "label", "label": labels.clean(label)})
    if priority := fields.get("priority", ""):
        steps.append({"do": "priority", "priority": moves.parse_priority(priority)})
    if reply := fields.get("reply", "").replace("\r\n", "\n").strip():
        if len(reply) > MAX_REPLY_CHARS:
            raise BadRequest("text-length", "The text is empty or too long.")
        steps.append({"do": "reply", "text": reply})
    end = fields.get("end", "")
    if end == "resolve":
        topic, outcome = fields.get("topic", ""), fields.get("outcome", "")
        if topic not in topics:
            raise BadRequest("bad-topic", "Choose what the conversation was about.")
        if outcome not in present.OUTCOMES:
            raise BadRequest("bad-outcome", "Choose how it ended.")
        steps.append({"do": "resolve", "topic": topic, "outcome": outcome})
    elif end in ENDS:
        steps.append({"do": end})
    if not steps:
        raise BadRequest("empty-macro", "Choose something to do.")
    return tuple(steps)


def save(connection: Connection, name: str, steps: tuple[Step, ...]) -> Macro:
    """Store a macro; the same name again replaces it.

    Raises:
        BadRequest: The name cannot be used, or there are too many.
    """
    spelled = naming.clean(name, MOST_CHARS, "bad-macro-name")
    values = {"steps": [dict(step) for step in steps], "updated_at": time.time()}
    known = connection.execute(sa.select(table.c.id).where(table.c.name == spelled)).scalar()
    if known is not None:
        connection.execute(sa.update(table).where(table.c.id == known).values(**values))
        return Macro(known, spelled, steps)
    number = connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
    if number >= MOST:
        raise BadRequest("too-many-macros", f"At most {MOST} macros fit.", most=MOST)
    made = f"x{secrets.token_hex(8)}"
    connection.execute(sa.insert(table).values(id=made, name=spelled, **values))
    return Macro(made, spelled, steps)


def list_all(connection: Connection) -> list[Macro]:
    """All macros, by name."""
    rows = connection.execute(sa.select(table).order_by(table.c.name)).mappings()
    return [Macro(row["id"], row["name"], tuple(row["steps"])) for row in rows]


def get(connection: Connection, macro_id: str) -> Macro:
    """Read one.

    Raises:
        BadRequest: There is none with this id (status 404).
    """
    row = connection.execute(sa.select(table).where(table.c.id == macro_id)).mappings().first()
    if row is None:
        raise BadRequest("unknown-macro", "There is no such macro.", status=404)
    return Macro(row["id"], row["name"], tuple(row["steps"]))


def remove(connection: Connection, macro_id: str) -> None:
    connection.execute(sa.delete(table).where(table.c.id == macro_id))


def filled(text: str, **names: str) -> str:
    """Put names in place of `{customer}`, `{agent}` and `{business}`; other braces stay."""
    return _PLACE.sub(lambda found: names.get(found[1], found[0]), text)
