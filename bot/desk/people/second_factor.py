"""The second factor: a code of an authenticator app (TOTP, RFC 6238), or one of ten kept on paper.

Users switch it on for themselves. The app's secret is not stored: it is derived from a random salt
in SQL and this installation's session secret, so a copy of the database makes no codes. A code is
taken once, and so is a recovery code, of which SQL has the SHA-256 only.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import unicodedata
from dataclasses import dataclass

import pyotp
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from bot.desk.tables import recovery_codes as codes_table
from bot.desk.tables import second_factors as factors

STEP_S = 30
DIGITS = 6
DRIFT = 1
"""Steps that a phone's clock may be off; RFC 6238, section 5.2, allows one for the way as well."""
SECRET_BYTES = 20
"""As long as the digest the apps use; RFC 4226, section 4, R6."""
CONFIRM_WITHIN_S = 900
"""A secret that was shown and never confirmed is not shown again."""
RECOVERY_CODES = 10
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
"""Without what looks alike on paper."""
_RECOVERY_LETTERS = 16
"""Some 79 bits, so a plain digest cannot be searched through."""


@dataclass(frozen=True)
class Factor:
    """What a user's page shows."""

    on_since: float | None
    """Unix seconds; None while it is being set up."""
    codes_left: int


def find(connection: Connection, user_id: str, now: float) -> Factor | None:
    """Read a user's factor; None if there is none, or one that was begun too long ago."""
    f, c = factors.c, codes_table.c
    row = connection.execute(sa.select(factors).where(f.user_id == user_id)).first()
    if row is None or (row.on_since is None and row.begun_at < now - CONFIRM_WITHIN_S):
        return None
    unused = sa.select(sa.func.count()).where(c.user_id == user_id, c.used_at.is_(None))
    return Factor(row.on_since, connection.execute(unused).scalar_one())


def is_on(connection: Connection, user_id: str) -> bool:
    """Whether a login of this user needs a code."""
    f = factors.c
    query = sa.select(f.user_id).where(f.user_id == user_id, f.on_since.is_not(None))
    return connection.execute(query).first() is not None


def begin(connection: Connection, user_id: str, now: float) -> None:
    """Make a new secret, in place of one that was never confirmed; one that is on stays."""
    if is_on(connection, user_id):
        return
    connection.execute(sa.delete(factors).where(factors.c.user_id == user_id))
    row = {"user_id": user_id, "salt": secrets.token_hex(16), "begun_at": now, "last_step": 0}
    connection.execute(sa.insert(factors).values(**row))


def address(
    connection: Connection, secret: bytes, user_id: str, *, login: str, issuer: str
) -> tuple[str, str]:
    """The secret for the app, as letters and as the `otpauth:` address of a QR code."""
    totp = _totp(secret, user_id, _salt(connection, user_id))
    return totp.secret, totp.provisioning_uri(name=login, issuer_name=issuer)


def confirm(
    connection: Connection, secret: bytes, user_id: str, code: str, now: float
) -> list[str] | None:
    """Switch the factor on, if the code is right.

    Returns:
        The recovery codes, which are never shown again; None for a wrong code.
    """
    factor = find(connection, user_id, now)
    if factor is None or factor.on_since is not None:
        return None
    if not _take_code(connection, secret, user_id, code, now):
        return None
    connection.execute(sa.update(factors).where(factors.c.user_id == user_id).values(on_since=now))
    return renew_recovery_codes(connection, user_id)


def accept(connection: Connection, secret: bytes, user_id: str, code: str, now: float) -> str:
    """Take a code, which is worth nothing afterwards.

    Returns:
        `app` or `recovery`, which it was; empty for a wrong or used one, or without a factor.
    """
    if not is_on(connection, user_id):
        return ""
    if _take_code(connection, secret, user_id, code, now):
        return "app"
    return "recovery" if _take_recovery_code(connection, user_id, code, now) else ""


def renew_recovery_codes(connection: Connection, user_id: str) -> list[str]:
    """Make ten new recovery codes in place of all older ones."""
    c = codes_table.c
    connection.execute(sa.delete(codes_table).where(c.user_id == user_id))
    made = [_recovery_code() for _ in range(RECOVERY_CODES)]
    connection.execute(
        sa.insert(codes_table), [{"user_id": user_id, "digest": _digest(code)} for code in made]
    )
    return made


def remove(connection: Connection, user_id: str) -> bool:
    """Switch the factor off; False if there was none."""
    connection.execute(sa.delete(codes_table).where(codes_table.c.user_id == user_id))
    return bool(connection.execute(sa.delete(factors).where(factors.c.user_id == user_id)).rowcount)


def _totp(secret: bytes, user_id: str, salt: str) -> pyotp.TOTP:
    words = f"desk second factor {user_id} {salt}".encode()
    digest = hmac.digest(secret, words, hashlib.sha256)[:SECRET_BYTES]
    return pyotp.TOTP(base64.b32encode(digest).decode(), digits=DIGITS, interval=STEP_S)


def _salt(connection: Connection, user_id: str) -> str:
    query = sa.select(factors.c.salt).where(factors.c.user_id == user_id)
    return str(connection.execute(query).scalar_one())


def _take_code(connection: Connection, secret: bytes, user_id: str, code: str, now: float) -> bool:
    digits = _digits(code)
    if len(digits) != DIGITS:
        return False
    totp, current = _totp(secret, user_id, _salt(connection, user_id)), int(now) // STEP_S
    taken = 0
    for step in range(current - DRIFT, current + DRIFT + 1):
        # All are compared, in constant time: how long it takes tells nothing.
        if hmac.compare_digest(totp.generate_otp(step), digits):
            taken = step
    f = factors.c
    # One statement, so that of two requests with one code only one gets in.
    done = connection.execute(
        sa.update(factors).where(f.user_id == user_id, f.last_step < taken).values(last_step=taken)
    )
    return bool(done.rowcount)


def _take_recovery_code(connection: Connection, user_id: str, code: str, now: float) -> bool:
    c, wanted = codes_table.c, _digest(code)
    stored = connection.execute(sa.select(c.digest).where(c.user_id == user_id)).scalars().all()
    found = sum(hmac.compare_digest(digest, wanted) for digest in stored)
    if not found:
        return False
    done = connection.execute(
        sa.update(codes_table)
        .where(c.user_id == user_id, c.digest == wanted, c.used_at.is_(None))
        .values(used_at=now)
    )
    return bool(done.rowcount)


def _digits(code: str) -> str:
    """What was typed without spaces, the digits of all scripts as ASCII; else empty."""
    letters = "".join(code.split())
    values = [unicodedata.decimal(letter, None) for letter in letters]
    return "" if None in values else "".join(map(str, values))


def _recovery_code() -> str:
    letters = "".join(secrets.choice(_ALPHABET) for _ in range(_RECOVERY_LETTERS))
    return "-".join(letters[at : at + 4] for at in range(0, _RECOVERY_LETTERS, 4))


def _digest(code: str) -> str:
    letters = "".join(letter for letter in code.lower() if letter in _ALPHABET)
    return hashlib.sha256(letters.encode()).hexdigest()
