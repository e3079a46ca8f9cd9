"""HTTP calls to vendors: one session per process, a deadline on every call, no token in errors.

Addresses carry tokens (Telegram's path, Facebook's query), so errors of the HTTP library, which
name addresses, end here.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp

from bot.errors import DeliveryFailed

TIMEOUT_S = 15.0
UPLOAD_TIMEOUT_S = 120.0
RETRY_AFTER = "samvad:retry-after-s"
LONGEST_WAIT_S = 3600.0
ANSWER_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Upload:
    """File sent with a call, as `multipart/form-data`."""

    field: str
    name: str
    """Cleaned: it stands in a header."""
    type: str
    content: bytes


class VendorHttp:
    """HTTP session, opened at the first call; its creator must close it.

    Args:
        timeout_s: Deadline of a whole call, connection and answer included.
    """

    def __init__(self, timeout_s: float = TIMEOUT_S) -> None:
        self._timeout_s = timeout_s
        self._session: aiohttp.ClientSession | None = None

    async def call(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        upload: Upload | None = None,
        timeout_s: float | None = None,
    ) -> tuple[int, dict[str, Any]]:
        """Make a call with a JSON body; with a file, `body` becomes the fields of its form.

        Returns:
            Status and the JSON object answered; an empty one when it was no JSON object. A header
            Retry-After stands in it under `RETRY_AFTER`, in seconds.

        Raises:
            DeliveryFailed: `unreachable`: no answer, so it is unknown whether the vendor acted.
        """
        if self._session is None or self._session.closed:
            self._session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
        usual_s = self._timeout_s if upload is None else UPLOAD_TIMEOUT_S
        deadline = aiohttp.ClientTimeout(total=timeout_s or usual_s)
        sent: dict[str, Any] = {"json": body} if upload is None else {"data": _form(body, upload)}
        try:
            async with self._session.request(
                method, url, params=params, timeout=deadline, allow_redirects=False, **sent
            ) as answer:
                answer_body = _object(await _read(answer.content))
                if (after_s := asked_to_wait(answer.headers.get("Retry-After", ""))) is not None:
                    answer_body[RETRY_AFTER] = after_s
                return answer.status, answer_body
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
            raise DeliveryFailed("unreachable") from None

    async def aclose(self) -> None:
        """Close the session; the next call opens another."""
        if self._session is not None:
            await self._session.close()
            self._session = None


def asked_to_wait(header: str) -> float | None:
    """Seconds of a header Retry-After, which names them or a moment (RFC 9110, 10.2.3); at most an
    hour, and None for anything else."""
    try:
        if header.strip().isascii() and header.strip().isdigit():
            return min(float(header), LONGEST_WAIT_S)
        moment = parsedate_to_datetime(header)
        if moment.tzinfo is None:
            return None
        return min(max((moment - datetime.now(UTC)).total_seconds(), 0.0), LONGEST_WAIT_S)
    except (TypeError, ValueError, OverflowError):
        return None


def _form(body: Mapping[str, Any] | None, upload: Upload) -> aiohttp.FormData:
    form = aiohttp.FormData(quote_fields=False)  # vendors read names as they are, in UTF-8
    for name, value in (body or {}).items():
        form.add_field(name, value if isinstance(value, str) else json.dumps(value))
    content = io.BytesIO(upload.content)
    form.add_field(upload.field, content, filename=upload.name, content_type=upload.type)
    return form


def _object(content: bytes) -> dict[str, Any]:
    try:
        data = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


async def _read(stream: aiohttp.StreamReader) -> bytes:
    """Read an answer to its end, or as much as is worth reading."""
    chunks, size = [], 0
    async for chunk in stream.iter_chunked(65536):
        chunks.append(chunk)
        size += len(chunk)
        if size > ANSWER_BYTES:
            break
    return b"".join(chunks)
