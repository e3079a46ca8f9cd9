"""Rows of the table `files`: which message has which files, and what became of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from bot.files.models import FETCHING, STORED, Attachment
from bot.files.tables import files
from bot.stores.database import insert_ignore

_SHOWN = (
    files.c.id,
    files.c.kind,
    files.c.name,
    files.c.type,
    files.c.size,
    files.c.state,
    files.c.reason,
)


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


def of_messages(
    connection: Connection, conversation: str, messages: Iterable[str]
) -> dict[str, tuple[Attachment, ...]]:
    """Files by message id, in their order; messages without any are absent."""
    wanted = sorted(set(messages))
    if not wanted:
        return {}
    found: dict[str, list[Attachment]] = {}
    query = (
        sa.select(*_SHOWN, files.c.message)
        .where(files.c.conversation == conversation, files.c.message.in_(wanted))
        .order_by(files.c.position)
    )
    for row in connection.execute(query).mappings():
        found.setdefault(row["message"], []).append(Attachment.from_dict(dict(row)))
    return {message: tuple(attachments) for message, attachments in found.items()}


def get(connection: Connection, id_: str) -> dict[str, Any] | None:
    """The row of a file."""
    row = connection.execute(sa.select(files).where(files.c.id == id_)).mappings().first()
    return dict(row) if row else None


def uploads(
    connection: Connection,
    conversation: str,
    ids: Sequence[str],
    *,
    author: str,
    message: str,
    user_id: str = "",
) -> list[Attachment] | None:
    """Files a message names; None unless each is this author's own and free for this message."""
    if not ids:
        return []
    query = sa.select(*_SHOWN).where(
        files.c.id.in_(ids),
        files.c.conversation == conversation,
        files.c.author == author,
        files.c.user_id == user_id,
        files.c.state == STORED,
        files.c.message.in_(("", message)),
    )
    rows = (dict(row) for row in connection.execute(query).mappings())
    found = {row["id"]: Attachment.from_dict(row) for row in rows}
    return [found[id_] for id_ in ids] if found.keys() >= set(ids) else None


def bytes_of(connection: Connection, conversation: str) -> int:
    """Bytes a conversation's files take up."""
    query = sa.select(sa.func.coalesce(sa.func.sum(files.c.size), 0))
    return int(connection.execute(query.where(files.c.conversation == conversation)).scalar_one())


def ids_of(connection: Connection, conversations: Sequence[str]) -> list[str]:
    """Ids of all files of conversations."""
    query = sa.select(files.c.id).where(files.c.conversation.in_(conversations))
    return list(connection.execute(query).scalars())
