"""Rows of the table `files`: the files of messages, and their states."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from bot.stores.tables import files
from bot.streams.attachments import STORED, Attachment

_SHOWN = (
    files.c.id,
    files.c.kind,
    files.c.name,
    files.c.type,
    files.c.size,
    files.c.state,
    files.c.reason,
)


def of_messages(
    connection: Connection, conversation: str, messages: Iterable[str]
) -> dict[str, tuple[Attachment, ...]]:
    """Return files by message id, in their order; messages without files are absent."""
    message_ids = sorted(set(messages))
    if not message_ids:
        return {}
    by_message: dict[str, list[Attachment]] = {}
    query = (
        sa.select(*_SHOWN, files.c.message)
        .where(files.c.conversation == conversation, files.c.message.in_(message_ids))
        .order_by(files.c.position)
    )
    for row in connection.execute(query).mappings():
        by_message.setdefault(row["message"], []).append(Attachment.from_dict(dict(row)))
    return {message: tuple(attachments) for message, attachments in by_message.items()}


def get(connection: Connection, id_: str) -> dict[str, Any] | None:
    """Read the row of a file."""
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
    """Return the files a message names; None unless each is this author's and not yet used."""
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
    by_id = {row["id"]: Attachment.from_dict(row) for row in rows}
    return [by_id[id_] for id_ in ids] if by_id.keys() >= set(ids) else None


def bytes_of(connection: Connection, conversation: str) -> int:
    """Return the total bytes of a conversation's files."""
    query = sa.select(sa.func.coalesce(sa.func.sum(files.c.size), 0))
    return int(connection.execute(query.where(files.c.conversation == conversation)).scalar_one())


def ids_of(connection: Connection, conversations: Sequence[str]) -> list[str]:
    """List the ids of all files of conversations."""
    query = sa.select(files.c.id).where(files.c.conversation.in_(conversations))
    return list(connection.execute(query).scalars())
