"""The widget's files: upload, short-lived address, download. docs/attachments.md."""

from __future__ import annotations

import hmac
import time
from collections.abc import Mapping
from typing import Any

import structlog
from aiohttp import web

from bot.errors import BadRequest, FileRefused, StoreUnavailable
from bot.files import http, rows
from bot.files.store import FileStore
from bot.files.upload import store_upload
from bot.stores import secrets
from bot.web.tally import TALLY
from channels.kit.app_keys import DATABASE, REDIS, SETTINGS
from channels.webchat.server import receive, session, throttle
from channels.webchat.server.guard import (
    NO_STORE,
    RETRY_S,
    SECRET,
    Handler,
    address_of,
    authenticate,
    check_address,
    check_own_origin,
    digest_of,
)

log = structlog.get_logger()

FILES = web.AppKey[FileStore]("webchat_files")
LINK_S = 300
"""How long an address for `<img>` and downloads is good."""


def refusing(handler: Handler) -> Handler:
    """Turn our errors into `{"error": code, "reason": text}`."""

    async def answer(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except BadRequest as error:
            TALLY.note("webchat.file_refused", code=error.code, status=error.status)
            wait_s = getattr(error, "retry_after_s", 0)
            return _refusal(error.code, str(error), error.status, wait_s)
        except StoreUnavailable as error:
            TALLY.note("webchat.unavailable", level="warning", why=error.why, example="upload")
            return _refusal("unavailable", "try again in a moment", 503, RETRY_S)

    return answer


def _refusal(code: str, reason: str, status: int, retry_after_s: int) -> web.Response:
    headers = {**NO_STORE, **({"Retry-After": str(retry_after_s)} if retry_after_s else {})}
    body = {"error": code, "reason": reason}
    return web.json_response(body, status=status, headers=headers)


async def upload(request: web.Request) -> web.Response:
    """Store a file that a message may name afterwards; answer 201."""
    app = request.app
    check_own_origin(request)
    opened = await authenticate(request)
    receive.check_consent(opened, app[SETTINGS])
    address, now = address_of(request), time.time()
    await throttle.spend(
        app[REDIS],
        (throttle.UPLOADS_PER_ADDRESS, address),
        (throttle.UPLOADS_PER_SESSION, opened.conversation),
        now=now,
    )
    await check_address(app, opened, digest_of(app[SECRET], address), keep=False, now=now)
    arriving = await http.read_upload(request, app[SETTINGS].max_file_bytes)
    attachment = await store_upload(
        app[SETTINGS],
        app[DATABASE],
        app[FILES],
        arriving.chunks,
        name=arriving.name,
        claimed=arriving.claimed,
        conversation=opened.conversation,
        author="customer",
    )
    log.info(
        "webchat.uploaded",
        conversation_id=opened.conversation,
        file_id=attachment.id,
        type=attachment.type,
        bytes=attachment.size,
    )
    return web.json_response(http.upload_reply(attachment), status=201, headers=NO_STORE)


async def make_link(request: web.Request) -> web.Response:
    """Give an address that opens one file for a few minutes, without the header."""
    check_own_origin(request)
    row = await _own(request, (await authenticate(request)).conversation)
    expires = int(time.time()) + LINK_S
    key = _signature(request.app[SECRET], row, expires)
    url = f"{request.path.removesuffix('/link')}?expires={expires}&key={key}"
    return web.json_response({"url": url, "expires_at": expires}, headers=NO_STORE)


async def show(request: web.Request) -> web.StreamResponse:
    """Send a file of the session's own conversation."""
    key = request.query.get("key")
    if key is None:
        row = await _own(request, (await authenticate(request)).conversation)
    else:
        row = await _linked(request, key)
    return await http.send_file(request, request.app[FILES], row)


async def _own(request: web.Request, conversation: str) -> Mapping[str, Any]:
    row = await _row(request)
    if row is None or row["conversation"] != conversation:
        raise BadRequest("not-found", "there is no such file", status=404)
    return row


async def _linked(request: web.Request, key: str) -> Mapping[str, Any]:
    """The file an address was made for.

    Raises:
        BadRequest: 404; the same for a forged, an expired and a foreign address.
    """
    row, expires = await _row(request), request.query.get("expires", "")
    if row is not None and expires.isdecimal() and len(expires) <= 12:
        expected = _signature(request.app[SECRET], row, int(expires))
        # Letter by letter: the signer's own check passes over signs that are no base64.
        same = hmac.compare_digest(key.encode("utf-8", "replace"), expected.encode())
        if same and int(expires) > time.time():
            return row
    raise BadRequest("not-found", "there is no such file", status=404)


async def _row(request: web.Request) -> dict[str, Any] | None:
    id_ = request.match_info["file"]
    return await request.app[DATABASE].read(lambda c: rows.get(c, id_))


def _signature(secret: bytes, row: Mapping[str, Any], expires: int) -> str:
    # The conversation is part of it: after erasing, a row of the same id would be another's.
    told = f"{row['id']}\0{row['conversation']}\0{expires}"
    return secrets.signer(secret, "webchat file").get_signature(told).decode()


async def named(
    app: web.Application, opened: session.Session, ids: list[str], message: str
) -> tuple[Any, ...]:
    """Look up the files a message names.

    Raises:
        BadRequest: `unknown-file`: one is not this customer's, or belongs to another message.
        StoreUnavailable: SQL is away; sending the message again is safe.
    """
    found = await app[DATABASE].read(
        lambda c: rows.uploads(c, opened.conversation, ids, author="customer", message=message)
    )
    if found is None:
        raise FileRefused("unknown-file", "attachments must name your own uploads, each once")
    return tuple(found)
