"""Take a file in: its bytes into the store, then its row into SQL; the caller has its id then."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

from bot.errors import FileRefused
from bot.files import names, rows
from bot.files.content import Content, endings_of, look
from bot.files.store import FileStore, new_id
from bot.settings import Settings
from bot.stores.database import Database, insert_ignore
from bot.stores.tables import files
from bot.streams import attachments
from bot.streams.attachments import Attachment

MOST_FILES_FULL = 20
"""A customer's files together may be as large as so many of the largest."""


async def take(
    settings: Settings,
    database: Database,
    store: FileStore,
    chunks: AsyncIterator[bytes],
    *,
    name: str,
    claimed: str,
    conversation: str,
    author: str,
    user_id: str = "",
) -> Attachment:
    """Store an upload that no message names yet.

    Args:
        name: As the sender gives it; is cleaned, and ends the way its content does.
        claimed: MIME type the sender gives; may be empty.
        author: `customer` or `agent`.
        user_id: The agent's id.

    Raises:
        FileRefused: `too-large`, `type-not-allowed`, `content-mismatch`, `empty`, `too-many`.
        StoreUnavailable: SQL or the disk is away; nothing is kept.
    """
    if author == "customer":
        taken = await database.read(lambda c: rows.bytes_of(c, conversation))
        if taken > MOST_FILES_FULL * settings.max_file_bytes:
            raise FileRefused("too-many", "too many files in this conversation")
    found: list[Content] = []
    id_ = new_id()
    put = await store.put(
        id_,
        chunks,
        settings.max_file_bytes,
        lambda head: found.append(look(head, name, claimed, settings.file_types)),
    )
    attachment = Attachment(
        id_,
        found[0].kind,
        names.with_ending(names.clean(name, found[0].kind), endings_of(found[0].type)),
        found[0].type,
        put.size,
    )
    row = attachments.row_of(
        attachment,
        conversation=conversation,
        author=author,
        user_id=user_id,
        created_at=time.time(),
    )
    row["sha256"] = put.sha256
    try:
        await database.run(lambda c: insert_ignore(c, files, [row]))
    except BaseException:
        await store.delete([id_])
        raise
    return attachment
