"""Users in SQL: create, list, disable, change passwords.

A disabled user's password hash starts with `!`, as in /etc/shadow: it matches nothing, and
enabling gives the old password back.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from argon2 import PasswordHasher
from sqlalchemy.engine import Connection

from bot.desk.people import naming, passwords
from bot.errors import BadRequest
from bot.stores.database import Database
from bot.stores.tables import sessions, users

DISABLED = "!"
PASSWORD_LEAST = 10
"""Characters a password must have; NIST SP 800-63B asks for 8 and length over rules."""
PASSWORD_MOST = 256
MOST_NAME = 128
_LOGIN = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,63}")

HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
"""argon2id as OWASP's password storage cheat sheet has it: 19 MiB, two passes, one lane."""


class Role(StrEnum):
    """Role of a user."""

    AGENT = "agent"
    """Work on conversations."""
    SUPERVISOR = "supervisor"
    """Also see and move everybody's conversations."""
    ADMIN = "admin"
    """Also users, canned replies and replaying dead letters."""


SUPERVISING = (Role.SUPERVISOR, Role.ADMIN)
"""Who sees all teams' conversations and may move them."""


@dataclass(frozen=True)
class User:
    """A row of `users` without its password."""

    id: str
    login: str
    name: str
    role: Role
    languages: tuple[str, ...]
    """That they write with customers."""
    interface_language: str
    """Of the desk itself; "" leaves it to the browser."""
    disabled: bool
    locked_until: float
    """Unix seconds; in the past when not locked."""
    created_at: float

    @classmethod
    def from_row(cls, row: sa.RowMapping | Mapping[str, Any]) -> User:
        return cls(
            id=row["id"],
            login=row["login"],
            name=row["name"],
            role=Role(row["role"]),
            languages=tuple(row["languages"] or ()),
            interface_language=row.get("interface_language") or "",
            disabled=row["password_hash"].startswith(DISABLED),
            locked_until=row["locked_until"],
            created_at=row["created_at"],
        )

    @property
    def is_admin(self) -> bool:
        return self.role == Role.ADMIN

    @property
    def supervises(self) -> bool:
        """Sees all teams' conversations and may move them."""
        return self.role in SUPERVISING


def add_user(
    connection: Connection,
    *,
    login: str,
    name: str,
    role: str,
    password: str,
    languages: Sequence[str] = (),
) -> User:
    """Create a user; hashing takes some 50 ms of this thread.

    Raises:
        BadRequest: Login, role or password cannot be used, or the login is taken.
    """
    login = login.strip().lower()
    if not _LOGIN.fullmatch(login):
        raise BadRequest("bad-login", "a login is 1–64 letters a–z, digits or . _ @ + -")
    if role not in set(Role):
        raise BadRequest("bad-role", f"a role is one of {', '.join(Role)}")
    digest = hash_password(password, login, name)
    if connection.execute(sa.select(users.c.id).where(users.c.login == login)).first():
        raise BadRequest("login-taken", f"the login {login!r} is taken", status=409)
    row = {
        "id": f"u{secrets.token_hex(8)}",
        "login": login,
        "name": naming.clean(name if naming.plain(name) else login, MOST_NAME, "bad-user-name"),
        "role": role,
        "password_hash": digest,
        "languages": list(languages) or None,
        "failed_logins": 0,
        "locked_until": 0.0,
        "created_at": time.time(),
    }
    connection.execute(sa.insert(users).values(**row))
    return User.from_row(row)


def create_demo_users(database: Database) -> list[tuple[str, str]]:
    """Create `agent` and `admin` with random passwords, if there is no user at all.

    Returns:
        (login, password) of what was created, to be printed once; empty otherwise.
    """

    def work(connection: Connection) -> list[tuple[str, str]]:
        if connection.execute(sa.select(users.c.id).limit(1)).first():
            return []
        made = [("agent", secrets.token_urlsafe(9)), ("admin", secrets.token_urlsafe(9))]
        for login, password in made:
            add_user(connection, login=login, name=login.title(), role=login, password=password)
        return made

    return database.call(work)


def list_users(connection: Connection) -> list[User]:
    rows = connection.execute(sa.select(users).order_by(users.c.login)).mappings()
    return [User.from_row(row) for row in rows]


def names(connection: Connection) -> dict[str, str]:
    """Map user ids to display names."""
    return {row.id: row.name for row in connection.execute(sa.select(users.c.id, users.c.name))}


def get_user(connection: Connection, user_id: str) -> User:
    """Read one user.

    Raises:
        BadRequest: There is none with this id (status 404).
    """
    row = connection.execute(sa.select(users).where(users.c.id == user_id)).mappings().first()
    if row is None:
        raise BadRequest("unknown-user", "there is no such user", status=404)
    return User.from_row(row)


def find_user(connection: Connection, login: str) -> User:
    """Read one user by login.

    Raises:
        BadRequest: There is none like this (status 404).
    """
    query = sa.select(users.c.id).where(users.c.login == login.strip().lower())
    return get_user(connection, connection.execute(query).scalar() or "")


def set_disabled(connection: Connection, user_id: str, disabled: bool) -> User:
    """Lock a user out and end their sessions, or let them in again."""
    user = get_user(connection, user_id)
    if user.disabled != disabled:
        current = users.c.password_hash
        value = sa.literal(DISABLED).concat(current) if disabled else sa.func.substr(current, 2)
        connection.execute(
            sa.update(users).where(users.c.id == user_id).values(password_hash=value)
        )
    if disabled:
        end_sessions(connection, user_id)
    return get_user(connection, user_id)


def set_password(connection: Connection, user_id: str, password: str) -> User:
    """Give a user a new password, lift a lock, and end all their sessions."""
    user = get_user(connection, user_id)
    digest = (DISABLED if user.disabled else "") + hash_password(password, user.login, user.name)
    connection.execute(
        sa.update(users)
        .where(users.c.id == user_id)
        .values(password_hash=digest, failed_logins=0, locked_until=0.0)
    )
    end_sessions(connection, user_id)
    return user


def unlock(connection: Connection, login: str) -> User:
    """Lift the lock that wrong passwords put on a login; raises as `find_user`."""
    user = find_user(connection, login)
    connection.execute(
        sa.update(users).where(users.c.id == user.id).values(failed_logins=0, locked_until=0.0)
    )
    return user


def set_interface_language(connection: Connection, user_id: str, language: str) -> None:
    """Remember in which language a user wants the desk."""
    connection.execute(
        sa.update(users).where(users.c.id == user_id).values(interface_language=language)
    )


def end_sessions(connection: Connection, user_id: str) -> None:
    connection.execute(sa.delete(sessions).where(sessions.c.user_id == user_id))


def hash_password(password: str, *names: str) -> str:
    """Hash with argon2id.

    Args:
        names: Login and name of whom it is for.

    Raises:
        BadRequest: Shorter than `PASSWORD_LEAST` or longer than 256 characters, or easy to guess.
    """
    if not PASSWORD_LEAST <= len(password) <= PASSWORD_MOST:
        raise BadRequest(
            "bad-password",
            f"a password has {PASSWORD_LEAST} to {PASSWORD_MOST} characters",
            least=PASSWORD_LEAST,
            most=PASSWORD_MOST,
        )
    if passwords.is_easy(password, *names):
        raise BadRequest("easy-password", "this password is easy to guess; take a longer phrase")
    return HASHER.hash(password)
