"""Upload and download of files over HTTP, for the widget and the desk; docs/attachments.md.

Strangers' files are served so that no browser runs them: not sniffed, in a sandbox, and as
downloads except raster images.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import aiohttp
from aiohttp import web

from bot.errors import BadRequest, FileRefused
from bot.files.content import INLINE
from bot.files.names import disposition
from bot.files.store import CHUNK_BYTES, FileStore
from bot.streams.attachments import STORED, Attachment
from bot.web.bodies import PATIENCE, UNREADABLE, UPLOAD_S, refuse_encoded

FIELD = "file"
NAME_HEADER = "X-File-Name"
_HARDENED = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "sandbox; default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
}


@dataclass(frozen=True)
class Upload:
    """Upload that has begun to arrive."""

    name: str
    claimed: str
    """MIME type from the sender."""
    chunks: AsyncIterator[bytes]
    """Can be read once, within `UPLOAD_S`."""


async def read_upload(request: web.Request, most: int) -> Upload:
    """Begin to read an upload: a raw body, or the part `file` of a form.

    Args:
        most: Most bytes; an upload that declares more is refused before it is read.

    Raises:
        FileRefused: `too-large` or `bad-upload`.
        BadRequest: `encoded-body` (415).
    """
    refuse_encoded(request)
    request[PATIENCE] = UPLOAD_S
    deadline = asyncio.get_running_loop().time() + UPLOAD_S
    if request.content_type != "multipart/form-data":
        if (request.content_length or 0) > most:
            raise FileRefused("too-large", f"send at most {most} bytes")
        name = unquote(request.headers.get(NAME_HEADER, "")[:2000], errors="replace")
        chunks = request.content.iter_chunked(CHUNK_BYTES)
        return Upload(name, request.content_type, _within_limits(chunks, deadline))
    try:
        async with asyncio.timeout_at(deadline):
            form = await request.multipart()
            while (part := await form.next()) is not None:
                if isinstance(part, aiohttp.BodyPartReader) and part.name == FIELD:
                    claimed = part.headers.get("Content-Type", "")
                    return Upload(
                        part.filename or "", claimed, _within_limits(_read_part(part), deadline)
                    )
    except (*UNREADABLE, LookupError, TimeoutError) as error:
        raise FileRefused("bad-upload", "the form cannot be read") from error
    raise FileRefused("bad-upload", f"send the file as the body, or as the part {FIELD!r}")


async def _read_part(part: aiohttp.BodyPartReader) -> AsyncIterator[bytes]:
    while chunk := await part.read_chunk(CHUNK_BYTES):
        yield chunk


async def _within_limits(chunks: AsyncIterator[bytes], deadline: float) -> AsyncIterator[bytes]:
    """Limit the time, and raise our error when the connection ends early."""
    while True:
        try:
            async with asyncio.timeout_at(deadline):
                chunk = await anext(chunks)
        except StopAsyncIteration:
            return
        except (*UNREADABLE, TimeoutError) as error:
            raise FileRefused("bad-upload", "the file did not arrive whole") from error
        yield chunk


def upload_reply(attachment: Attachment) -> dict[str, Any]:
    """Return the fields of an uploaded file that its sender gets."""
    values = attachment.shown()
    return {key: values[key] for key in ("id", "name", "type", "size", "kind")}


async def send_file(
    request: web.Request, store: FileStore, row: Mapping[str, Any] | None
) -> web.StreamResponse:
    """Send a file; the caller has checked that the requester may see it.

    Args:
        row: From `bot.files.rows.get`.

    Raises:
        BadRequest: 404, there is no such file, or it is not stored.
        StoreUnavailable: The disk fails.
    """
    missing = BadRequest("not-found", "there is no such file", status=404)
    if row is None or row["state"] != STORED:
        raise missing
    etag = f'"{row["sha256"][:32]}"'
    inline = row["type"] in INLINE and "download" not in request.query
    headers = {
        **_HARDENED,
        "Content-Type": str(row["type"]),
        "Content-Disposition": disposition("inline" if inline else "attachment", row["name"]),
        # Neither whoever lost the right to see it nor whoever comes after them on this computer
        # gets it: it is on no disk but ours.
        "Cache-Control": "no-store",
        "ETag": etag,
    }
    if row["type"].startswith("text/"):
        headers["Content-Type"] += "; charset=utf-8"
    if request.headers.get("If-None-Match") == etag:
        return web.Response(status=304, headers=headers)
    file = await store.open(row["id"])
    if file is None:
        raise missing
    response = web.StreamResponse(headers=headers)
    response.content_length = row["size"]
    with file, contextlib.suppress(ConnectionError):  # the client has disconnected
        await response.prepare(request)
        if request.method != "HEAD":
            while chunk := await asyncio.to_thread(file.read, CHUNK_BYTES):
                await response.write(chunk)
        await response.write_eof()
    return response
