"""Who may read a conversation: signed sessions, and signed identities of logged-in customers.

The browser keeps the token and shows it with every request; nothing else opens a conversation, and
a client can neither choose nor guess a visitor id. See docs/webchat.md.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
import secrets
from dataclasses import dataclass
from typing import Any

from bot.errors import NotAuthenticated
from bot.settings import Settings
from bot.streams.messages import conversation_id
from channels.webchat.server.settings import NAME, WebchatSettings

SESSION_S = 30 * 24 * 3600
IDENTITY_S = 3600
"""Longest time an identity token may have left to live."""
CLOCK_SKEW_S = 60
VERSION = 1
_LONGEST_TOKEN = 4096
_TOKEN = re.compile(r"[A-Za-z0-9_.-]+")


@dataclass(frozen=True)
class Session:
    """What a valid token says."""

    site: str
    """Key in `WebchatSettings.sites`."""
    visitor: str
    """Random, or `u-` and a digest for a logged-in customer; the `vendor_user` of messages."""
    conversation: str
    expires_at: float
    """Unix seconds."""
    consent: str = ""
    """Version of the wording that was agreed to; empty without consent."""


def issue(
    secret: bytes, site: str, *, now: float, visitor: str = "", consent: str = ""
) -> tuple[str, str]:
    """Make a token.

    Args:
        now: Unix seconds; the token lives 30 days from here.
        visitor: Who it is for; a new random visitor when empty.
        consent: Version of the wording this visitor has agreed to, if any.

    Returns:
        The token and the visitor.
    """
    visitor = visitor or secrets.token_hex(16)
    body: dict[str, Any] = {"v": VERSION, "s": site, "u": visitor, "e": int(now) + SESSION_S}
    if consent:
        body["c"] = consent
    payload = _encode(json.dumps(body, separators=(",", ":")).encode())
    return f"{payload}.{_encode(_sign(secret, payload))}", visitor


def verify(secret: bytes, token: str, settings: Settings, *, now: float) -> Session:
    """Read a token.

    Raises:
        NotAuthenticated: It is not ours, has expired, or its site no longer exists.
    """
    if not 0 < len(token) <= _LONGEST_TOKEN or not _TOKEN.fullmatch(token):
        raise NotAuthenticated
    payload, _, signature = token.partition(".")
    if not hmac.compare_digest(_sign(secret, payload), _decode(signature)):
        raise NotAuthenticated
    body = _json(payload)
    if body.get("v") != VERSION or body["s"] not in settings.of(WebchatSettings).sites:
        raise NotAuthenticated
    if body["e"] <= now:
        raise NotAuthenticated("session-expired", "the session has expired; ask for a new one")
    return session_of(body["s"], body["u"], body["e"], body.get("c", ""))


def session_of(site: str, visitor: str, expires_at: float, consent: str = "") -> Session:
    """Put a session together from its parts."""
    return Session(site, visitor, conversation_id(NAME, site, visitor), expires_at, consent)


def identity_key(secret: bytes, site: str) -> str:
    """Return the key with which a site's own server signs who is logged in, 64 hex digits."""
    return hmac.new(secret, f"identity:{site}".encode(), hashlib.sha256).hexdigest()


def identified_visitor(secret: bytes, site: str, token: str, *, now: float) -> str:
    """Read an identity token of the embedding site and name the visitor it speaks of.

    The token is a JWT, HS256 under `identity_key`, with `sub` (the site's customer id), `aud` (the
    site key) and `exp` at most one hour ahead: https://www.rfc-editor.org/rfc/rfc7519#section-4.1.

    Raises:
        NotAuthenticated: With code `bad-identity`.
    """
    refused = NotAuthenticated("bad-identity", "the identity token cannot be used")
    parts = token.split(".")
    if len(token) > _LONGEST_TOKEN or len(parts) != 3 or not _TOKEN.fullmatch(token):
        raise refused
    key = identity_key(secret, site).encode()
    signed = f"{parts[0]}.{parts[1]}"
    if not hmac.compare_digest(_sign(key, signed), _decode(parts[2])):
        raise refused
    # The header comes from outside: only the one algorithm we computed may be named in it.
    if _json(parts[0]).get("alg") != "HS256":
        raise refused
    claims = _json(parts[1])
    subject, audience, expires = claims.get("sub"), claims.get("aud"), claims.get("exp")
    audiences = audience if isinstance(audience, list) else [audience]
    if not isinstance(subject, str) or not 0 < len(subject) <= 256 or site not in audiences:
        raise refused
    if isinstance(expires, bool) or not isinstance(expires, int | float):
        raise refused
    if not now - CLOCK_SKEW_S < expires <= now + IDENTITY_S + CLOCK_SKEW_S:
        raise refused
    return "u-" + hashlib.sha256("\0".join((site, subject)).encode()).hexdigest()[:32]


def _sign(secret: bytes, text: str) -> bytes:
    return hmac.new(secret, text.encode(), hashlib.sha256).digest()


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        return b""


def _json(text: str) -> dict[str, Any]:
    """Read an object out of a part whose signature has been checked."""
    try:
        body = json.loads(_decode(text))
    except (ValueError, RecursionError) as error:
        raise NotAuthenticated from error
    if not isinstance(body, dict):
        raise NotAuthenticated
    return body
