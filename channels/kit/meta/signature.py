"""Verification of Meta's deliveries, and of our address for Meta.

developers.facebook.com/docs/graph-api/webhooks/getting-started
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping

from bot.errors import BadRequest, NotAuthenticated

HEADER = "X-Hub-Signature-256"
ALGORITHM = "sha256="
_SIGNED = re.compile(r"sha256=[0-9a-f]{64}")


def check_shape(signed: str) -> None:
    """Refuse what can be no signature, before the body it should fit is read.

    Raises:
        NotAuthenticated: 401, wrong signature.
    """
    if not _SIGNED.fullmatch(signed):
        raise NotAuthenticated("wrong-signature", f"{HEADER} must be {ALGORITHM}<64 hex digits>")


def check(secret: str, signed: str, body: bytes) -> None:
    """Refuse what the app's secret did not sign, in constant time.

    Args:
        signed: The header, `sha256=<hex>` over the raw body.

    Raises:
        NotAuthenticated: 401, wrong signature.
    """
    digest = hmac.new(secret.encode(), body, hashlib.sha256)
    expected = f"{ALGORITHM}{digest.hexdigest()}".encode()
    if not hmac.compare_digest(signed.encode("utf-8", "replace"), expected):
        raise NotAuthenticated("wrong-signature", "the signature does not fit the body")


def challenge(token: str, query: Mapping[str, str]) -> str:
    """Answer the verification of a webhook: the challenge, if the token is ours.

    Raises:
        BadRequest: 403.
    """
    given_token = query.get("hub.verify_token", "").encode("utf-8", "replace")
    ours = hmac.compare_digest(given_token, token.encode())
    if query.get("hub.mode") != "subscribe" or not ours:
        raise BadRequest("wrong-token", "the verify token is not the right one", status=403)
    return query.get("hub.challenge", "")
