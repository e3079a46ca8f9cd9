"""Upload of a file: its bytes into the store, then its row into SQL."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

from bot.errors import FileRefused
from bot.files import names, rows
from bot.files.content import Content, detect_type, endings_of
from bot.files.metadata import without_metadata
from bot.files.store import FileStore, new_id
from bot.settings import Settings
from bot.stores.database import Database, insert_ignore
from bot.stores.tables import files
from bot.streams import attachments
from bot.streams.attachments import Attachment

MOST_FILES_FULL = 20
"""All files of a customer may be as large as this many of the largest."""


async def store_upload(
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
    """Store an upload that no message has yet.

    Args:
        name: From the sender; is cleaned, and gets the ending of its content.
        claimed: MIME type from the sender; may be empty.
        author: `customer` or `agent`.
        user_id: The agent's id.

    Raises:
        FileRefused: `too-large`, `type-not-allowed`, `content-mismatch`, `empty`, `too-many`.
        StoreUnavailable: SQL or the disk fails; nothing is stored.
    """
    if author == "customer":
        used_bytes = await database.read(lambda c: rows.bytes_of(c, conversation))
        if used_bytes > MOST_FILES_FULL * settings.max_file_bytes:
            raise FileRefused("too-many", "too many files in this conversation")
    contents: list[Content] = []
    id_ = new_id()
    stored = await store.put(
        id_,
        without_metadata(chunks, settings.max_file_bytes),
        settings.max_file_bytes,
        lambda head: contents.append(detect_type(head, name, claimed, settings.file_types)),
    )
    attachment = Attachment(
        id_,
        contents[0].kind,
        names.with_ending(names.clean(name, contents[0].kind), endings_of(contents[0].type)),
        contents[0].type,
        stored.size,
    )
    row = attachments.row_of(
        attachment,
        conversation=conversation,
        author=author,
        user_id=user_id,
        created_at=time.time(),
    )
    row["sha256"] = stored.sha256
    try:
        await database.run(lambda c: insert_ignore(c, files, [row]))
    except BaseException:
        await store.delete([id_])
        raise
    return attachment
