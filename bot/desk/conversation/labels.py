"""Labels that agents put on conversations to find them again."""

from __future__ import annotations

import re
import time
import unicodedata

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from bot.conversation import store
from bot.desk.people.scope import EVERYTHING, Scope
from bot.desk.tables import labels
from bot.errors import BadRequest
from bot.stores.database import insert_ignore
from bot.stores.tables import conversations

MOST_CHARS = 40
MOST_PER_CONVERSATION = 12
MOST_KNOWN = 200


def clean(label: str) -> str:
    """Spell a label one way: lower case, single hyphens between words, any script.

    Raises:
        BadRequest: Nothing is left, or it is longer than `MOST_CHARS`.
    """
    kept = "".join(
        c for c in unicodedata.normalize("NFC", label) if unicodedata.category(c)[0] != "C"
    )
    spelled = re.sub(r"[\s_-]+", "-", kept.strip().casefold()).strip("-#")
    if not spelled or len(spelled) > MOST_CHARS:
        raise BadRequest("bad-label", f"A label has 1 to {MOST_CHARS} characters.", most=MOST_CHARS)
    return spelled


def add(connection: Connection, conversation: str, label: str, seen: Scope = EVERYTHING) -> None:
    """Put a label on a conversation; nothing happens if it is there.

    Those that the user may not read leave as much room as if they were not there.

    Raises:
        BadRequest: No such conversation (status 404), or it has too many labels.
    """
    if store.get(connection, conversation) is None:
        raise BadRequest("unknown-conversation", "There is no such conversation.", status=404)
    number = connection.execute(
        sa.select(sa.func.count()).where(labels.c.conversation == conversation, readable(seen))
    ).scalar_one()
    if number >= MOST_PER_CONVERSATION:
        raise BadRequest(
            "too-many-labels",
            f"At most {MOST_PER_CONVERSATION} labels fit.",
            most=MOST_PER_CONVERSATION,
        )
    row = {"conversation": conversation, "label": label, "created_at": time.time()}
    insert_ignore(connection, labels, [row])


def remove(connection: Connection, conversation: str, label: str, seen: Scope = EVERYTHING) -> None:
    """Take a label off that may be read; others are left alone."""
    connection.execute(
        sa.delete(labels).where(
            labels.c.conversation == conversation, labels.c.label == label, readable(seen)
        )
    )


def in_use(connection: Connection, seen: Scope = EVERYTHING) -> list[str]:
    """List every label in use, for the input's suggestions."""
    used = sa.select(labels.c.label).distinct().subquery()
    query = sa.select(used.c.label).order_by(used.c.label).limit(MOST_KNOWN)
    if seen.teams is not None:
        # The first place where it may be read decides: most labels are on thousands.
        somewhere = sa.select(sa.literal(1)).join_from(
            labels, conversations, conversations.c.id == labels.c.conversation
        )
        of_it = somewhere.where(labels.c.label == used.c.label, seen.condition(), readable(seen))
        query = query.where(sa.exists(of_it.correlate(used)))
    return list(connection.execute(query).scalars())


def readable(seen: Scope) -> sa.ColumnElement[bool]:
    """Which rows of `labels` may be read: what a team put on is among its words."""
    return seen.reads(labels.c.conversation, labels.c.created_at)
