"""Between password and code: a browser that showed the right password, for five minutes.

The cookie is signed for one browser, user and password, and opens nothing but the page that asks
for the code.
"""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from bot.desk.people import auth
from bot.stores.secrets import signer
from bot.stores.tables import users

COOKIE = "samvad_halfway"
LIFE_S = 300


@dataclass(frozen=True)
class Halfway:
    """Who is to show a code."""

    user_id: str
    login: str


def issue(secret: bytes, connection: Connection, user_id: str, browser: str, now: float) -> str:
    """Name who showed the right password.

    Args:
        browser: Name of the browser, as in `auth.form_token`.
        now: Unix seconds.
    """
    until = int(now) + LIFE_S
    query = sa.select(users.c.password_hash).where(users.c.id == user_id)
    signature = _signature(secret, user_id, until, browser, connection.execute(query).scalar_one())
    return f"{user_id}.{until}.{signature}"


def read(
    secret: bytes, connection: Connection, cookie: str, browser: str, now: float
) -> Halfway | None:
    """Who a cookie names; None when it is not ours, too old, or the password is another by now."""
    user_id, _, rest = cookie[:256].partition(".")
    until, _, signature = rest.partition(".")
    if not browser or not (until.isascii() and until.isdigit()) or int(until) <= now:
        return None
    query = sa.select(users.c.login, users.c.password_hash).where(users.c.id == user_id)
    row = connection.execute(query).first()
    if row is None:
        return None
    expected = _signature(secret, user_id, int(until), browser, row.password_hash)
    return Halfway(user_id, row.login) if auth.same(signature, expected) else None


def _signature(secret: bytes, user_id: str, until: int, browser: str, password_hash: str) -> str:
    words = f"{user_id} {until} {browser} {password_hash}"
    return signer(secret, "desk halfway").get_signature(words).decode()
