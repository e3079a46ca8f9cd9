"""A file as a message carries it, and as a row of the table `files`; docs/attachments.md."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from bot.stores.database import insert_ignore
from bot.stores.tables import files

FETCHING = "fetching"
"""Known by name only; the worker gets it from the vendor."""
STORED = "stored"
REFUSED = "refused"
"""We do not take it; `reason` says why."""
FAILED = "failed"
"""It could not be got, or is gone; `reason` says why."""

SIGNS = {"image": "🖼", "audio": "🎤", "video": "🎬", "file": "📄"}
"""Stands for a file where there are no words, the same in every language."""
MOST_IN_MESSAGE = 10
"""Files a widget's or an agent's message may name."""


@dataclass(frozen=True)
class Attachment:
    """One file of a message."""

    id: str
    kind: str
    """Key of `SIGNS`."""
    name: str = ""
    """Cleaned (bot.files.names)."""
    type: str = ""
    """MIME type; what the sender claims while it is fetched."""
    size: int = 0
    """Bytes; 0 if not known."""
    state: str = STORED
    reason: str = ""
    source: str = ""
    """Where the worker finds it: Messenger's address, Telegram's file id. Never shown."""

    def shown(self) -> dict[str, Any]:
        """What may leave this system."""
        told = asdict(self)
        del told["source"]
        return told

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Attachment:
        known = {item.name for item in fields(cls)}
        return cls(**{key: value for key, value in data.items() if key in known})


def file_id(message: str, position: int) -> str:
    """Name a vendor's file so that a repeated delivery gets the same name.

    Returns:
        `f<24 hex digits>`.
    """
    return "f" + hashlib.sha256(f"{message}\0{position}".encode()).hexdigest()[:24]


def signs(attachments: Iterable[Attachment]) -> str:
    """Text of a message that has files and no words."""
    return " ".join(SIGNS[attachment.kind] for attachment in attachments)


def without_signs(text: str) -> str:
    """Words beside files; empty for what `signs` wrote, whatever the files turned out to be."""
    return "" if text and all(part in SIGNS.values() for part in text.split()) else text


def row_of(
    attachment: Attachment,
    *,
    conversation: str,
    author: str,
    created_at: float,
    message: str = "",
    position: int = 0,
    user_id: str = "",
    origin: tuple[str, str] = ("", ""),
) -> dict[str, Any]:
    """Shape a file as a row.

    Args:
        author: `customer` or `agent`.
        user_id: The agent's id at the desk.
        origin: Channel and account that a file to be fetched came through.
    """
    told = attachment.shown()
    source = None
    if attachment.state == FETCHING:
        channel, account = origin
        source = {"channel": channel, "account": account, "at": attachment.source}
    return {
        **told,
        "conversation": conversation,
        "message": message,
        "position": position,
        "author": author,
        "user_id": user_id,
        "sha256": "",
        "source": source,
        "tries": 0,
        "due_at": 0.0,
        "created_at": created_at,
    }


def bind(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Store the files of messages: new ones, or the message of those that were uploaded before.

    Args:
        rows: From `row_of`, with a message; storing them again changes nothing.
    """
    insert_ignore(connection, files, list(rows))
    for row in rows:
        connection.execute(
            sa.update(files)
            .where(
                files.c.id == row["id"],
                files.c.conversation == row["conversation"],
                files.c.message == "",
            )
            .values(message=row["message"], position=row["position"])
        )
