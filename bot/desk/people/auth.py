"""Authentication of users: passwords, sessions, lockout, CSRF; docs/desk.md#safety.

A session is a random token in an HttpOnly cookie; SQL holds its SHA-256 only. Every POST carries
the session's CSRF token. Unknown logins cost the same time as known ones and get the same answer.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
import time
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import argon2
import sqlalchemy as sa
import structlog
from sqlalchemy.engine import Connection

from bot.desk.people import audit, second_factor
from bot.desk.people.users import DISABLED, HASHER, User
from bot.errors import BadRequest
from bot.routing.model import Presence
from bot.routing.tables import agents
from bot.stores.database import Database
from bot.stores.secrets import signer
from bot.stores.tables import sessions, users

log = structlog.get_logger()

SESSION_S = 12 * 3600
"""A session lasts a working day; then log in again."""
FREE_FAILURES = 5
"""Wrong passwords in a row before the login is locked."""
LOCK_FIRST_S = 30
LOCK_LONGEST_S = 300
"""A lock slows guessing down; it must not shut the user out for as long as a stranger likes."""
REFUSAL_S = 0.4
"""Longer than hashing and writing take, so the time of an answer tells nothing."""
HASHES_AT_ONCE = 4
MOST_WAITING = 40
"""Attempts that may wait for their hash; a second's work. More are refused."""
_HASHER = ThreadPoolExecutor(HASHES_AT_ONCE, thread_name_prefix="passwords")
_checking: set[asyncio.Future[bool]] = set()
_DUMMY_HASH = HASHER.hash(secrets.token_urlsafe(16))


@dataclass(frozen=True)
class Session:
    """A logged-in browser."""

    user: User
    csrf: str
    digest: str
    """SHA-256 of the cookie's token, hexadecimal."""
    presence: str = Presence.ONLINE.value
    """What the user chose to be."""


@dataclass(frozen=True)
class Started:
    """A new session with the token for its cookie."""

    session: Session
    token: str


@dataclass(frozen=True)
class CodeWanted:
    """The password was right, and this user has a second factor: no session yet."""

    user: User


async def log_in(
    database: Database, login: str, password: str, *, known: bool = False, address: str = ""
) -> Started | CodeWanted | None:
    """Check a password and start a session; a refusal takes `REFUSAL_S`, whatever the cause.

    Args:
        known: The browser is one of this user's (`devices`): no lock holds it, and its wrong
            passwords, which the caller counts, lock nobody.
        address: Of the client, for the log.

    Returns:
        `CodeWanted` where the user has a second factor; None for a wrong password, an unknown,
        disabled or locked login: the caller cannot tell.

    Raises:
        BadRequest: Too many passwords are being checked (status 429).
    """
    began = time.monotonic()
    row = await database.read(lambda c: row_of(c, login))
    usable = row is not None and not row["password_hash"].startswith(DISABLED)
    known_hash = str(row["password_hash"]) if row is not None and usable else _DUMMY_HASH
    # Outside any transaction: on SQLite a writer would hold everybody up meanwhile.
    right = await is_right(known_hash, password)
    started = None
    if row is not None and usable:
        user = User.from_row(row)
        attempt = _Attempt(user, right, known, address)
        started = await database.run(lambda c: _finish(c, attempt, time.time()))
    elif row is not None:
        log.warning("desk.login_failed", user_id=row["id"], address=address, reason="disabled")
    else:
        log.warning("desk.login_failed", user_id="", address=address, reason="unknown")
    if started is None:
        await asyncio.sleep(max(0.0, REFUSAL_S - (time.monotonic() - began)))
    return started


async def is_right(known_hash: str, password: str) -> bool:
    """Verify a password, four at a time: hashing is slow on purpose and must not hold others up.

    Raises:
        BadRequest: Too many wait for it (status 429).
    """
    if len(_checking) >= HASHES_AT_ONCE + MOST_WAITING:
        raise BadRequest("too-many-attempts", "Too many attempts: try again in a minute.", 429)
    check = asyncio.get_running_loop().run_in_executor(_HASHER, _verify, known_hash, password)
    _checking.add(check)
    try:
        return await check
    finally:
        _checking.discard(check)


def row_of(connection: Connection, login: str) -> sa.RowMapping | None:
    return (
        connection.execute(sa.select(users).where(users.c.login == login.strip().lower()[:64]))
        .mappings()
        .first()
    )


@dataclass(frozen=True)
class _Attempt:
    user: User
    right: bool
    known: bool
    address: str

    @property
    def told(self) -> dict[str, str]:
        """What the log says of it."""
        return {"user_id": self.user.id, "address": self.address}


async def log_in_by_code(
    database: Database,
    secret: bytes,
    user_id: str,
    code: str,
    *,
    known: bool = False,
    address: str = "",
) -> Started | None:
    """Check the code of a user whose password was right, and start a session.

    Wrong codes count like wrong passwords, and lock the login as they do.

    Args:
        secret: Of this installation (`second_factor`).
        known: As in `log_in`.

    Returns:
        None for a wrong or used code, and for a login that is locked or disabled meanwhile.
    """

    def work(connection: Connection) -> Started | None:
        row = connection.execute(sa.select(users).where(users.c.id == user_id)).mappings().first()
        if row is None or row["password_hash"].startswith(DISABLED):
            return None
        now, attempt = time.time(), _Attempt(User.from_row(row), True, known, address)
        failures = _failures(connection, attempt, now)
        if failures is None:
            return None
        way = second_factor.accept(connection, secret, user_id, code, now)
        if not way:
            _count_failure(connection, attempt, failures, now, "code")
            return None
        if way == "recovery":
            audit.write(connection, user_id, "user.recovery_code", user_id)
        return _succeed(connection, attempt, now)

    return await database.run(work)


