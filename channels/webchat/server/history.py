"""What was said: the last messages from SQL, and what the stream has that SQL does not yet have."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import redis.asyncio
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from bot.conversation import store
from bot.errors import BadRequest
from bot.files.rows import of_messages
from bot.language.codes import direction
from bot.settings import Settings
from bot.stores import redis_keys
from bot.stores.database import Database
from bot.stores.redis_client import guarded
from bot.stores.tables import messages
from bot.streams.attachments import Attachment, without_icons
from channels.webchat.server import rating
from channels.webchat.server.client import STREAM_LENGTH
from channels.webchat.server.photos import photo_of
from channels.webchat.server.settings import WebchatSettings

HISTORY_LENGTH = 50
BEGINNING = "0-0"
_CURSOR = re.compile(r"[0-9]{1,19}-[0-9]{1,19}")
"""An id of a stream is two numbers below 2^64; any nineteen digits are, and Redis refuses more."""


@dataclass(frozen=True)
class Tail:
    """What a stream holds after a cursor."""

    frames: list[dict[str, Any]]
    """`{"type": "message", "cursor": …, "message": …}`, oldest first."""
    cursor: str
    """Where to go on from."""
    gap: bool = False
    """Entries between the cursor and the first frame are gone: read the history again."""

    @cached_property
    def texts(self) -> list[str]:
        """The frames as they are sent, made once for all windows."""
        return [json.dumps(frame, ensure_ascii=False) for frame in self.frames]


def read_cursor(raw: str | None) -> str:
    """Read a cursor from outside; none means the beginning.

    Raises:
        BadRequest: `bad-cursor`.
    """
    if not raw:
        return BEGINNING
    if not _CURSOR.fullmatch(raw):
        raise BadRequest("bad-cursor", "after must be a cursor this server gave")
    return raw


async def read_tail(
    client: redis.asyncio.Redis, settings: Settings, conversation: str, after: str
) -> Tail:
    """Read what came after a cursor, and notice when something is missing before it.

    Raises:
        StoreUnavailable: Redis is away.
    """
    key = redis_keys.webchat(redis_keys.shard_of(conversation, settings.shards), conversation)
    found = cast("Awaitable[list[Any]]", client.xrange(key, min=f"({after}", max="+"))
    rows = await guarded(found)
    if not rows:
        return Tail([], after)
    # The entry the cursor names is gone when the stream was trimmed past it, or began anew.
    gap = len(rows) >= STREAM_LENGTH
    if after != BEGINNING and not gap:
        gap = not await guarded(client.xrange(key, min="-", max=after, count=1))
    frames = [
        {"type": "message", "cursor": entry, "message": json.loads(fields["body"])}
        for entry, fields in rows
    ]
    return Tail(frames, rows[-1][0], gap)


async def read_history(
    client: redis.asyncio.Redis, database: Database, settings: Settings, conversation: str
) -> dict[str, Any]:
    """Return what the widget shows when it opens.

    Returns:
        `messages` (oldest first, at most 50 from SQL and the stream's newer ones), `cursor`,
        `state` and `language` of the conversation ("" before the first message), `rate` (whether
        to ask how it went).

    Raises:
        StoreUnavailable: Redis or SQL is away.
    """
    # The stream first: what the recorder stores in between is then seen twice, never not at all.
    tail = await read_tail(client, settings, conversation, BEGINNING)
    told = await database.read(lambda connection: _read(connection, conversation))
    rows, found = told.rows, told.conversation
    fresh = {frame["message"]["id"]: frame["message"] for frame in tail.frames}
    shown = {row["id"]: _message_of(row, told.files.get(row["id"], ())) for row in rows}
    photos = settings.of(WebchatSettings).agent_photos
    for message in shown.values():
        if photo := photo_of(photos, message.get("agent", "")):
            message["photo"] = photo
    oldest = min((m["sent_at"] for m in shown.values()), default=0.0)
    for identifier, message in fresh.items():
        if identifier in shown:
            # SQL does not know what only the browser needs: its own id, the state after a reply.
            shown[identifier] = {**shown[identifier], **message}
        elif len(rows) < HISTORY_LENGTH or message["sent_at"] >= oldest:
            shown[identifier] = message
    return {
        "messages": sorted(shown.values(), key=lambda message: message["sent_at"]),
        "cursor": tail.cursor,
        "state": found.state.value if found else "",
        "language": found.language if found else "",
        "rate": told.rate,
    }


@dataclass(frozen=True)
class _Told:
    """What SQL knows of a conversation."""

    rows: list[Mapping[str, Any]]
    conversation: store.Conversation | None
    files: dict[str, tuple[Attachment, ...]]
    rate: bool


def _read(connection: Connection, conversation: str) -> _Told:
    found = connection.execute(
        sa.select(messages)
        .where(messages.c.conversation == conversation)
        .order_by(messages.c.created_at.desc(), messages.c.id.desc())
        .limit(HISTORY_LENGTH)
    )
    rows: list[Mapping[str, Any]] = [dict(row) for row in found.mappings()]
    files = of_messages(connection, conversation, [row["id"] for row in rows])
    current = store.get(connection, conversation)
    return _Told(rows, current, files, rating.is_due(connection, current))


def _message_of(row: Mapping[str, Any], attachments: Sequence[Attachment]) -> dict[str, Any]:
    """Shape a row of `messages` as `client.message_of` shapes a reply."""
    shown: dict[str, Any] = {
        "type": "message",
        "id": row["id"],
        "author": row["author"],
        "text": row["text"],
        "sent_at": row["created_at"],
    }
    if attachments:
        shown["attachments"] = [attachment.shown() for attachment in attachments]
        shown["text"] = without_icons(row["text"])
    if row["language"]:
        shown["language"] = row["language"]
        shown["direction"] = direction(row["language"])
    if row["agent"]:
        shown["agent"] = row["agent"]
    if row["quick_replies"]:
        shown["quick_replies"] = [
            {"id": reply["id"], "title": reply["title"]} for reply in row["quick_replies"]
        ]
    return shown
