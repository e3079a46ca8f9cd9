"""Calls of the Graph API, with refusals as our errors. Tokens stay in this file."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

from bot.errors import DeliveryFailed
from channels.kit.reading import number_at, object_at
from channels.kit.vendor_http import RETRY_AFTER, Upload, VendorHttp

RATE_CODES = frozenset({4, 17, 32, 341, 613, 80006})
"""developers.facebook.com/docs/graph-api/overview/rate-limiting and /guides/error-handling."""
RATE_RETRY_S = 30.0
"""Unless a header Retry-After names a time; the Graph API's own answer does not."""
OUTSIDE_WINDOW = "outside-window"


class Account:
    """Calls for one page or business account.

    Args:
        token: Its access token.
        secret: The app's secret.
        address: Of the Graph API, with its version.
    """

    def __init__(self, id_: str, token: str, secret: str, address: str, http: VendorHttp) -> None:
        self.id = id_
        # developers.facebook.com/docs/graph-api/guides/secure-requests
        proof = hmac.new(secret.encode(), token.encode(), hashlib.sha256).hexdigest()
        self._auth = {"access_token": token, "appsecret_proof": proof}
        self._address = address.rstrip("/")
        self._http = http

    async def get(
        self, path: str, query: dict[str, str], timeout_s: float | None = None
    ) -> dict[str, Any]:
        """Read a node or edge; raises like `post`."""
        return await self._call("GET", path, query, None, timeout_s)

    async def post(
        self,
        path: str,
        body: dict[str, Any],
        timeout_s: float | None = None,
        upload: Upload | None = None,
    ) -> dict[str, Any]:
        """Write to a node or edge, with a file if one is given.

        Raises:
            DeliveryFailed: See `refusal`; `unreachable` without an answer.
        """
        return await self._call("POST", path, {}, body, timeout_s, upload)

    async def _call(
        self,
        method: str,
        path: str,
        query: dict[str, str],
        body: dict[str, Any] | None,
        timeout_s: float | None,
        upload: Upload | None = None,
    ) -> dict[str, Any]:
        status, answer = await self._http.call(
            method,
            f"{self._address}/{path}",
            params={**query, **self._auth},
            body=body,
            timeout_s=timeout_s,
            upload=upload,
        )
        if status == 200 and "error" not in answer:
            return answer
        raise refusal(status, object_at(answer, "error"), answer.get(RETRY_AFTER))


def refusal(status: int, error: dict[str, Any], after_s: float | None = None) -> DeliveryFailed:
    """Turn a refusal into our error.

    Args:
        after_s: Seconds of a header Retry-After.

    Source: developers.facebook.com/docs/messenger-platform/error-codes; code 10 for a message
    outside the window: fazer-ai/chatwoot#674.
    """
    code, sub = number_at(error, "code"), number_at(error, "error_subcode")
    if code in RATE_CODES or status == 429:
        return DeliveryFailed(
            "rate-limited", retry_after_s=RATE_RETRY_S if after_s is None else after_s
        )
    if sub == 2018278 or (code == 10 and "window" in str(error.get("message", "")).casefold()):
        return DeliveryFailed(OUTSIDE_WINDOW, permanent=True)
    if code == 551 or sub in (1545041, 2018108):
        return DeliveryFailed("blocked", permanent=True)
    if sub == 2018001:
        return DeliveryFailed("unknown-user", permanent=True)
    if code == 190 or status == 401:
        # A token that ran out: an operator can put it right, so the message is tried for a while.
        return DeliveryFailed("not-authorised")
    if status >= 500 or code in (1, 2, 1200) or error.get("is_transient") is True:
        return DeliveryFailed("vendor-error")
    if 400 <= status < 500 and code is not None:
        return DeliveryFailed("refused", permanent=True)
    return DeliveryFailed("vendor-error")
