"""Browsers a user has logged in with: a stranger's wrong passwords do not lock these out.

The cookie is a signed name of the browser, for one user and one password (OWASP, "device cookies").
It opens nothing; its wrong passwords are counted for itself.
"""

from __future__ import annotations

import secrets

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from bot.desk.people import auth
from bot.stores.secrets import signer
from bot.stores.tables import users

COOKIE = "samvad_device"
REMEMBERED_S = 180 * 86400


def issue(secret: bytes, connection: Connection, user_id: str) -> str:
    """Name a browser that this user has logged in with."""
    query = sa.select(users.c.password_hash).where(users.c.id == user_id)
    password_hash = connection.execute(query).scalar_one()
    device = secrets.token_hex(12)
    return f"{device}.{_signature(secret, device, user_id, password_hash)}"


def known(secret: bytes, connection: Connection, login: str, cookie: str) -> str:
    """The browser's name if it is one of this login's, with the password of today; else ""."""
    device, _, signature = cookie[:256].partition(".")
    row = auth.row_of(connection, login)
    if row is None or not signature:
        return ""
    expected = _signature(secret, device, row["id"], row["password_hash"])
    return device if auth.same(signature, expected) else ""


def _signature(secret: bytes, device: str, user_id: str, password_hash: str) -> str:
    words = f"{device} {user_id} {password_hash}"
    return signer(secret, "desk device").get_signature(words).decode()
