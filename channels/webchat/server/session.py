"""Who may read a conversation: signed sessions, and signed identities of logged-in customers.

The browser keeps the token and shows it with every request; nothing else opens a conversation, and
a client can neither choose nor guess a visitor id. See docs/webchat.md.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
from dataclasses import dataclass
from typing import Any

import jwt
from itsdangerous import BadData, Signer
from itsdangerous.encoding import base64_decode, base64_encode

from bot.errors import NotAuthenticated
from bot.settings import Settings
from bot.streams.messages import conversation_id
from channels.webchat.server.settings import NAME, WebchatSettings

SESSION_S = 30 * 24 * 3600
IDENTIFIED_S = 4 * 3600
"""A session of a customer the site vouched for; only the site's word begins another."""
IDENTITY_S = 3600
"""Longest time an identity token may have left to live."""
CLOCK_SKEW_S = 60
VERSION = 1
IDENTITY_ALGORITHM = "HS256"
"""The only one taken; what a token says of itself chooses nothing."""
_LONGEST_TOKEN = 4096
_IDENTIFIED = "u-"
_TOKEN = re.compile(r"[A-Za-z0-9_.-]+")
_IDENTITY_CHECKS: jwt.types.Options = {
    "require": ["sub", "aud", "exp"],
    # A token has a longest life as well, and `now` is the caller's: both ends are checked here.
    "verify_exp": False,
    # Asked of nobody: a site's server with a wrong clock may vouch for its customers.
    "verify_iat": False,
    "verify_nbf": False,
}


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
    generation: int = 0
    """How often the visitor's sessions had been ended when this one began; see `ending`."""

    @property
    def is_identified(self) -> bool:
        """Whether the site vouched for this customer."""
        return is_identified(self.visitor)


def issue(
    secret: bytes,
    site: str,
    *,
    now: float,
    visitor: str = "",
    consent: str = "",
    generation: int = 0,
    until: float = 0.0,
) -> tuple[str, str]:
    """Make a token.

    Args:
        now: Unix seconds; the token lives 30 days from here, `IDENTIFIED_S` for a customer whom the
            site vouched for.
        visitor: Who it is for; a new random visitor when empty.
        consent: Version of the wording this visitor has agreed to, if any.
        generation: As in `Session`.
        until: Unix seconds after which it must not live, where that is earlier; 0 for none.

    Returns:
        The token and the visitor.
    """
    visitor = visitor or secrets.token_hex(16)
    expires_at = int(now) + life_s(visitor)
    if until:
        expires_at = min(expires_at, int(until))
    body: dict[str, Any] = {"v": VERSION, "s": site, "u": visitor, "e": expires_at}
    if consent:
        body["c"] = consent
    if generation:
        body["g"] = generation
    payload = base64_encode(json.dumps(body, separators=(",", ":")))
    return _signer(secret).sign(payload).decode(), visitor


def verify(secret: bytes, token: str, settings: Settings, *, now: float) -> Session:
    """Read a token.

    Raises:
        NotAuthenticated: It is not ours, has expired, or its site no longer exists.
    """
    if not 0 < len(token) <= _LONGEST_TOKEN or not _TOKEN.fullmatch(token):
        raise NotAuthenticated
    try:
        body = json.loads(base64_decode(_signer(secret).unsign(token)))
    except (BadData, ValueError) as error:
        raise NotAuthenticated from error
    if body.get("v") != VERSION or body["s"] not in settings.of(WebchatSettings).sites:
        raise NotAuthenticated
    # A customer's that lives longer is from before these sessions ended after hours.
    longest = now + IDENTIFIED_S + CLOCK_SKEW_S
    if body["e"] <= now or (is_identified(body["u"]) and body["e"] > longest):
        raise NotAuthenticated("session-expired", "the session has expired; ask for a new one")
    return session_of(body["s"], body["u"], body["e"], body.get("c", ""), body.get("g", 0))


def session_of(
    site: str, visitor: str, expires_at: float, consent: str = "", generation: int = 0
) -> Session:
    """Put a session together from its parts."""
    conversation = conversation_id(NAME, site, visitor)
    return Session(site, visitor, conversation, expires_at, consent, generation)


def is_identified(visitor: str) -> bool:
    """Tell whether a visitor is a customer whom the site vouched for."""
    return visitor.startswith(_IDENTIFIED)


def life_s(visitor: str) -> int:
    """Seconds a session of this visitor lives."""
    return IDENTIFIED_S if is_identified(visitor) else SESSION_S


def identity_key(secret: bytes, site: str) -> str:
    """Return the key with which a site's own server signs who is logged in, 64 hex digits.

    The sites have it: another way to make it would lock them all out.
    """
    return hmac.new(secret, f"identity:{site}".encode(), hashlib.sha256).hexdigest()


def identified_visitor(secret: bytes, site: str, token: str, *, now: float) -> str:
    """Read an identity token of the embedding site and name the visitor it speaks of.

    The token is a JWT, HS256 under `identity_key`, with `sub` (the site's customer id), `aud` (the
    site key) and `exp` at most one hour ahead: https://www.rfc-editor.org/rfc/rfc7519#section-4.1.

    Raises:
        NotAuthenticated: With code `bad-identity`.
    """
    refused = NotAuthenticated("bad-identity", "the identity token cannot be used")
    if len(token) > _LONGEST_TOKEN or not _TOKEN.fullmatch(token):
        raise refused
    try:
        claims = jwt.decode(
            token,
            identity_key(secret, site),
            algorithms=[IDENTITY_ALGORITHM],
            audience=site,
            options=_IDENTITY_CHECKS,
        )
    # RecursionError: JSON of nothing but brackets, read before the signature is looked at.
    except (jwt.PyJWTError, RecursionError) as error:
        raise refused from error
    subject, expires = claims["sub"], claims["exp"]
    if not isinstance(subject, str) or not 0 < len(subject) <= 256:
        raise refused
    if isinstance(expires, bool) or not isinstance(expires, int | float):
        raise refused
    if not now - CLOCK_SKEW_S < expires <= now + IDENTITY_S + CLOCK_SKEW_S:
        raise refused
    return _IDENTIFIED + hashlib.sha256("\0".join((site, subject)).encode()).hexdigest()[:32]


def _signer(secret: bytes) -> Signer:
    # With the secret itself, as ever: ingresses of two versions take each other's tokens. Nothing
    # else that it signs looks like base64.
    return Signer(secret, key_derivation="none", digest_method=hashlib.sha256)