def _finish(connection: Connection, attempt: _Attempt, now: float) -> Started | CodeWanted | None:
    failures = _failures(connection, attempt, now)
    if failures is None:
        return None
    if not attempt.right:
        _count_failure(connection, attempt, failures, now, "password")
        return None
    if second_factor.is_on(connection, attempt.user.id):
        # Failures stay counted until the code is there: its guesses must not be forgiven by the
        # password.
        return CodeWanted(attempt.user)
    return _succeed(connection, attempt, now)


def _failures(connection: Connection, attempt: _Attempt, now: float) -> int | None:
    """Failures in a row so far; None for a login that is locked, which is logged."""
    # Read again, and held: guesses running side by side must not slip past the lock.
    state = connection.execute(
        sa.select(users.c.failed_logins, users.c.locked_until)
        .where(users.c.id == attempt.user.id)
        .with_for_update()
    ).first()
    if state is None or (state.locked_until > now and not attempt.known):
        log.warning("desk.login_failed", **attempt.told, reason="locked")
        return None
    return int(state.failed_logins)


def _count_failure(
    connection: Connection, attempt: _Attempt, failures: int, now: float, reason: str
) -> None:
    log.warning("desk.login_failed", **attempt.told, reason=reason)
    if attempt.known:
        return
    failures += 1
    locked_s = lock_s(failures)
    connection.execute(
        sa.update(users)
        .where(users.c.id == attempt.user.id)
        .values(failed_logins=failures, locked_until=now + locked_s)
    )
    if locked_s:
        log.warning("desk.login_locked", **attempt.told, failures=failures, seconds=locked_s)


def _succeed(connection: Connection, attempt: _Attempt, now: float) -> Started:
    user_id = attempt.user.id
    if not attempt.known:
        connection.execute(
            sa.update(users).where(users.c.id == user_id).values(failed_logins=0, locked_until=0.0)
        )
    audit.write(connection, user_id, "user.logged_in", user_id, address=attempt.address)
    log.info("desk.logged_in", **attempt.told)
    return start_session(connection, attempt.user, now)


def lock_s(failures: int) -> float:
    """Seconds a login stays locked after this many wrong passwords in a row; doubles each time."""
    over = failures - FREE_FAILURES
    return 0.0 if over < 0 else float(min(LOCK_LONGEST_S, LOCK_FIRST_S * 2 ** min(over, 20)))


def start_session(connection: Connection, user: User, now: float) -> Started:
    """Store a session, and drop expired ones."""
    token, csrf = secrets.token_urlsafe(32), secrets.token_urlsafe(24)
    connection.execute(sa.delete(sessions).where(sessions.c.expires_at < now))
    connection.execute(
        sa.insert(sessions).values(
            digest=digest_of(token),
            user_id=user.id,
            csrf=csrf,
            created_at=now,
            expires_at=now + SESSION_S,
        )
    )
    return Started(Session(user, csrf, digest_of(token)), token)


def find_session(connection: Connection, token: str, now: float | None = None) -> Session | None:
    """Look a cookie's token up; None when unknown, expired or its user is disabled."""
    row = (
        connection.execute(
            sa.select(sessions.c.csrf, sessions.c.digest, users, agents.c.presence)
            .join(users, users.c.id == sessions.c.user_id)
            .outerjoin(agents, agents.c.user_id == users.c.id)
            .where(
                sessions.c.digest == digest_of(token),
                sessions.c.expires_at > (time.time() if now is None else now),
            )
        )
        .mappings()
        .first()
    )
    if row is None or row["password_hash"].startswith(DISABLED):
        return None
    presence = row["presence"] or Presence.ONLINE.value
    return Session(User.from_row(row), row["csrf"], row["digest"], presence)


def still_valid(connection: Connection, digests: Collection[str], now: float) -> set[str]:
    """Of these sessions, those that have neither ended nor expired."""
    return set(
        connection.execute(
            sa.select(sessions.c.digest).where(
                sessions.c.digest.in_(list(digests)), sessions.c.expires_at > now
            )
        ).scalars()
    )


def end_session(connection: Connection, digest: str) -> None:
    connection.execute(sa.delete(sessions).where(sessions.c.digest == digest))


def digest_of(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def form_token(secret: bytes, browser: str) -> str:
    """CSRF token of the login form, bound to the browser's pre-login cookie."""
    return signer(secret, "desk login").get_signature(browser).decode()


def same(actual: str, expected: str) -> bool:
    """Compare in constant time, any characters."""
    return hmac.compare_digest(actual.encode("utf-8", "replace"), expected.encode())


def _verify(password_hash: str, password: str) -> bool:
    try:
        return HASHER.verify(password_hash, password[:1024])
    except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
        return False
