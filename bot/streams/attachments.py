"""Files of messages: as a message carries one, and as a row of the table `files`."""

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
"""Only its name is here yet; the worker fetches it from the vendor."""
STORED = "stored"
REFUSED = "refused"
"""Not accepted; `reason` says why."""
FAILED = "failed"
"""It could not be fetched, or was deleted; `reason` says why."""

ICONS = {"image": "🖼", "audio": "🎤", "video": "🎬", "file": "📄"}
"""Text of a file in a message without words, the same in every language."""
MOST_IN_MESSAGE = 10
"""Most files in a message of the widget or of an agent."""


@dataclass(frozen=True)
class Attachment:
    """One file of a message."""

    id: str
    kind: str
    """Key of `ICONS`."""
    name: str = ""
    """Cleaned (bot.files.names)."""
    type: str = ""
    """MIME type; what the sender claims while it is fetched."""
    size: int = 0
    """Bytes; 0 if not known."""
    state: str = STORED
    reason: str = ""
    source: str = ""
    """Where the worker fetches it: Messenger's address, Telegram's file id. Never shown."""

    def shown(self) -> dict[str, Any]:
        """Return the fields that may leave this system."""
        values = asdict(self)
        del values["source"]
        return values

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Attachment:
        names = {item.name for item in fields(cls)}
        return cls(**{key: value for key, value in data.items() if key in names})


def file_id(message: str, position: int) -> str:
    """Make the id of a vendor's file; a repeated delivery gets the same id.

    Returns:
        `f<24 hex digits>`.
    """
    return "f" + hashlib.sha256(f"{message}\0{position}".encode()).hexdigest()[:24]


def icons_of(attachments: Iterable[Attachment]) -> str:
    """Return the text of a message that has files and no words."""
    return " ".join(ICONS[attachment.kind] for attachment in attachments)


def without_icons(text: str) -> str:
    """Return the words beside files; empty for the text of `icons_of`."""
    return "" if text and all(part in ICONS.values() for part in text.split()) else text


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
    """Shape a file as a row of `files`.

    Args:
        author: `customer` or `agent`.
        user_id: The agent's id at the desk.
        origin: Channel and account that a file to be fetched came through.
    """
    values = attachment.shown()
    source = None
    if attachment.state == FETCHING:
        channel, account = origin
        source = {"channel": channel, "account": account, "at": attachment.source}
    return {
        **values,
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


def store_files(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Store the files of messages: insert new ones, add the message to uploaded ones.

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
