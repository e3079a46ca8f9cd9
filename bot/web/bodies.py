"""Reads the bodies of requests within bounds: bytes, seconds, and the sum of all under way.

Every route that reads a body does it here. Nobody who sends us something compresses it, so a
`Content-Encoding` is refused unread: four kilobytes may be seven megabytes. docs/operations.md.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from urllib.parse import parse_qs

import aiohttp
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from bot.errors import BadRequest, TooBusy, TooLarge

BODY_S = 10.0
"""Longest time a body may take."""
UPLOAD_S = 300.0
"""Longest time an upload may take: 20 MiB over a slow phone's line."""
PATIENCE = web.RequestKey("PATIENCE", float)
"""Seconds a request's body may take where that is longer than others may."""
Fields = dict[str, list[str]]
"""Of a form, in the order they came."""
MOST_FIELDS = 1000
"""Fields of a form."""
RETRY_S = 2
"""When to come back after there was no room."""
UNREADABLE = (
    ValueError,
    AssertionError,
    OSError,
    aiohttp.ClientError,
    web.RequestPayloadError,
    HttpProcessingError,
)
"""What aiohttp raises where a body is malformed, or its connection ends."""


class Room:
    """Bytes of bodies that are being read in this process, and how many there may be.

    Args:
        most: Bytes of all bodies together.
        small: Bytes up to which a body is small, as messages are.
        kept_for_small: Bytes that larger bodies leave free.
    """

    def __init__(self, most: int, small: int, kept_for_small: int) -> None:
        self.most = most
        self._small = small
        self._kept_for_small = kept_for_small
        self.taken = 0

    def take(self, size: int, so_far: int) -> None:
        """Count bytes that arrived.

        Args:
            so_far: Bytes of this body before them.

        Raises:
            TooBusy: There is no room; the bytes are not counted.
        """
        kept = 0 if so_far + size <= self._small else self._kept_for_small
        if self.taken + size > self.most - kept:
            raise TooBusy(RETRY_S)
        self.taken += size

    def give_back(self, size: int) -> None:
        self.taken -= size


ROOM = Room(most=64 * 1024 * 1024, small=64 * 1024, kept_for_small=16 * 1024 * 1024)


async def read_body(request: web.Request, most: int) -> bytes:
    """Read a body.

    Args:
        most: Bytes; what announces itself as larger is refused before it is read.

    Raises:
        BadRequest: `encoded-body` (415), `too-slow` (408) or `bad-body`.
        TooLarge: `body-too-large`.
        TooBusy: Too many bodies are under way in this process.
    """
    refuse_encoded(request)
    if (request.content_length or 0) > most:
        raise TooLarge("body-too-large", f"send at most {most} bytes")
    try:
        if request.content.is_eof():
            return await _collected(request, most)
        async with asyncio.timeout(BODY_S):
            return await _collected(request, most)
    except TimeoutError as error:
        raise BadRequest("too-slow", f"send the body within {BODY_S:g} s", 408) from error
    except UNREADABLE as error:
        raise BadRequest("bad-body", "the body did not arrive whole") from error


def refuse_encoded(request: web.Request) -> None:
    """Refuse a compressed body before a byte of it is read.

    Raises:
        BadRequest: `encoded-body` (415).
    """
    if request.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
        raise BadRequest("encoded-body", "send the body without Content-Encoding", 415)


async def _collected(request: web.Request, most: int) -> bytes:
    body = bytearray()
    try:
        while chunk := await request.content.readany():
            if len(body) + len(chunk) > most:
                raise TooLarge("body-too-large", f"send at most {most} bytes")
            ROOM.take(len(chunk), len(body))
            body += chunk
        return bytes(body)
    finally:
        ROOM.give_back(len(body))


async def read_form(request: web.Request, most: int) -> Fields:
    """Read the text fields of a posted form; files are dropped.

    Raises:
        BadRequest: `bad-form`, and all of `read_body`.
    """
    body = await read_body(request, most)
    try:
        if request.content_type == "multipart/form-data":
            fields = _parts(request.headers["Content-Type"], body)
        elif request.content_type in ("application/x-www-form-urlencoded", _NO_TYPE):
            fields = _pairs(body, request.charset or "utf-8")
        else:
            fields = {}
    except (ValueError, LookupError) as error:
        raise BadRequest("bad-form", "the form cannot be read") from error
    return fields


_NO_TYPE = "application/octet-stream"
"""What aiohttp says of a request without a type."""


def _pairs(body: bytes, charset: str) -> Fields:
    return parse_qs(
        body.rstrip().decode(charset),
        keep_blank_values=True,
        encoding=charset,
        errors="strict",
        max_num_fields=MOST_FIELDS,
    )


def _parts(content_type: str, body: bytes) -> Fields:
    """Read the fields of multipart/form-data; RFC 7578.

    Raises:
        ValueError: It is cut or malformed.
        LookupError: A part names a charset that there is not.
    """
    head = b"Content-Type: " + content_type.encode() + b"\r\n\r\n"
    form = BytesParser(EmailMessage, policy=policy.HTTP).parsebytes(head + body)
    if form.defects or not form.is_multipart():
        raise ValueError("no whole multipart/form-data")
    fields: Fields = defaultdict(list)
    for part in form.iter_parts():
        told = part["Content-Disposition"]
        values: Mapping[str, str] = told.params if told else {}
        content = part.get_payload(decode=True)
        if "name" not in values or not isinstance(content, bytes):
            raise ValueError("a part without a name")
        if "filename" not in values:
            text = content.decode(part.get_content_charset("utf-8"))
            fields[values["name"]].append(text)
    return fields
