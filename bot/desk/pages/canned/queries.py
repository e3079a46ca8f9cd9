"""Canned replies: texts agents insert with `/shortcut`, with placeholders.

`{customer}` becomes the customer's name, `{agent}` the agent's, `{business}` the shop's; the page
fills them in, so the agent sees what will be sent.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass

import regex
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from bot.desk.tables import canned
from bot.errors import BadRequest

# Vowel signs and tone marks belong to words; `\w` of the standard library leaves them out.
_SHORTCUT = regex.compile(r"[\w\p{M}\u200c\u200d-]{1,40}")


@dataclass(frozen=True)
class CannedReply:
    """One text and the word that inserts it."""

    id: str
    shortcut: str
    text: str


def list_all(connection: Connection) -> list[CannedReply]:
    rows = connection.execute(sa.select(canned).order_by(canned.c.shortcut)).mappings()
    return [CannedReply(row["id"], row["shortcut"], row["text"]) for row in rows]


def save(connection: Connection, shortcut: str, text: str) -> None:
    """Store a reply; the same shortcut again replaces its text.

    Raises:
        BadRequest: The shortcut has other characters than letters, digits, `-`, or the text is
            empty or too long.
    """
    word, body = shortcut.strip().lstrip("/").casefold(), text.replace("\r\n", "\n").strip()
    if not _SHORTCUT.fullmatch(word):
        raise BadRequest("bad-shortcut", "A shortcut has 1–40 letters, digits or hyphens.")
    if not 0 < len(body) <= 4000:
        raise BadRequest("bad-canned-text", "The text has 1 to 4000 characters.")
    values = {"text": body, "updated_at": time.time()}
    changed = connection.execute(
        sa.update(canned).where(canned.c.shortcut == word).values(**values)
    )
    if changed.rowcount == 0:
        connection.execute(
            sa.insert(canned).values(id=f"k{secrets.token_hex(8)}", shortcut=word, **values)
        )


def remove(connection: Connection, reply_id: str) -> None:
    connection.execute(sa.delete(canned).where(canned.c.id == reply_id))
